"""What there is when hostile calls come: a project with something of everything, callers of every kind, the names of things."""
from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from bench.world import register
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Credential, Project, User
from gs2admin.identity.services.credentials import create_credential, revoke_credential
from gs2admin.identity.services.projects import create_project
from gs2admin.identity.tokens import issue_project_token
from jobqueue.models import UserDataRun
from jobqueue.userdata import files
from stages.api.sourcedeploy.signature import sign
from stages.gates.calendar import key_for
from stages.models import Output, Rollout, Stage
from stages.rollouts.services import promote_stage
from stages.setup.scenarios import create_scenario
from stages.setup.stages import create_stage
from stages.worker import executor
from tests.wire import jobs_world, locks_world

RIGHT, MISSING = "right", "missing"
# Ways to be somebody else, or nobody.
WRONG = ("garbage", "cut", "other project", "viewer", "revoked", "basic", "signature")
SERVER = {"strategy": "normal", "rollback": True, "file": {"type": "later"}}
SPEC = {
    "serviceName": "auth", "clusterID": "c", "deploymentName": "auth", "type": "canary",
    "grayDeployments": [{"clusterID": "c", "template": {"spec": {"template": {"spec": {"containers": [
        {"name": "auth", "image": "game/auth:9.0"}]}}}}}],
}  # fmt: skip


@dataclass
class World:
    """The project, its callers, and an administrator of the server for its pages."""

    project: Project
    admin: Credential
    secret: str
    others: dict[str, Credential]
    person: User
    tokens: dict[str, str] = field(default_factory=dict)

    def token(self, who: str) -> str:
        """A project token of "right" or of one of the others, made once."""
        if who not in self.tokens:
            self.tokens[who] = issue_project_token(self.admin if who == RIGHT else self.others[who])
        return self.tokens[who]

    def authorization(self, who: str, door: str, verb: str, path: str) -> dict[str, str]:
        """The headers by which that caller shows who it is at that door. path: with its query; it is signed."""
        if who == MISSING:
            return {}
        if who == "basic":
            return {"Authorization": "Basic " + base64.b64encode(f"{self.admin.client_id}:wrong".encode()).decode()}
        if who == "signature":
            return self.signed(verb, path + "x")
        if who == "garbage":
            return {"Authorization": "Bearer ...", "X-Auth-Token": "\xff", "X-GS2-ACCESS-TOKEN": "null"}
        token = self.token(RIGHT)[:-1] if who == "cut" else self.token(who)
        if door == "asm":
            return {"X-Auth-Token": token}
        return {"Authorization": f"Bearer {token}", "X-GS2-ACCESS-TOKEN": jobs_world.ACCESS_TOKEN}

    def signed(self, verb: str, path: str) -> dict[str, str]:
        """A signature of SourceDeploy."""
        stamp, key = str(int(time.time() * 1000)), self.admin.client_id
        return {"x-ncp-apigw-timestamp": stamp, "x-ncp-iam-access-key": key,
                "x-ncp-apigw-signature-v2": sign(self.secret, verb, path, stamp, key)}  # fmt: skip


def build() -> World:
    """Everything, in an empty database."""
    project = create_project(actor=SYSTEM, name="isles", owner_id="isles-owner")
    other = create_project(actor=SYSTEM, name="other", owner_id="other-owner")
    jobs_world.build(project)
    UserDataRun.objects.update(file=files.keep(f"{project.pk}/upload.zip", BytesIO(b"no zip")))
    locks_world.build(project)
    source = None
    for number, name in enumerate(("dev", "stg", "live")):
        source = create_stage(actor=SYSTEM, project=project, name=name, source=source, sort_number=number)
        register(project, ["auth", "chat"], f"3.2.{number}")
        executor.run(promote_stage(actor=SYSTEM, stage=source, reason="first").pk)
    dev = Stage.objects.get(project=project, name="dev")
    executor.run(promote_stage(actor=SYSTEM, stage=dev, reason="nightly").pk)
    gray = create_stage(actor=SYSTEM, project=project, name="gray", source=dev, sort_number=60)
    create_scenario(actor=SYSTEM, stage=gray, name="few", strategy="canary", use=True)
    executor.run(promote_stage(actor=SYSTEM, stage=gray, reason="a few first").pk)
    promote_stage(actor=SYSTEM, stage=Stage.objects.get(project=project, name="stg"), reason="may I", ask=True)
    admin, secret = create_credential(actor=SYSTEM, project=project, name="fuzz", role="admin", signs=True)
    others = {
        "viewer": create_credential(actor=SYSTEM, project=project, name="looks", role="viewer")[0],
        "other project": create_credential(actor=SYSTEM, project=other, name="theirs", role="admin")[0],
        "revoked": create_credential(actor=SYSTEM, project=project, name="gone", role="admin")[0],
    }
    world = World(project, admin, secret, others, User.objects.create_superuser("fuzz", password="correct horse battery"))
    world.token("revoked")
    revoke_credential(actor=SYSTEM, credential=others["revoked"])
    return world


def known(world: World) -> dict[str, str]:
    """{name of a path piece: the name of something that is there}, for doors whose operations have no sample."""
    stage = Stage.objects.get(project=world.project, name="gray")
    rollout = stage.rollouts.order_by("-id").first()
    run = UserDataRun.objects.filter(project=world.project).first()
    links = {what: files.link(run, what).rpartition("/")[2] for what in files.Link}
    return {
        "projectId": str(world.project.pk), "stageId": str(stage.pk),
        "historyId": str(rollout.number), "number": str(rollout.number),
        "scenarioId": str(stage.scenarios.first().pk), "endTime": "1700000000000", "mesh_id": "isles", "namespace": "queue-0001",
        "release_id": f"rollout-{rollout.number}-auth", "name": "stg", "stageName": "dev", "project": "isles", "stage": "stg",
        "namespaceName": "queue-0001", "scriptName": "script-0001", "userId": "user-0001", "jobName": jobs_world.WAITING,
        "propertyId": locks_world.HELD, "service": "auth", "script": "script-0001", "job": jobs_world.WAITING,
        "pk": "1", "revision": "1",
        "target": "dev-cluster", "kind": "csv", "part": "jobs", "action": "accept", "delivery": "1",
        "token": links[files.Link.LOG],
        "key": key_for(world.project, str(world.person.pk)),
    }  # fmt: skip


def samples(world: World) -> dict[str, dict[str, Any]]:
    """{operationId: fields of a good call, of path, query and body alike}."""
    mine = {"name": "stg"}
    rows = Rollout.objects.filter(project=world.project).order_by("-id")
    canary = {"number": rows.filter(stage__name="gray").first().number}
    waiting = {"number": rows.filter(state="awaiting_approval").first().number}
    asm = {"mesh_id": "isles", "namespace": "gray", "release_id": f"rollout-{canary['number']}-auth"}
    output = Output.objects.filter(rollout__stage__name="dev").order_by("-id").first()
    run = UserDataRun.objects.filter(project=world.project, state="uploaded").first()
    upload = {"token": files.link(run, files.Link.UPLOAD).rpartition("/")[2]}
    return {
        **jobs_world.GOOD, **locks_world.GOOD,
        "identifier.projectToken.login": {"client_id": world.admin.client_id, "client_secret": world.secret},
        "auth.accessToken.login": {"userId": "user-0001", "timeOffset": 60},
        "auth.accessToken.issueTimeOffsetTokenByUserId": {"userId": "user-0001", "timeOffset": 60},
        "freeze.stage.getStage": {"stageName": "dev"}, "freeze.stage.promoteStage": {"stageName": "stg"},
        "freeze.stage.rollbackStage": {"stageName": "live"}, "freeze.output.describeOutputs": {"stageName": "dev", "limit": 7},
        "api.stage.getStage": mine, "api.stage.promoteStage": mine, "api.stage.rollbackStage": {"name": "live"},
        "api.stage.resolve": mine | {"userId": "user-0001"},
        "api.version.registerVersion": {"microservice": "auth", "version": "9.0"},
        "api.line.stopLine": {"reason": "fuzz", "stage": "live"}, "api.line.resumeLine": {"reason": "fuzz", "stage": "live"},
        "sourcedeploy.stageCreate": {"name": "made", "type": "Server", "config": {"serverNo": []}},
        "sourcedeploy.stageUpdate": {"name": "gray"}, "sourcedeploy.scenarioCreate": {"name": "usual", "config": SERVER},
        "sourcedeploy.scenarioUpdate": {"name": "few"},
        "freeze.output.getOutput": {"stageName": "dev", "outputName": output.name},
        "api.rollout.acceptCanary": canary, "api.rollout.rejectCanary": canary,
        "api.rollout.advanceCanary": canary | {"weight": 1}, "api.rollout.approveRollout": waiting,
        "api.rollout.rejectRollout": waiting, "sourcedeploy.deployAccept": {"historyId": waiting["number"]},
        "plain.userDataUploadPut": upload, "plain.userDataUploadPost": upload,
        "plain.freezes": {"key": known(world)["key"]},
        "asm.CreateRelease": asm | {"metadata": {"name": "auth-next"}, "spec": SPEC}, "asm.GetAllReleases": asm,
        "asm.UpdateRelease": asm | {"spec": SPEC}, "asm.SetTraffic": asm | {"grayWeight": 10},
        "asm.DeleteRelease": asm | {"action": "cancel"},
    }  # fmt: skip


def as_query(value: Any) -> str:
    """A value in a query string."""
    return value if isinstance(value, str) else json.dumps(value)
