"""Settings of namespaces: what no database can hold, and what no notification could carry, is refused in a sentence."""
from __future__ import annotations

import pytest

from gs2admin.errors import Conflict, Invalid
from gs2admin.identity.actors import SYSTEM
from jobqueue.models import Namespace, Notification
from jobqueue.services import namespaces as queues
from jobqueue.services import run_next
from locks.services import namespaces as locks

pytestmark = pytest.mark.django_db
DEEP: dict = {}
for _ in range(200):
    DEEP = {"a": DEEP}
BAD = [{"a": "\0"}, {"\0": 1}, {"a": ["\ud800"]}, {"a": float("nan")}, {"a": {"b": float("inf")}}, DEEP]
KINDS = {
    "queues": (queues.create_namespace, queues.update_namespace),
    "scripts": (queues.create_script_namespace, queues.update_script_namespace),
    "locks": (locks.create_namespace, locks.update_namespace),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", BAD, ids=["nul", "nul in a name", "half a pair", "nan", "infinity", "deep"])
def test_what_is_no_json_for_a_database_is_refused(project, kind, bad):
    create, update = KINDS[kind]
    with pytest.raises(Invalid) as refusal:
        create(actor=SYSTEM, project=project, name="n", log_setting=bad)
    assert refusal.value.extra["field"] == "log_setting"
    row = create(actor=SYSTEM, project=project, name="n", log_setting={"loggingNamespaceId": "grn:l", "x": [1.5, None, "ü😀"]})
    with pytest.raises(Invalid):
        update(actor=SYSTEM, namespace=row, log_setting=bad)
    with pytest.raises(Conflict):
        create(actor=SYSTEM, project=project, name="n")


@pytest.mark.parametrize("setting", ["push_notification", "run_notification"])
@pytest.mark.parametrize("gateway", ["g" * 1025, 5, ["grn"]])
def test_a_gateway_that_no_notification_could_name_is_refused(project, setting, gateway):
    with pytest.raises(Invalid) as refusal:
        queues.create_namespace(actor=SYSTEM, project=project, name="n", **{setting: {"gatewayNamespaceId": gateway}})
    assert refusal.value.extra["field"] == setting and not Namespace.objects.exists()


@pytest.mark.parametrize("user", ["😀" * 128, "\"" * 128, "\x01" * 128], ids=["emoji", "quotes", "controls"])
def test_a_notification_fits_its_row_whatever_the_player_is_called(project, push, scripts, user):
    """A row of PostgreSQL takes no more than it says; the push would fail there."""
    namespace = queues.create_namespace(
        actor=SYSTEM, project=project, name="n" * 128, push_notification={"enable": "Enabled"},
        run_notification={"enable": "Enabled"},
    )  # fmt: skip
    push(namespace, user=user)
    run_next(actor=SYSTEM, namespace=namespace, user_id=user)
    longest = Notification._meta.get_field("payload").max_length
    assert [len(row.payload) <= longest for row in Notification.objects.all()] == [True, True]
