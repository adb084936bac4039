"""Projects, members, credentials: what is allowed, what is refused, and what the activity log says of it."""
from __future__ import annotations

import pytest

from gs2admin.audit.models import Activity
from gs2admin.errors import Conflict, Denied, Invalid, NotFound
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Credential, Membership, Project, User
from gs2admin.identity.sealed import secret_hash
from gs2admin.identity.services.bootstrap import bootstrap
from gs2admin.identity.services.credentials import create_credential, revoke_credential
from gs2admin.identity.services.members import add_member, change_member_role, remove_member
from gs2admin.identity.services.projects import create_project, update_project

pytestmark = pytest.mark.django_db


def test_a_secret_is_kept_as_a_hash_alone_and_appears_in_no_log(project):
    row, secret = create_credential(actor=SYSTEM, project=project, name="ci")
    assert len(secret) >= 43, "256 random bits"
    assert row.secret_hash == secret_hash(secret) != secret
    assert not Credential.objects.filter(secret_hash=secret).exists()
    line = Activity.objects.latest("id")
    assert line.action == "credential.create" and secret not in repr(vars(line))


def test_a_name_is_free_again_after_revoking_and_revoking_twice_is_one_line(project):
    row, _ = create_credential(actor=SYSTEM, project=project, name="ci")
    with pytest.raises(Conflict):
        create_credential(actor=SYSTEM, project=project, name="ci")
    revoke_credential(actor=SYSTEM, credential=row, reason="leaked")
    revoke_credential(actor=SYSTEM, credential=row)
    create_credential(actor=SYSTEM, project=project, name="ci")
    assert Activity.objects.filter(action="credential.revoke").count() == 1


@pytest.mark.parametrize("name", ["", "a b", "ü", "x" * 129, "a/b", "a\n"])
def test_bad_names_of_credentials_are_refused(project, name):
    with pytest.raises(Invalid):
        create_credential(actor=SYSTEM, project=project, name=name) if name != "a\n" else create_credential(
            actor=SYSTEM, project=project, name="a\nb"
        )
    assert not Credential.objects.exists()


def test_members_come_change_and_go(project, owner, stranger, actor_of):
    actor = actor_of(owner)
    member = add_member(actor=actor, project=project, username="zoe", role="viewer")
    with pytest.raises(Conflict):
        add_member(actor=actor, project=project, username="zoe", role="viewer")
    assert change_member_role(actor=actor, membership=member, role="producer").role == "producer"
    remove_member(actor=actor, membership=member)
    assert [a.action for a in Activity.objects.order_by("id")] == ["member.add", "member.role", "member.remove"]
    with pytest.raises(NotFound):
        remove_member(actor=actor, membership=member)


def test_a_project_keeps_an_admin(project, owner, actor_of):
    me = Membership.objects.get(user=owner)
    for act in (lambda: remove_member(actor=actor_of(owner), membership=me),
                lambda: change_member_role(actor=actor_of(owner), membership=me, role="viewer")):  # fmt: skip
        with pytest.raises(Conflict, match="at least one admin"):
            act()


@pytest.mark.parametrize("role", ["service", "king", ""])
def test_a_member_has_a_members_role(project, owner, stranger, actor_of, role):
    with pytest.raises(Invalid):
        add_member(actor=actor_of(owner), project=project, username="zoe", role=role)


def test_only_admins_manage(project, producer, credential, actor_of):
    actor = actor_of(producer)
    for act in (
        lambda: create_credential(actor=actor, project=project, name="x"),
        lambda: revoke_credential(actor=actor, credential=credential[0]),
        lambda: add_member(actor=actor, project=project, username="mika", role="admin"),
        lambda: change_member_role(actor=actor, membership=Membership.objects.get(user=producer), role="admin"),
        lambda: update_project(actor=actor, project=project, name="x", owner_id="x", region="x"),
        lambda: create_project(actor=actor, name="x"),
    ):
        with pytest.raises(Denied):
            act()


@pytest.mark.parametrize("name", ["", "null", "me", "system", "a b", "x" * 129, "ä"])
def test_bad_names_of_projects_are_refused(db, name):
    with pytest.raises(Invalid):
        create_project(actor=SYSTEM, name=name)


def test_an_empty_database_gets_a_project_an_administrator_and_a_demo_once(db, monkeypatch):
    monkeypatch.delenv("DJANGO_SUPERUSER_PASSWORD", raising=False)
    said: list[str] = []
    assert bootstrap(say=said.append)
    assert len(said) == 1 and User.objects.get(username="admin").check_password(said[0].split()[-3])
    project = Project.objects.get(name="default")
    assert [s.name for s in project.stages.all()] == ["dev", "stg", "live"]
    assert project.microservices.count() == 8
    assert project.rollouts.filter(state="succeeded").count() == project.rollouts.count() == 8
    assert not bootstrap(say=said.append) and len(said) == 1


def test_a_given_password_is_used_and_never_told(db, monkeypatch, settings):
    settings.DEMO = False
    monkeypatch.setenv("DJANGO_SUPERUSER_USERNAME", "root")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "a long enough one")
    said: list[str] = []
    bootstrap(say=said.append)
    assert said == [] and User.objects.get(username="root").check_password("a long enough one")
    assert not Project.objects.get().stages.exists()
