"""Data fixes: everything opens, writes go through the services, refusals are sentences, history stays."""
from __future__ import annotations

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from gs2admin.audit.models import Activity
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Credential, Membership, Project, User
from gs2admin.identity.services.credentials import create_credential
from stages.models import Microservice, Output, Rollout, Stage, Step, Target, Version, VersionSet
from stages.rollouts.services import promote_stage
from stages.setup.stages import create_stage
from stages.setup.targets import save_target
from stages.setup.versions import register_version, withdraw_version
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
OURS = (User, Project, Membership, Credential, Microservice, Version, VersionSet, Stage, Target, Rollout, Step, Output, Activity)
LOOK_ONLY = (Microservice, VersionSet, Rollout, Step, Output, Activity)


@pytest.fixture
def root(client):
    client.force_login(User.objects.create_superuser("root", password=PASSWORD))
    return client


@pytest.fixture
def dev(project):
    return create_stage(actor=SYSTEM, project=project, name="dev")


@pytest.fixture
def full(project, dev, credential, viewer, run):
    """At least one row of every table."""
    register_version(actor=SYSTEM, project=project, microservice="auth", version="1.0.0")
    save_target(actor=SYSTEM, stage=dev, name="tokyo", kind="http", config={})
    return run(promote_stage(actor=SYSTEM, stage=dev, reason="first"))


def at(model, name="changelist", *args) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def errors_of(answer) -> str:
    html = answer.content.decode()
    return html.split('class="errorlist')[1].split("</ul>")[0] if 'class="errorlist' in html else ""


def test_the_queues_own_tables_are_not_here(root):
    assert {model._meta.app_label for model in admin.site._registry} <= {"identity", "audit", "stages", "jobqueue", "locks"}
    assert not [model for model in admin.site._registry if model._meta.app_label == "django_q"]
    assert "django_q" not in root.get("/admin/").content.decode() and root.get("/admin/django_q/").status_code == 404
    assert root.get("/admin/django_q/schedule/").status_code == 404


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_every_list_is_found_searched_and_opened(root, full, model):
    row = model.objects.order_by("-pk").first()
    assert row is not None
    for url in (at(model), at(model) + "?q=a", at(model, "change", row.pk), at(model, "history", row.pk)):
        assert root.get(url).status_code == 200, url


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_a_longer_list_asks_no_more_questions(root, full, project, model):
    def ask() -> int:
        with CaptureQueriesContext(connection, ) as asked:
            root.get(at(model))
        return len(asked)

    root.get(at(model))
    before = ask()
    for n in range(4):
        register_version(actor=SYSTEM, project=project, microservice=f"svc-{n}", version="1")
        stage = create_stage(actor=SYSTEM, project=project, name=f"s{n}", source=Stage.objects.get(name="dev"))
        save_target(actor=SYSTEM, stage=stage, name=f"t{n}", kind="http", config={})
        create_credential(actor=SYSTEM, project=project, name=f"c{n}")
        user = User.objects.create_user(f"u{n}")
        Membership.objects.create(project=project, user=user, role="viewer")
        promote_stage(actor=SYSTEM, stage=stage)
    assert ask() <= before + 1


@pytest.mark.parametrize("model", LOOK_ONLY, ids=lambda model: model.__name__)
def test_history_is_for_looking(root, full, model):
    row = model.objects.first()
    assert root.get(at(model, "add")).status_code == 403
    assert root.post(at(model, "change", row.pk), {}).status_code == 403
    assert root.post(at(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", [User, Project, Credential, Version], ids=lambda model: model.__name__)
def test_what_the_history_names_is_not_deleted(root, full, model):
    row = model.objects.first()
    assert root.post(at(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_no_bulk_action_deletes_anything(root, full, model):
    before = model.objects.count()
    root.post(at(model), {"action": "delete_selected", "_selected_action": list(model.objects.values_list("pk", flat=True)),
                          "post": "yes"})
    assert model.objects.count() >= before


def test_no_page_shows_the_hash_of_a_secret(root, credential):
    row, _ = credential
    html = root.get(at(Credential)).content.decode() + root.get(at(Credential, "change", row.pk)).content.decode()
    assert row.secret_hash not in html and "secret_hash" not in html


def test_a_stage_is_made_with_its_audit_line(root, project, dev):
    data = {"project": project.pk, "name": "stg", "source": dev.pk, "sort_number": 5, "reason": "wanted"}
    assert root.post(at(Stage, "add"), data).status_code == 302
    line = Activity.objects.get(action="stage.create", object_name="stg")
    assert (line.actor_name, line.door, line.reason) == ("root", "admin", "wanted")


@pytest.mark.parametrize(("more", "words"), [
    ({"name": "dev"}, "There is a stage called dev already"),
    ({"name": "a b"}, "Enter a valid value"),
    ({"name": "null"}, "is not null, me, system or stamp"),
    ({"sort_number": 101}, "less than or equal to 100"),
])
def test_a_stage_that_cannot_be_is_a_form_error(root, project, dev, more, words):
    data = {"project": project.pk, "name": "stg", "source": "", "sort_number": 5, "reason": "", **more}
    answer = root.post(at(Stage, "add"), data)
    assert answer.status_code == 200 and words in errors_of(answer) and Stage.objects.count() == 1


def test_a_circle_of_sources_is_a_form_error(root, project, dev):
    stg = create_stage(actor=SYSTEM, project=project, name="stg", source=dev)
    answer = root.post(at(Stage, "change", dev.pk), {"name": "dev", "source": stg.pk, "sort_number": 0, "reason": ""})
    assert answer.status_code == 200 and "dev takes from stg takes from dev" in errors_of(answer)
    assert Stage.objects.get(pk=dev.pk).source is None


def test_a_source_of_another_project_cannot_be_chosen(root, dev, other_project):
    foreign = create_stage(actor=SYSTEM, project=other_project, name="theirs")
    answer = root.post(at(Stage, "change", dev.pk), {"name": "dev", "source": foreign.pk, "sort_number": 0, "reason": ""})
    assert answer.status_code == 200 and errors_of(answer) and Stage.objects.get(pk=dev.pk).source is None
    data = {"project": dev.project_id, "name": "stg", "source": foreign.pk, "sort_number": 0, "reason": ""}
    assert "does not exist in this project" in errors_of(root.post(at(Stage, "add"), data))


def test_deleting_a_stage_asks_and_is_refused_while_it_is_needed(root, project, dev):
    stg = create_stage(actor=SYSTEM, project=project, name="stg", source=dev)
    assert "Why:" in root.get(at(Stage, "delete", dev.pk)).content.decode()
    feeding = root.post(at(Stage, "delete", dev.pk), {"post": "yes"}, follow=True)
    assert feeding.status_code == 200 and "dev is the source of stg" in feeding.content.decode()
    register_version(actor=SYSTEM, project=project, microservice="auth", version="1")
    promote_stage(actor=SYSTEM, stage=stg)
    busy = root.post(at(Stage, "delete", stg.pk), {"post": "yes"}, follow=True)
    assert "is running on stg" in busy.content.decode()
    assert not Stage.objects.exclude(deleted_at=None).exists()


def test_a_deleted_stage_stays_as_a_row_for_looking(root, dev):
    root.post(at(Stage, "delete", dev.pk), {"post": "yes", "reason": "gone"})
    assert Stage.objects.get(pk=dev.pk).deleted_at and Activity.objects.get(action="stage.delete").reason == "gone"
    assert root.get(at(Stage, "change", dev.pk)).status_code == 200
    assert root.post(at(Stage, "change", dev.pk), {"name": "dev"}).status_code == 403
    assert root.post(at(Stage, "delete", dev.pk), {"post": "yes"}).status_code == 403


def test_targets_are_checked_by_their_kind(root, dev):
    data = {"stage": dev.pk, "name": "tokyo", "kind": "http", "reason": "", "config": '{"deploy": {"url": "ftp://x"}}'}
    assert "must begin with https:// or http://" in errors_of(root.post(at(Target, "add"), data))
    for wrong in ("[]", '{"deplo": null}', '"x"', "{", '{"deploy": "x"}'):
        answer = root.post(at(Target, "add"), data | {"config": wrong})
        assert answer.status_code == 200 and errors_of(answer), wrong
    assert root.post(at(Target, "add"), data | {"config": '{"deploy": {"url": "https://example.com/x"}}'}).status_code == 302
    target = Target.objects.get()
    assert target.config["deploy"]["timeout_s"] == 60
    assert root.post(at(Target, "change", target.pk), data | {"name": "kyoto", "config": "{}"}).status_code in (200, 302)
    assert root.post(at(Target, "delete", Target.objects.get().pk), {"post": "yes"}).status_code == 302
    assert not Target.objects.exists() and Activity.objects.filter(action="stage.targets").count() >= 2


def test_a_version_gets_another_note_and_is_withdrawn_with_a_reason(root, project):
    row, _ = register_version(actor=SYSTEM, project=project, microservice="auth", version="1", note="old")
    url = at(Version, "change", row.pk)
    root.post(url, {"note": "new", "reason": "typo"})
    root.post(url, {"note": "new", "withdraw": "on", "reason": "bad"})
    row.refresh_from_db()
    assert row.note == "new" and row.withdrawn_at
    lines = Activity.objects.exclude(action="version.register").order_by("id").values_list("action", "reason")
    assert list(lines) == [("version.note", "typo"), ("version.withdraw", "bad")]
    assert 'name="withdraw"' not in root.get(url).content.decode()


def test_a_withdrawn_version_can_still_be_explained(root, project):
    row, _ = register_version(actor=SYSTEM, project=project, microservice="auth", version="1")
    withdraw_version(actor=SYSTEM, version=row)
    assert root.post(at(Version, "change", row.pk), {"note": "crashes", "reason": ""}).status_code == 302
    assert Version.objects.get(pk=row.pk).note == "crashes"


def test_a_credential_can_only_be_revoked(root, credential):
    row, _ = credential
    url = at(Credential, "change", row.pk)
    assert root.get(at(Credential, "add")).status_code == 403
    root.post(url, {"name": "other", "role": "admin", "reason": ""})
    assert Credential.objects.get(pk=row.pk).name == "pipeline"
    root.post(url, {"revoke": "on", "reason": "leaked"})
    assert Credential.objects.get(pk=row.pk).revoked_at and Activity.objects.get(action="credential.revoke").reason == "leaked"
    assert root.get(url).status_code == 200 and 'name="revoke"' not in root.get(url).content.decode()


def test_the_last_admin_of_a_project_stays(root, project, owner):
    row = Membership.objects.get(user=owner)
    answer = root.post(at(Membership, "change", row.pk), {"role": "viewer", "reason": ""})
    assert answer.status_code == 200 and "keeps at least one admin" in errors_of(answer)
    kept = root.post(at(Membership, "delete", row.pk), {"post": "yes"}, follow=True)
    assert "keeps at least one admin" in kept.content.decode()
    assert Membership.objects.get(pk=row.pk).role == "admin"


def test_members_are_added_changed_and_removed(root, project, owner, viewer):
    user = User.objects.create_user("nina")
    assert root.post(at(Membership, "add"), {"project": project.pk, "user": user.pk, "role": "producer"}).status_code == 302
    row = Membership.objects.get(user=user)
    assert root.post(at(Membership, "change", row.pk), {"role": "admin"}).status_code == 302
    assert root.post(at(Membership, "delete", row.pk), {"post": "yes", "reason": "left"}).status_code == 302
    actions = Activity.objects.filter(door="admin").order_by("id").values_list("action", flat=True)
    assert list(actions) == ["member.add", "member.role", "member.remove"]
    twice = root.post(at(Membership, "add"), {"project": project.pk, "user": viewer.pk, "role": "admin"})
    assert "is a member already" in errors_of(twice)


def test_projects_are_made_and_changed_by_the_service(root, project):
    taken = root.post(at(Project, "add"), {"name": "isles", "owner_id": "o", "region": "r"})
    assert "There is a project called isles already" in errors_of(taken)
    assert root.post(at(Project, "add"), {"name": "moon", "owner_id": "o", "region": "r"}).status_code == 302
    assert root.post(at(Project, "change", project.pk), {"name": "system", "owner_id": "o", "region": "r"}).status_code == 200
    assert Project.objects.get(pk=project.pk).name == "isles" and Project.objects.get(name="moon").memberships.count() == 1


def test_people_are_made_closed_and_get_new_passwords(root):
    data = {"username": "nina", "usable_password": "true", "password1": "a long new one", "password2": "a long new one"}
    assert root.post(at(User, "add"), data).status_code == 302
    nina = User.objects.get(username="nina")
    root.post(at(User, "change", nina.pk), {"username": "nina", "is_active": ""})
    assert not User.objects.get(pk=nina.pk).is_active
    new = {"usable_password": "true", "password1": "another new one", "password2": "another new one"}
    url = reverse("admin:auth_user_password_change", args=[nina.pk])
    assert root.get(url).status_code == 200 and root.post(url, new).status_code == 302
    assert User.objects.get(pk=nina.pk).check_password("another new one")
    actions = Activity.objects.filter(project=None).order_by("id").values_list("action", flat=True)
    assert list(actions) == ["person.create", "person.update", "person.password"]
    assert "pbkdf2" not in str(list(Activity.objects.values()))


def test_the_last_administrator_stays(root):
    me = User.objects.get(username="root")
    for data in ({"is_active": "on", "is_staff": "on"}, {"is_superuser": "on", "is_staff": "on"}):
        answer = root.post(at(User, "change", me.pk), {"username": "root", **data})
        assert answer.status_code == 200 and "last administrator" in errors_of(answer)
    me.refresh_from_db()
    assert me.is_active and me.is_superuser


def test_who_is_no_administrator_is_told_so_and_who_is_nobody_signs_in(client, owner):
    assert client.get(at(Stage)).headers["Location"].startswith("/admin/login/")
    assert client.get("/admin/login/?next=/admin/stages/").headers["Location"] == "/login?next=%2Fadmin%2Fstages%2F"
    client.force_login(owner)
    answer = client.get(at(Stage), follow=True)
    assert answer.status_code == 403 and "Data fixes are for administrators" in answer.content.decode()


def test_staff_without_all_rights_cannot_make_themselves_administrators(client, project):
    from django.contrib.auth.models import Permission

    user = User.objects.create_user("stef", password=PASSWORD, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label__in=["identity", "stages"]))
    root = User.objects.create_superuser("root", password=PASSWORD)
    client.force_login(user)
    client.post(at(User, "change", user.pk), {"username": "stef", "is_active": "on", "is_staff": "on", "is_superuser": "on"})
    assert not User.objects.get(pk=user.pk).is_superuser
    assert client.get(reverse("admin:auth_user_password_change", args=[root.pk])).status_code == 403
    stage = create_stage(actor=SYSTEM, project=project, name="dev")
    answer = client.post(at(Stage, "change", stage.pk), {"name": "qa", "source": "", "sort_number": 0})
    assert "not a member of it" in errors_of(answer) and Stage.objects.get(pk=stage.pk).name == "dev"


def test_the_admin_leads_back_to_the_board(root):
    html = root.get("/admin/").content.decode()
    assert '<a href="/">Back to the board</a>' in html and "<style" not in html and " style=" not in html
