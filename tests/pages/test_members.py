"""Members: added by name, given another role, removed; the last admin stays."""
from __future__ import annotations

import pytest
from django.urls import reverse

from gs2admin.audit.models import Activity
from gs2admin.identity.models import Membership, User
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(project):
    return lambda name="members", **more: reverse(name, kwargs={"project": project.name, **more})


@pytest.fixture
def olga(client, owner):
    client.force_login(owner)
    return client


@pytest.fixture
def nina(db):
    return User.objects.create_user("nina", password=PASSWORD)


def test_adding_a_person_gives_the_role_and_leaves_a_line(olga, page, nina, project):
    answer = olga.post(page(), {"username": "nina", "role": "producer"}, follow=True)
    assert "nina is now producer of isles" in answer.content.decode()
    assert Membership.objects.get(project=project, user=nina).role == "producer"
    assert Activity.objects.get(action="member.add").after == {"user": "nina", "role": "producer"}


def test_unknown_closed_and_doubled_people_are_refused_with_a_sentence(olga, page, nina, viewer, project):
    unknown = olga.post(page(), {"username": "nobody", "role": "viewer"})
    assert unknown.status_code == 400 and "There is nobody called nobody" in unknown.content.decode()
    User.objects.filter(pk=nina.pk).update(is_active=False)
    assert olga.post(page(), {"username": "nina", "role": "viewer"}).status_code == 400
    twice = olga.post(page(), {"username": "vera", "role": "admin"})
    assert twice.status_code == 409 and "is a member already" in twice.content.decode()
    assert olga.post(page(), {"username": "nina", "role": "service"}).status_code == 400
    assert Membership.objects.filter(project=project).count() == 2


def test_a_viewer_sees_people_without_buttons_and_cannot_add(client, viewer, owner, page, nina):
    client.force_login(viewer)
    html = client.get(page()).content.decode()
    assert "olga" in html and "Remove…" not in html and "Add somebody" not in html
    assert client.post(page(), {"username": "nina", "role": "admin"}).status_code == 403
    assert not Membership.objects.filter(user=nina).exists()


def test_another_role_is_given_with_its_reason(olga, page, viewer, project):
    row = Membership.objects.get(project=project, user=viewer)
    answer = olga.post(page("member-role", pk=row.pk), {"role": "developer", "reason": "writes builds now"}, follow=True)
    assert "vera is now developer" in answer.content.decode()
    line = Activity.objects.get(action="member.role")
    assert (line.before["role"], line.after["role"], line.reason) == ("viewer", "developer", "writes builds now")


@pytest.mark.parametrize("name", ["member-role", "member-remove"])
def test_the_last_admin_stays(olga, page, owner, project, name):
    row = Membership.objects.get(project=project, user=owner)
    answer = olga.post(page(name, pk=row.pk), {"role": "viewer", "reason": ""})
    assert answer.status_code == 409
    assert "A project keeps at least one admin" in answer.content.decode()
    assert Membership.objects.get(pk=row.pk).role == "admin"


def test_removing_asks_first_and_leaves_a_line_with_the_reason(olga, page, viewer, project):
    row = Membership.objects.get(project=project, user=viewer)
    url = page("member-remove", pk=row.pk)
    assert "no longer sees isles" in olga.get(url).content.decode()
    assert Membership.objects.filter(pk=row.pk).exists()
    assert "no longer a member" in olga.post(url, {"reason": "left the team"}, follow=True).content.decode()
    assert Activity.objects.get(action="member.remove").reason == "left the team"
    assert olga.get(url).status_code == 404
    olga.force_login(viewer)
    assert olga.get(page()).status_code == 404


def test_leaving_a_project_leads_to_the_others(olga, page, owner, viewer, project):
    Membership.objects.filter(user=viewer).update(role="admin")
    answer = olga.post(page("member-remove", pk=Membership.objects.get(user=owner).pk), {"reason": ""})
    assert answer.headers["Location"] == reverse("projects")
    assert "not a member of any project" in olga.get(reverse("projects")).content.decode()


def test_a_member_of_another_project_is_not_found(olga, page, stranger):
    row = Membership.objects.get(user=stranger)
    for name in ("member-role", "member-remove"):
        assert olga.post(page(name, pk=row.pk), {"role": "viewer", "reason": ""}).status_code == 404
    assert Membership.objects.get(pk=row.pk).role == "admin"


def test_only_administrators_of_the_server_are_sent_to_make_people(olga, page):
    link = reverse("admin:identity_user_add")
    assert link not in olga.get(page()).content.decode()
    olga.force_login(User.objects.create_superuser("root", password=PASSWORD))
    assert link in olga.get(page()).content.decode()
