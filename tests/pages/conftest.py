"""A project that has everything a page can show: done, failed, running and queued rollouts, with and without targets."""
from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.core.cache import cache

from gs2admin import engine
from gs2admin.audit.notes import ROLLOUT, add_note
from gs2admin.dashboard import attention, health, sessions
from gs2admin.db import raw
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.services.credentials import create_credential
from gs2admin.identity.services.stamp_keys import create_stamp_key
from stages.canary.resolve import splits
from stages.core import journal
from stages.gates.services import WindowPlan, save_window
from stages.models import Rollout, Version
from stages.pages import live as live_answers
from stages.pages.board_html import boards
from stages.pages.board_live import watched_boards
from stages.rollouts.services import promote_stage
from stages.setup.scenarios import create_scenario
from stages.setup.stages import create_stage, set_targets
from stages.setup.versions import register_version
from stages.steps import KINDS
from stages.steps.base import StepFailed
from stages.webhooks.services import save_webhook
from stages.worker import begin, executor
from tests.pages.jobs import attempts, job_world, push  # noqa: F401  fixtures of the job pages
from tests.pages.locks import lock_world  # noqa: F401  fixtures of the lock pages
from tests.pages.reading import Reader
from tests.replaying import Replay

PHASE = {"command": "deploy", "timeout_s": 5}


class ScriptedSteps:
    """Stands in for the command kind: prints, and fails when told to."""

    name, label = "command", "Command"
    fails = False

    def validate(self, config):
        return dict(config or {})

    def made(self, config, memo):
        return None

    def repeatable(self, config, memo):
        return True

    def run(self, ctx):
        ctx.emit(f"{ctx.phase} of {ctx.microservice} <b>not bold</b>")
        if self.fails and ctx.phase == "deploy":
            raise StepFailed("the command ended with code 3")
        return "all good"


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Nothing that a process keeps outlives a test; no worker is woken."""
    monkeypatch.setattr(engine, "wake", lambda task, pk: None)
    monkeypatch.setattr(engine, "beat", lambda *_: False)
    monkeypatch.setattr(engine, "worker_label", lambda: "host:cluster:77")
    monkeypatch.setattr(health, "_ask", lambda: health.Health(True, "4 workers"))
    _forget()
    yield
    _forget()


@pytest.fixture
def statements(monkeypatch):
    """Those that the driver's own cursors were given, which Django does not count."""
    found = []
    real = raw._cursor

    def cursor(ours):
        made = real(ours)
        found.append(made)
        return made

    monkeypatch.setattr(raw, "_cursor", cursor)
    return found


@pytest.fixture
def forget():
    """forget() empties what a process keeps, as a test's beginning does."""
    return _forget


def _forget() -> None:
    cache.clear()
    health._kept.clear()
    live_answers.watches.clear()
    watched_boards.clear()
    sessions.sessions.__init__()
    boards.clear()
    splits.clear()
    attention.forget()


@pytest.fixture
def steps(monkeypatch):
    """The scripted command kind; steps.fails = True makes every deploy fail."""
    kind = ScriptedSteps()
    monkeypatch.setitem(KINDS, "command", kind)
    return kind


@pytest.fixture
def run():
    """run(rollout) carries it to its end in this process and returns it fresh."""

    def act(rollout: Rollout) -> Rollout:
        executor.run(rollout.pk)
        return Rollout.objects.select_related("stage", "project").get(pk=rollout.pk)

    return act


STAGES = Replay()


@pytest.fixture
def world(project, producer, steps, run, job_world, lock_world):  # noqa: F811
    """dev (succeeded), stg (succeeded, a target), live (failed), canary (running): with .done .failed .running rollouts."""
    found = STAGES.get(project.pk, lambda: _stages(project, steps, run))
    found.project, found.member, found.jobs, found.locks = project, project.memberships.get(user=producer), job_world, lock_world
    return found


def _stages(project, steps, run) -> SimpleNamespace:
    for name in ("auth", "chat", "quest"):
        register_version(actor=SYSTEM, project=project, microservice=name, version="1.0.0")
    dev = create_stage(actor=SYSTEM, project=project, name="dev", sort_number=0)
    stg = create_stage(actor=SYSTEM, project=project, name="stg", source=dev, sort_number=10)
    live = create_stage(actor=SYSTEM, project=project, name="live", source=stg, sort_number=20)
    canary = create_stage(actor=SYSTEM, project=project, name="canary", source=dev, sort_number=30)
    targets = [{"name": "cluster", "kind": "command", "config": {"pre": PHASE, "deploy": PHASE, "post": None}}]
    hook = {"name": "hook", "kind": "http", "config": {"deploy": {"url": "https://deploy.example.com/hook"}}}
    for stage in (stg, live, canary):
        set_targets(actor=SYSTEM, stage=stage, targets=[*targets, hook] if stage == canary else targets)
    for stage in (dev, stg, live):
        run(promote_stage(actor=SYSTEM, stage=stage, reason="first"))
    register_version(actor=SYSTEM, project=project, microservice="auth", version="1.1.0")
    register_version(actor=SYSTEM, project=project, microservice="chat", version="0.9.0")
    run(promote_stage(actor=SYSTEM, stage=dev, reason="nightly"))
    done = run(promote_stage(actor=SYSTEM, stage=stg, reason="Season <7>"))
    steps.fails = True
    failed = run(promote_stage(actor=SYSTEM, stage=live, reason="try"))
    steps.fails = False
    running = promote_stage(actor=SYSTEM, stage=canary, reason="look")
    claim = journal.claim(running.pk, "host:cluster:77")
    begin.start(claim, [journal.Line("Promote canary")])
    journal.start_step(claim, running.steps.order_by("position")[0], [journal.Line("pre started", "auth", 1)])
    running = Rollout.objects.select_related("stage", "project").get(pk=running.pk)
    register_version(actor=SYSTEM, project=project, microservice="quest", version="1.0.1")
    scenario = create_scenario(actor=SYSTEM, stage=stg, name="careful", strategy="rolling", batch_size=2, use=False)
    gray = create_stage(actor=SYSTEM, project=project, name="gray", source=dev, sort_number=40)
    create_scenario(actor=SYSTEM, stage=gray, name="few", strategy="canary", use=True)
    holding = run(promote_stage(actor=SYSTEM, stage=gray, reason="a few first"))
    later = WindowPlan("Centenary", live, starts_at=datetime(2096, 1, 1, tzinfo=UTC), ends_at=datetime(2096, 1, 2, tzinfo=UTC))
    window = save_window(actor=SYSTEM, project=project, plan=later)
    webhook = save_webhook(actor=SYSTEM, project=project, name="chat", url="https://chat.example.com/hook?token=1")
    waiting = promote_stage(actor=SYSTEM, stage=stg, reason="may I", ask=True)
    note = add_note(actor=SYSTEM, project=project, about=ROLLOUT, about_id=str(done.number), text="Look at #L1.")
    row, _ = create_credential(actor=SYSTEM, project=project, name="pipeline")
    stamp_key, _ = create_stamp_key(actor=SYSTEM, project=project, namespace="shop", name="rewards")
    return SimpleNamespace(
        dev=dev, stg=stg, live=live, canary=canary,
        done=done, failed=failed, note=note, running=running, waiting=waiting, claim=claim,
        credential=row, stamp_key=stamp_key, version=Version.objects.get(version="1.1.0"),
        window=window, target=stg.targets.get(), hook=canary.targets.get(name="hook"),
        scenario=scenario, gray=gray, holding=holding, accept_word="accept",
        export_kind="csv", webhook=webhook, delivery=webhook.deliveries.first(),
    )


@pytest.fixture
def client() -> Reader:
    """Here pages are read, not their white space."""
    return Reader()


@pytest.fixture
def sign_in(client):
    """sign_in(user) signs the test client in as that person; sign_in(None) signs out."""

    def act(user):
        client.logout()
        if user is not None:
            client.force_login(user)
        return client

    return act


@pytest.fixture
def here(project) -> SimpleNamespace:
    """The project alone, for addresses of pages that need nothing else."""
    return SimpleNamespace(project=project)


# Who asks what time it is for freeze windows.
_WINDOW_CLOCKS = ("stages.gates.reads", "stages.pages.views.gates", "stages.api.own.gates", "stages.admin.governance")


@pytest.fixture
def set_clock(monkeypatch):
    """set_clock(at): for freeze windows it is that time; sessions and tokens go on."""

    def act(moment: datetime) -> None:
        for name in _WINDOW_CLOCKS:
            monkeypatch.setattr(f"{name}.clock", SimpleNamespace(now=lambda: moment))

    return act
