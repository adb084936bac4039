"""What the job-queue and script samples need in the database of the test server."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import timedelta
from uuid import UUID, uuid4

from django.utils import timezone

from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import AccessToken, StampKey
from gs2admin.identity.sealed import seal
from gs2admin.identity.services.stamp_keys import purpose_of, signature
from jobqueue.models import GivenUp, Job, JobResult, Queue, UserDataRun
from jobqueue.services import Entry, push_jobs
from jobqueue.services.namespaces import create_namespace, create_script_namespace
from jobqueue.services.scripts import create_script
from jobqueue.states import JobState

ACCESS_TOKEN = "access-token-of-user-0001"
WAITING = "00000000-0000-4000-8000-000000000001"
TRIED = "00000000-0000-4000-8000-000000000002"
DEAD = "00000000-0000-4000-8000-000000000003"
STAMP_KEY, STAMP_SECRET = "grn:gs2:ap-northeast-1:isles-owner:key:default:key:sheets", "secret of the stamp key"
DUMP, CLEAN, UPLOADED, IMPORTED = (f"00000000-0000-4000-8000-00000000001{n}" for n in range(4))


def build(project) -> None:
    """A namespace `queue-0001` in which user-0001 has waiting, tried and given-up jobs, and a token that signs him in."""
    AccessToken.objects.create(
        token_hash=hashlib.sha256(ACCESS_TOKEN.encode()).hexdigest(),
        project=project,
        user_id="user-0001",
        expires_at=timezone.now() + timedelta(days=1),
    )
    namespace = create_namespace(actor=SYSTEM, project=project, name="queue-0001")
    jobs = []
    for name in (WAITING, TRIED, DEAD):
        (job,), _ = push_jobs(actor=SYSTEM, namespace=namespace, user_id="user-0001", entries=[Entry("script-0001")])
        Job.objects.filter(pk=job.pk).update(name=UUID(name))
        jobs.append(Job.objects.get(pk=job.pk))
    _, tried, dead = jobs
    JobResult.objects.create(job=tried, try_number=0, status_code=500, result="[]")
    Job.objects.filter(pk=tried.pk).update(try_count=1)
    for number in range(3):
        JobResult.objects.create(job=dead, try_number=number, status_code=404, result="[]")
    Job.objects.filter(pk=dead.pk).update(try_count=3, state=JobState.GIVEN_UP)
    GivenUp.objects.create(job=dead, namespace=namespace, user_id="user-0001", script="script-0001", status_code=404)
    Queue.objects.update(waiting=2)
    runs = ("dump", "done", DUMP), ("clean", "done", CLEAN), ("import", "uploaded", UPLOADED), ("import", "done", IMPORTED)
    for kind, state, token in runs:
        UserDataRun.objects.create(project=project, user_id="user-0001", kind=kind, state=state, token=token, file="x")
    sealed = seal(STAMP_SECRET, purpose=purpose_of(project, "default", "sheets"))
    StampKey.objects.create(project=project, namespace="default", name="sheets", sealed_secret=sealed, created_by="test")
    for name in ("default", "script-ns"):
        scripts = create_script_namespace(actor=SYSTEM, project=project, name=name)
        create_script(actor=SYSTEM, namespace=scripts, name="script-0001", source=SCRIPT)


SCRIPT = "print(userId)\nresult = {got = args, by = userId}"
_MINE = {"namespaceName": "queue-0001"}
_PLAYER = {"userId": "user-0001"}
_SCRIPTS = {"namespaceName": "script-ns"}
_SCRIPT = _SCRIPTS | {"scriptName": "script-0001"}
_HIS = _MINE | {"userId": "user-0001"}
GOOD = {
    "job-queue.namespace.describeNamespaces": {"limit": 5, "namePrefix": "queue"},
    "job-queue.namespace.createNamespace": {
        "name": "queue-0002",
        "description": "d",
        "enableAutoRun": True,
        "transactionSetting": {"enableAutoRun": True, "keyId": "grn:gs2:r:o:key:k:key:k"},
        "runNotification": {"gatewayNamespaceId": "grn:gs2:r:o:gateway:g", "enable": "Disabled"},
        "logSetting": {"loggingNamespaceId": "grn:gs2:r:o:log:l"},
    },
    "job-queue.namespace.getNamespaceStatus": _MINE,
    "job-queue.namespace.getNamespace": _MINE,
    "job-queue.namespace.updateNamespace": _MINE | {"description": "new"},
    "job-queue.namespace.deleteNamespace": _MINE,
    "job-queue.namespace.getServiceVersion": {},
    "job-queue.namespace.dumpUserDataByUserId": _PLAYER,
    "job-queue.namespace.checkDumpUserDataByUserId": _PLAYER,
    "job-queue.namespace.cleanUserDataByUserId": _PLAYER,
    "job-queue.namespace.checkCleanUserDataByUserId": _PLAYER,
    "job-queue.namespace.prepareImportUserDataByUserId": _PLAYER,
    "job-queue.namespace.importUserDataByUserId": _PLAYER | {"uploadToken": UPLOADED},
    "job-queue.namespace.checkImportUserDataByUserId": _PLAYER | {"uploadToken": IMPORTED},
    "job-queue.job.describeJobsByUserId": _HIS | {"limit": 7},
    "job-queue.job.getJobByUserId": _HIS | {"jobName": WAITING},
    "job-queue.job.pushByUserId": _HIS | {"jobs": [{"scriptId": "script-0001", "args": '{"n": 1}', "maxTryCount": 5}]},
    "job-queue.job.run": _MINE,
    "job-queue.job.runByUserId": _HIS,
    "job-queue.job.deleteJob": _MINE | {"jobName": WAITING},
    "job-queue.job.deleteJobByUserId": _HIS | {"jobName": TRIED},
    "job-queue.jobResult.getJobResult": _MINE | {"jobName": TRIED},
    "job-queue.jobResult.getJobResultByUserId": _HIS | {"jobName": TRIED, "tryNumber": 0},
    "job-queue.deadLetterJob.describeDeadLetterJobsByUserId": _HIS | {"limit": 7},
    "job-queue.deadLetterJob.getDeadLetterJobByUserId": _HIS | {"deadLetterJobName": DEAD},
    "job-queue.deadLetterJob.deleteDeadLetterJobByUserId": _HIS | {"deadLetterJobName": DEAD},
    "script.namespace.describeNamespaces": {"limit": 5},
    "script.namespace.createNamespace": {"name": "script-0002", "transactionSetting": {"enableAutoRun": True}},
    "script.namespace.getNamespaceStatus": _SCRIPTS,
    "script.namespace.getNamespace": _SCRIPTS,
    "script.namespace.updateNamespace": _SCRIPTS | {"description": "new"},
    "script.namespace.deleteNamespace": _SCRIPTS,
    "script.namespace.getServiceVersion": {},
    "script.script.describeScripts": _SCRIPTS | {"namePrefix": "script", "limit": 7},
    "script.script.createScript": _SCRIPTS | {"name": "new", "script": "result = {", "disableStringNumberToNumber": True},
    "script.script.getScript": _SCRIPT,
    "script.script.updateScript": _SCRIPT | {"script": "result = {a = 1}"},
    "script.script.deleteScript": _SCRIPT,
    "script.script.invokeScript": {
        "scriptId": "script-0001", "userId": "user-0001", "args": '{"a": [1, "2"]}', "randomStatus": {"seed": 7, "used": []},
    },
    "script.script.debugInvoke": {"script": "result = {x = 1}", "userId": "user-0001", "randomStatus": {"seed": 7}},
}


def sheet(action: str, args: dict, *, secret: str = "", **more: object) -> str:
    """A signed stamp sheet, good for half an hour."""
    body = json.dumps({
        "transactionId": str(uuid4()), "action": action, "args": json.dumps(args), "tasks": [],
        "expiresAt": int((time.time() + 1800) * 1000), **more,
    })  # fmt: skip
    return json.dumps({"body": body, "signature": signature(secret or STAMP_SECRET, body)})


_PUSH, _INVOKE = GOOD["job-queue.job.pushByUserId"], GOOD["script.script.invokeScript"]
_KEY = {"keyId": STAMP_KEY}
GOOD |= {
    "job-queue.job.pushByStampSheet": _KEY | {"stampSheet": sheet("Gs2JobQueue:PushByUserId", _PUSH)},
    "job-queue.job.deleteByStampTask": _KEY
    | {"stampTask": sheet("Gs2JobQueue:DeleteJobByUserId", _HIS | {"jobName": WAITING})},
    "script.script.invokeByStampSheet": _KEY | {"stampSheet": sheet("Gs2Script:InvokeScript", _INVOKE)},
}
