"""Projects: list, switch, create, settings; and one's own password."""
from __future__ import annotations

import pytest
from django.urls import reverse

from gs2admin.audit.models import Activity
from gs2admin.identity.models import Membership, Project, User
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client):
    client.force_login(User.objects.create_superuser("root", password=PASSWORD))
    return client


def settings_of(project) -> str:
    return reverse("settings", kwargs={"project": project.name})


def test_a_person_sees_the_own_projects_only(client, viewer, other_project):
    client.force_login(viewer)
    html = client.get(reverse("projects")).content.decode()
    assert "isles" in html and "other" not in html and reverse("project-new") not in html


def test_opening_a_project_makes_it_the_one_to_come_back_to(client, owner, project, other_project):
    Membership.objects.create(project=other_project, user=owner, role="viewer")
    client.force_login(owner)
    client.get(reverse("members", kwargs={"project": "other"}))
    assert client.get("/").headers["Location"] == reverse("board", kwargs={"project": "other"})


def test_the_list_is_filtered_and_goes_on_by_name(root, project):
    for n in range(60):
        Project.objects.create(name=f"game-{n:02}", owner_id="o")

    def shown(query: str = "") -> str:
        return root.get(reverse("projects") + query).content.decode().split("<main")[1]

    first = shown()
    assert "game-00" in first and "game-59" not in first and "?after=game-49" in first
    second = shown("?after=game-49")
    assert "game-50" in second and "isles" in second and "game-49</a>" not in second
    found = shown("?q=ISL")
    assert "isles" in found and "game-00" not in found
    assert "No project fits" in shown("?q=%00nothing")


def test_only_administrators_of_the_server_make_projects(client, owner):
    client.force_login(owner)
    url = reverse("project-new")
    assert client.get(url).status_code == 403
    assert client.post(url, {"name": "mine", "region": "x"}).status_code == 403
    assert not Project.objects.filter(name="mine").exists()


def test_a_new_project_has_its_maker_as_admin(root):
    answer = root.post(reverse("project-new"), {"name": "moon", "owner_id": "", "region": "eu-1"})
    project = Project.objects.get(name="moon")
    assert answer.headers["Location"] == reverse("board", kwargs={"project": "moon"})
    assert project.owner_id and project.memberships.get().role == "admin"
    assert Activity.objects.get(action="project.create").after["name"] == "moon"


@pytest.mark.parametrize(("name", "status"), [("isles", 409), ("a b", 400), ("system", 400), ("<b>", 400), ("", 400)])
def test_names_that_cannot_be_are_refused_in_the_form(root, project, name, status):
    answer = root.post(reverse("project-new"), {"name": name, "region": "eu-1"})
    assert answer.status_code == status and 'role="alert"' in answer.content.decode()
    assert "<b>" not in answer.content.decode().split('id="id_name"')[0].split("<form")[-1]


def test_settings_warn_save_and_leave_a_line(client, owner, project):
    client.force_login(owner)
    assert "part of every GRN" in client.get(settings_of(project)).content.decode()
    answer = client.post(settings_of(project), {"name": "islands", "owner_id": "new-owner", "region": "eu-1"})
    assert answer.headers["Location"] == "/p/islands/settings"
    line = Activity.objects.get(action="project.update")
    assert line.before["name"] == "isles" and line.after == {"name": "islands", "owner_id": "new-owner", "region": "eu-1"}


def test_settings_refuse_a_name_that_is_taken_and_change_nothing(client, owner, project, other_project):
    client.force_login(owner)
    answer = client.post(settings_of(project), {"name": "other", "owner_id": "o", "region": "r"})
    assert answer.status_code == 409 and "There is a project called other already" in answer.content.decode()
    assert Project.objects.get(pk=project.pk).name == "isles"


def test_everybody_changes_the_own_password(client, viewer):
    client.force_login(viewer)
    url = reverse("password")
    wrong = client.post(url, {"old_password": "guess", "new_password1": "a new long one", "new_password2": "a new long one"})
    assert wrong.status_code == 400 and User.objects.get(pk=viewer.pk).check_password(PASSWORD)
    done = client.post(url, {"old_password": PASSWORD, "new_password1": "a new long one", "new_password2": "a new long one"})
    assert done.status_code == 302 and User.objects.get(pk=viewer.pk).check_password("a new long one")
    assert client.get(reverse("projects")).status_code == 200
    assert Activity.objects.get(action="person.password").project_id is None
