"""Every role × action, written out once more, so that a slip in the table shows."""
from __future__ import annotations

import pytest

from gs2admin.errors import Denied, NotFound
from gs2admin.identity.actors import SYSTEM, from_credential, person
from gs2admin.identity.models import Membership, Role
from gs2admin.identity.rights import RIGHTS, WORDS, can, require

pytestmark = pytest.mark.django_db
CARE = {"job.run", "job.delete", "job.replay", "user_data.manage", "lock.release"}
CODE = {"job.push", "job.replay_changed", "queue.manage", "script.run", "script.edit", "lock.use", "lock.manage"}
VERSIONS = {"version.register", "version.withdraw"}
DELIVERY = {"stage.promote", "stage.rollback", "rollout.cancel", "rollout.retry", "canary.decide"}
SEE = {"project.view", "activity.view"}
# What anybody who sees trouble may do, but for viewers.
STOP = {"line.stop", "rollout.approve", "queue.pause"}
NOTES = {"note.write"}
MAY = {
    "viewer": SEE,
    "support": SEE | CARE | STOP | NOTES,
    "developer": SEE | VERSIONS | CARE | CODE | STOP | NOTES,
    "producer": SEE | VERSIONS | DELIVERY | STOP | NOTES | {"stage.edit", "line.resume", "rollout.skip"},
    "service": {"project.view"} | VERSIONS | DELIVERY | CARE | CODE | STOP,
    "admin": set(RIGHTS),
}


def test_the_table_names_every_role_and_every_action_has_words():
    assert set(MAY) == set(Role.values)
    assert set(WORDS) == set(RIGHTS)


@pytest.mark.parametrize("role", sorted(MAY))
@pytest.mark.parametrize("action", sorted(RIGHTS))
def test_a_credential_may_what_its_role_may(role, action, project, other_project, credential):
    row, _ = credential
    row.role = role
    actor = from_credential(row, door="gs2")
    assert can(actor, action, project) == (action in MAY[role])
    assert not can(actor, action, other_project)
    with pytest.raises(NotFound):
        require(actor, action, other_project)
    if action not in MAY[role]:
        with pytest.raises(Denied, match=f"Your role here is {role}"):
            require(actor, action, project)


def test_a_refusal_names_the_role_the_action_and_the_roles_of_people_that_may(project, viewer, stranger):
    with pytest.raises(Denied) as denied:
        require(person(viewer, door="browser"), "stage.promote", project)
    assert denied.value.sentence == (
        "Your role here is viewer, which may not promote stages. Ask an admin of the project for one of: admin, producer.")
    assert (denied.value.component, denied.value.message) == ("permission", "identifier.permission.permission.error.require")
    with pytest.raises(NotFound) as hidden:
        require(person(stranger, door="browser"), "stage.promote", project)
    assert (hidden.value.component, hidden.value.message) == ("project", "identifier.project.project.error.notFound")


def test_an_unknown_action_is_a_bug_and_not_a_refusal(project):
    with pytest.raises(KeyError):
        can(SYSTEM, "stage.levitate", project)


def test_a_revoked_credential_and_a_disabled_person_may_nothing(credential, owner, project):
    from django.utils import timezone

    row, _ = credential
    row.revoked_at = timezone.now()
    assert not can(from_credential(row, door="gs2"), "project.view", project)
    owner.is_active = False
    owner.is_superuser = True
    assert not can(person(owner, door="browser"), "project.view", project)


def test_a_superuser_may_everything_everywhere(project, stranger):
    stranger.is_superuser = True
    actor = person(stranger, door="browser")
    assert all(can(actor, action, project) for action in RIGHTS)


def test_roles_are_those_of_the_moment(project, viewer):
    assert not can(person(viewer, door="browser"), "stage.promote", project)
    Membership.objects.filter(user=viewer).update(role="producer")
    assert can(person(viewer, door="browser"), "stage.promote", project)
    Membership.objects.filter(user=viewer).delete()
    assert not can(person(viewer, door="browser"), "project.view", project)
