"""Callers at the doors of the published protocols, and rollouts with fixed times."""
from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client

from gs2admin import engine
from gs2admin.identity import tokens
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Credential
from gs2admin.identity.services.credentials import create_credential
from gs2admin.wire.protocol import Protocol
from stages.api.protocols import PROTOCOLS
from stages.api.sourcedeploy.signature import sign
from stages.core import ledger
from stages.models import Rollout, RolloutCanary, RolloutTarget, Stage, Step
from stages.setup.stages import create_stage
from stages.setup.versions import register_version

BASE = "/sourcedeploy/api/v1"
T0 = datetime(2026, 11, 26, 2, 0, 0, 123_000, tzinfo=UTC)
SERVER = {"strategy": "normal", "rollback": True, "file": {"type": "later"}}


@dataclass
class Caller:
    """One credential at the doors. how: signature, go (the Go client's header) or token."""

    row: Credential
    secret: str
    how: str = "signature"
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    def sd(self, verb: str, path: str, body: Any = None, **more: Any):
        """A SourceDeploy call; path is below /sourcedeploy/api/v1."""
        uri = BASE + path
        if self.how == "token":
            headers = {"HTTP_AUTHORIZATION": f"Bearer {tokens.issue_project_token(self.row)}"}
        else:
            stamp = str(int(time.time() * 1000))
            name = "HTTP_X_NCP_APIGW_SIGNATURE_" + ("V1" if self.how == "go" else "V2")
            headers = {
                "HTTP_X_NCP_IAM_ACCESS_KEY": self.row.client_id,
                "HTTP_X_NCP_APIGW_TIMESTAMP": stamp,
                name: sign(self.secret, verb, uri, stamp, self.row.client_id),
            }
        answer = self._send(verb, uri, body, headers | more)
        hold_to_schema(PROTOCOLS[0], verb, path, answer)
        return answer

    def asm(self, verb: str, path: str, body: Any = None, **more: Any):
        """An ASM call; path is below /v2/meshes."""
        return self._send(verb, "/v2/meshes" + path, body, {"HTTP_X_AUTH_TOKEN": tokens.issue_project_token(self.row)} | more)

    def _send(self, verb: str, uri: str, body: Any, headers: dict[str, str]):
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.client.generic(verb, uri, data, "application/json", **({"RAW_URI": uri} | headers))


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """No worker is woken, and no credential of another test is remembered."""
    monkeypatch.setattr(engine, "wake", lambda task, pk: None)
    monkeypatch.setattr(engine, "beat", lambda *_: False)
    monkeypatch.setattr(engine, "worker_label", lambda: "test:worker")
    tokens.forget_all()
    yield
    tokens.forget_all()


@pytest.fixture
def caller(project):
    """caller(role="service", how="signature") is a new credential of the project at the doors."""
    made: dict[str, tuple[Credential, str]] = {}

    def act(role: str = "service", how: str = "signature") -> Caller:
        if role not in made:
            made[role] = create_credential(actor=SYSTEM, project=project, name=f"as-{role}", role=role, signs=True)
        return Caller(*made[role], how)

    return act


@pytest.fixture
def foreign(other_project) -> Caller:
    """An admin's credential of another project."""
    return Caller(*create_credential(actor=SYSTEM, project=other_project, name="theirs", role="admin", signs=True))


@pytest.fixture
def stage(project) -> Stage:
    """A Server stage."""
    return create_stage(actor=SYSTEM, project=project, name="live", sort_number=1)


@pytest.fixture
def admin(caller):
    return caller("admin")


@pytest.fixture
def base(project) -> str:
    return f"/project/{project.pk}"


@pytest.fixture
def typed(admin, base):
    """typed(type) is the address of a new stage of that type."""
    configs = {
        "Server": {"serverNo": []}, "AutoScalingGroup": {"autoScalingGroupNo": 31}, "KubernetesService": {"clusterNo": 5},
        "ObjectStorage": {"bucketName": "game"},
    }  # fmt: skip

    def act(kind: str, name: str = "typed") -> str:
        made = ok(admin.sd("POST", base + "/stage", {"name": name, "type": kind, "config": configs[kind]}))
        assert list(made) == ["id", "name"] and made["name"] == name
        return f"{base}/stage/{made['id']}"

    return act


@pytest.fixture
def ready(admin, typed, project):
    """(address of a scenario, its stage) with something to deploy."""

    def act(kind: str = "Server", config: dict | None = None) -> tuple[str, Stage]:
        path = typed(kind)
        made = ok(admin.sd("POST", path + "/scenario", {"name": "usual", "config": config or SERVER}))
        register_version(actor=SYSTEM, project=project, microservice="auth", version="1.2.0")
        return f"{path}/scenario/{made['id']}", Stage.objects.get(name="typed")

    return act


@pytest.fixture
def record():
    """record(stage, state, steps=[(target, service, phase, state, leg)], …) is a rollout row as a worker would leave it.

    Step k began k seconds after T0 and took half a second; steps that were never begun have no times.
    """

    def act(stage: Stage, state: str = "succeeded", steps=(), weight: int = 0, **more: Any) -> Rollout:
        final = state in {"rejected", "canary_rejected", "canary_timeout", "canceled", "succeeded", "failed", "errored"}
        counters = ledger.lock(stage.project_id, rollouts_count=1)
        before, after = ledger.frozen(stage.project_id, {}), ledger.frozen(stage.project_id, {"auth": "1.2.0"})
        facts = {
            "kind": "promote", "from_set": before, "to_set": after, "requested_by_kind": "person", "requested_by": "mika",
            "created_at": T0, "started_at": T0 if state not in {"awaiting_approval", "queued", "rejected"} else None,
            "ended_at": T0 + timedelta(minutes=1) if final else None, "steps_total": len(steps), "steps_done": sum(step[3] == "succeeded" for step in steps),
        }  # fmt: skip
        row = Rollout.objects.create(
            project_id=stage.project_id, stage=stage, number=counters.rollouts_count, state=state, **(facts | more)
        )
        if row.strategy == "canary":
            RolloutCanary.objects.create(rollout=row, analysis="manual", weight=weight)
        for position, (target, service, phase, how, *leg) in enumerate(steps, start=1):
            began = T0 + timedelta(seconds=position) if how not in {"pending", "no_progress"} else None
            Step.objects.create(
                rollout=row, position=position, microservice=service, new_version="1.2.0", target_name=target, phase=phase,
                kind="command", state=how, leg=leg[0] if leg else "base", started_at=began,
                ended_at=began + timedelta(milliseconds=500) if began and how != "running" else None,
            )  # fmt: skip
        for position, name in enumerate(dict.fromkeys(step[0] for step in steps)):
            RolloutTarget.objects.create(rollout=row, position=position, name=name, number=700 + position, kind="command")
        return Rollout.objects.select_related("stage", "project").get(pk=row.pk)

    return transaction.atomic(act)  # the ledger is locked as its users do


def hold_to_schema(protocol: Protocol, verb: str, path: str, answer) -> None:
    """A success has the shape that the OpenAPI page says, in its envelope for the Go client (`?envelope=` is tested for itself)."""
    path, _, query = path.partition("?")
    if answer.status_code >= 300 or "envelope" in query or settings.SOURCEDEPLOY_ENVELOPE != "flat":
        return
    route = next(route for route in protocol.routes if route.verb == verb and route.pattern().fullmatch(path))
    if route.result is not None:
        body = json.loads(answer.content)
        jsonschema.validate(body["result"] if set(body) == {"result"} and isinstance(body["result"], dict) else body, route.result)


def sd_error(answer, status: int, code: str) -> str:
    """The details of a SourceDeploy error; fails when the body is anything else."""
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"].startswith("application/json")
    body = json.loads(answer.content)
    assert list(body) == ["error"] and list(body["error"]) == ["errorCode", "message", "details"]
    assert all(isinstance(text, str) and text for text in body["error"].values())
    assert body["error"]["errorCode"] == code
    return body["error"]["details"]


def asm_error(answer, status: int, code: str) -> str:
    """The message of an ASM error; fails when the body is anything else."""
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"].startswith("application/json")
    body = json.loads(answer.content)
    assert list(body) == ["errorCode", "errorMsg"] and body["errorMsg"]
    assert body["errorCode"] == f"ASM.{code}"
    return body["errorMsg"]


def ok(answer) -> dict:
    """The body of a success."""
    assert answer.status_code == 200, answer.content
    return json.loads(answer.content)
