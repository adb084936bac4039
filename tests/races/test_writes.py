"""Two changes that are each right and together wrong: one of them is refused."""
from __future__ import annotations

import pytest

from gs2admin.audit.models import Activity
from gs2admin.errors import Conflict, Invalid
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Membership, Role
from gs2admin.identity.services.members import change_member_role, remove_member
from stages.models import Microservice, Stage, Version
from stages.setup.stages import create_stage, delete_stage, update_stage
from tests.races.conftest import together

ROUNDS = 15


@pytest.mark.processes
def test_eight_processes_register_the_same_version(in_processes, project):
    code = (
        "from django.core.management import call_command\n"
        f"call_command('registerversion', {project.name!r}, 'battle', '1.0')\n"
    )
    said = in_processes(code, count=8)
    assert Microservice.objects.get().name == "battle"
    assert Version.objects.get().version == "1.0"
    assert Activity.objects.filter(action="version.register").count() == 1
    assert all("battle 1.0" in text and "Traceback" not in text for text in said), said


def test_two_edits_that_together_make_a_circle(transactional_db, project):
    for number in range(ROUNDS):
        dev = create_stage(actor=SYSTEM, project=project, name=f"dev-{number}")
        stg = create_stage(actor=SYSTEM, project=project, name=f"stg-{number}")
        found = together(
            lambda dev=dev, stg=stg: update_stage(actor=SYSTEM, stage=dev, source=stg),
            lambda dev=dev, stg=stg: update_stage(actor=SYSTEM, stage=stg, source=dev),
        )
        assert sorted(type(one).__name__ for one in found) == ["Invalid", "Stage"], found
        refusal = next(one for one in found if isinstance(one, Invalid))
        assert "circle" in refusal.sentence
        assert Stage.objects.filter(pk__in=[dev.pk, stg.pk]).exclude(source=None).count() == 1


def test_the_two_last_admins_leave_at_once(transactional_db, project, owner, producer):
    for _ in range(ROUNDS):
        members = [
            Membership.objects.update_or_create(project=project, user=user, defaults={"role": Role.ADMIN})[0]
            for user in (owner, producer)
        ]
        found = together(
            lambda member=members[0]: remove_member(actor=SYSTEM, membership=member),
            lambda member=members[1]: change_member_role(actor=SYSTEM, membership=member, role=Role.VIEWER),
        )
        assert sum(isinstance(one, Conflict) for one in found) == 1, found
        assert Membership.objects.filter(project=project, role=Role.ADMIN).count() == 1


def test_a_source_is_deleted_while_another_stage_takes_it(transactional_db, project):
    for number in range(ROUNDS):
        dev = create_stage(actor=SYSTEM, project=project, name=f"dev-{number}")
        stg = create_stage(actor=SYSTEM, project=project, name=f"stg-{number}")
        found = together(
            lambda dev=dev: delete_stage(actor=SYSTEM, stage=dev),
            lambda dev=dev, stg=stg: update_stage(actor=SYSTEM, stage=stg, source=dev),
        )
        assert sum(isinstance(one, Conflict | Invalid) for one in found) == 1, found
        assert not Stage.objects.filter(source__deleted_at__isnull=False).exists()
