"""A small pipeline dev -> stg -> live, and a way to run rollouts in this process."""
from __future__ import annotations

import pytest

from gs2admin import engine
from gs2admin.identity.actors import SYSTEM
from stages.approval.services import save_rule
from stages.models import Rollout
from stages.rollouts.services import promote_stage
from stages.setup.stages import create_stage
from stages.setup.versions import register_version
from stages.steps import KINDS
from stages.worker import executor
from tests.stages.approvals import BOTH
from tests.stages.canaries import prometheus, up  # noqa: F401  fixtures
from tests.stages.kinds import Kind


@pytest.fixture(autouse=True)
def rings(monkeypatch):
    """What was rung for, instead of waking a worker: [(task, id)]."""
    heard: list[tuple[str, int]] = []
    monkeypatch.setattr(engine, "wake", lambda task, pk: heard.append((task, pk)))
    monkeypatch.setattr(engine, "beat", lambda *_: False)
    monkeypatch.setattr(engine, "worker_label", lambda: "test:worker")
    return heard


@pytest.fixture
def register(project):
    """register(auth="1.0", chat="2.0") puts versions into the catalogue."""

    def act(**versions: str) -> None:
        for name, version in versions.items():
            register_version(actor=SYSTEM, project=project, microservice=name, version=version)

    return act


@pytest.fixture
def kind(monkeypatch):
    """A step kind "fake" that does what the test tells it to."""
    found = Kind()
    monkeypatch.setitem(KINDS, "fake", found)
    return found


@pytest.fixture
def dev(project):
    return create_stage(actor=SYSTEM, project=project, name="dev", sort_number=0)


@pytest.fixture
def stage(dev, register, kind):
    """dev, with auth 1 and chat 1 in the catalogue."""
    register(auth="1", chat="1")
    return dev


@pytest.fixture
def stg(project, dev):
    return create_stage(actor=SYSTEM, project=project, name="stg", source=dev, sort_number=50)


@pytest.fixture
def live(project, stg):
    return create_stage(actor=SYSTEM, project=project, name="live", source=stg, sort_number=100)


@pytest.fixture
def run():
    """run(rollout) carries it on in this process and returns it fresh."""

    def act(rollout: Rollout) -> Rollout:
        executor.run(rollout.pk)
        return Rollout.objects.select_related("stage__current_set", "to_set", "from_set").get(pk=rollout.pk)

    return act


@pytest.fixture
def promote(run):
    """promote(stage) promotes to the end."""
    return lambda stage: run(promote_stage(actor=SYSTEM, stage=stage))


@pytest.fixture
def pins():
    """pins(stage) reads what is pinned now."""

    def read(stage) -> dict[str, str]:
        stage.refresh_from_db()
        return dict(stage.current_set.versions) if stage.current_set else {}

    return read


@pytest.fixture
def texts():
    """texts(rollout) is its output, in order."""
    return lambda rollout: list(rollout.outputs.order_by("seq").values_list("text", flat=True))


@pytest.fixture
def ruled(dev, register, owner, actor_of):
    """dev with a rule; ruled(needed, roles) changes it."""
    register(auth="1")

    def act(needed=1, roles=None, **more):
        return save_rule(actor=actor_of(owner), stage=dev, needed=needed, roles=BOTH if roles is None else roles, **more)

    act()
    return act


@pytest.fixture
def asked(ruled, dev, producer, actor_of):
    """A promote that mika asked for and that waits."""
    return promote_stage(actor=actor_of(producer), stage=dev, reason="Friday", request_key="k")
