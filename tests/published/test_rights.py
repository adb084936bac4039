"""Each handler of stages asks for a right, itself or through its service: an actor without a role gets nothing and changes nothing."""
from __future__ import annotations

import pytest

from gs2admin.audit.models import Activity
from gs2admin.errors import Denied, NotFound
from gs2admin.identity.actors import SYSTEM, Actor
from gs2admin.wire.call import Call, CallContext
from gs2admin.wire.protocol import Request
from stages.api import METHODS
from stages.api.protocols import PROTOCOLS
from stages.models import Microservice, Release, Rollout
from stages.setup.scenarios import create_scenario
from tests.published.test_actions import CANARY, SPEC

pytestmark = pytest.mark.django_db
NOBODY = Actor("credential", "0", "nobody", door="api")
ROUTES = [route for protocol in PROTOCOLS for route in protocol.routes]
# Nobody may do these by a program, so they are refused for everybody.
NEVER = {"projectCreate", "projectDelete"}
BODIES = {
    "projectCreate": {"name": "new"},
    "stageCreate": {"name": "new", "type": "Server", "config": {"serverNo": []}},
    "stageUpdate": {"name": "renamed"},
    "scenarioCreate": {"name": "new", "config": {"strategy": "normal", "rollback": True, "file": {"type": "later"}}},
    "scenarioUpdate": {"description": "changed"},
    "CreateRelease": {"metadata": {"name": "auth-2"}, "spec": SPEC},
    "UpdateRelease": {"spec": SPEC},
    "SetTraffic": {"grayWeight": 5},
}


@pytest.fixture
def world(stage, record):
    """A canary that waits for a person, made as a release, and a scenario: what the calls below name."""
    Microservice.objects.create(project=stage.project, name="auth")
    row = record(stage, "canary_hold", CANARY, strategy="canary", protocol="asm")
    release = Release.objects.create(rollout=row, namespace="live", name="auth-1", service_name="auth", spec=SPEC)
    scenario = create_scenario(actor=SYSTEM, stage=stage, name="usual")
    return row, release, scenario


def refused(call) -> str:
    before = (Rollout.objects.values().get(), Activity.objects.count())
    with pytest.raises((NotFound, Denied)) as refusal:
        call()
    assert (Rollout.objects.values().get(), Activity.objects.count()) == before
    return refusal.value.message


@pytest.mark.parametrize("method", METHODS, ids=[f"{method.service}.{method.function}" for method in METHODS])
def test_a_method_asks_for_a_right(world, project, method):
    row, _, _ = world
    known = {
        "stage_name": "live", "name": "live", "number": row.number, "reason": "x", "user_id": "p", "microservice": "auth",
        "version": "1.2.0", "note": "", "output_name": "00000000-0000-4000-8000-000000000000",
    }
    fields = {name: value for name, value in known.items() if name in method.request.model_fields}
    call = Call(CallContext("api"), actor=NOBODY, project=project)
    message = refused(lambda: method.handler(call, method.request.model_construct(**fields)))
    assert message == "identifier.project.project.error.notFound"


@pytest.mark.parametrize("route", ROUTES, ids=[route.name for route in ROUTES])
def test_a_call_of_a_published_protocol_asks_for_a_right(world, project, route):
    row, release, scenario = world
    pieces = {
        "projectId": str(project.pk), "stageId": str(row.stage_id), "scenarioId": str(scenario.pk), "historyId": str(row.number),
        "endTime": "1", "mesh_id": project.name, "namespace": "live", "release_id": str(release.uid),
    }
    request = Request(NOBODY, project, pieces, {"action": "cancel"}, BODIES.get(route.name, {}))
    message = refused(lambda: route.handler(request))
    assert route.name in NEVER or message == "identifier.project.project.error.notFound"
