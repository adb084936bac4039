"""How many of something there may be, each limit through the function behind every door; and turns."""
from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gs2admin.errors import Quota
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.services.credentials import create_credential, revoke_credential
from gs2admin.identity.services.stamp_keys import create_stamp_key
from gs2admin.limits import in_turns
from jobqueue.chores.userdata import wake_runs
from jobqueue.models import ScriptNamespace, UserDataRun
from jobqueue.services.namespaces import create_namespace, create_script_namespace
from jobqueue.services.scripts import create_script
from jobqueue.userdata import tasks
from jobqueue.userdata.services import prepare_import, start_clean, start_dump
from locks.services.namespaces import create_namespace as create_lock_namespace

pytestmark = pytest.mark.django_db


def _script(project, name: str) -> None:
    space = ScriptNamespace.objects.filter(project=project).first()
    space = space or create_script_namespace(actor=SYSTEM, project=project, name="s")
    create_script(actor=SYSTEM, namespace=space, name=name, source="")


LIMITS = {
    "queue namespaces": ("MAX_NAMESPACES", lambda project, name: create_namespace(actor=SYSTEM, project=project, name=name)),
    "script namespaces": ("MAX_NAMESPACES", lambda project, name: create_script_namespace(actor=SYSTEM, project=project, name=name)),
    "lock namespaces": ("MAX_NAMESPACES", lambda project, name: create_lock_namespace(actor=SYSTEM, project=project, name=name)),
    "scripts": ("MAX_SCRIPTS", _script),
    "credentials": ("MAX_CREDENTIALS", lambda project, name: create_credential(actor=SYSTEM, project=project, name=name)),
    "stamp keys": (
        "MAX_CREDENTIALS", lambda project, name: create_stamp_key(actor=SYSTEM, project=project, namespace="n", name=name)),
    "dumps": ("MAX_USER_DATA_RUNS", lambda project, name: start_dump(actor=SYSTEM, project=project, user_id=name)),
    "erasures": ("MAX_USER_DATA_RUNS", lambda project, name: start_clean(actor=SYSTEM, project=project, user_id=name)),
    "prepared imports": ("MAX_USER_DATA_RUNS", lambda project, name: prepare_import(actor=SYSTEM, project=project, user_id=name)),
}  # fmt: skip


@pytest.mark.parametrize("what", LIMITS)
def test_beyond_the_limit_one_more_is_refused_and_other_projects_are_not_touched(what, settings, project, other_project):
    setting, make = LIMITS[what]
    setattr(settings, setting, 2)
    make(project, "a"), make(project, "b")
    with pytest.raises(Quota, match="as many as there may be"):
        make(project, "c")
    make(other_project, "a")


def test_a_revoked_credential_makes_room(settings, project):
    settings.MAX_CREDENTIALS = 1
    row, _ = create_credential(actor=SYSTEM, project=project, name="a")
    revoke_credential(actor=SYSTEM, credential=row)
    create_credential(actor=SYSTEM, project=project, name="b")


def test_a_dump_that_is_under_way_is_found_at_the_limit_too(settings, project):
    settings.MAX_USER_DATA_RUNS = 1
    first = start_dump(actor=SYSTEM, project=project, user_id="u")
    assert start_dump(actor=SYSTEM, project=project, user_id="u") == first


@pytest.mark.parametrize(("rows", "expect"), [
    ("", ""), ("a1", "a1"), ("a1 a2 a3 b1", "a1 b1 a2 a3"), ("a1 b1 c1 c2 b2", "a1 b1 c1 b2 c2"),
])
def test_rows_in_turns(rows, expect):
    assert in_turns(rows.split(), lambda row: row[0]) == expect.split()


def test_the_data_of_a_hundred_players_of_one_project_is_not_in_front_of_another_projects(project, other_project, rings, monkeypatch):
    for number in range(20):
        start_dump(actor=SYSTEM, project=project, user_id=f"u{number}")
    innocent = start_dump(actor=SYSTEM, project=other_project, user_id="u")
    UserDataRun.objects.update(updated_at=datetime(2026, 1, 1, tzinfo=UTC))
    rings.clear()
    assert wake_runs() == 21 and [pk for _, pk in rings].index(innocent.pk) == 1
    # One worker is kept for rollouts: a run that finds no place is left to the sweep.
    monkeypatch.setattr(tasks.engine, "begin_long", lambda: False)
    tasks.perform(innocent.pk)
    innocent.refresh_from_db()
    assert innocent.state == "waiting" and innocent.attempts == 0
