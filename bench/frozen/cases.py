"""Every effect that a job can have: each writing method that a script may call, the same as built-in script, and nested ones."""
from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from gs2admin.identity import tokens
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Project
from gs2admin.identity.services.stamp_keys import create_stamp_key
from jobqueue.execution.calls import _by_name
from jobqueue.models import Job, Namespace, UserDataRun
from jobqueue.services import Entry, push_jobs
from jobqueue.services.namespaces import create_namespace, create_script_namespace
from jobqueue.services.scripts import create_script
from jobqueue.states import JobState, UserDataState
from jobqueue.userdata.services import prepare_import
from locks.services import lock
from locks.services.namespaces import create_namespace as create_lock_namespace
from stages.models import Rollout
from stages.rollouts.services import promote_stage
from stages.setup.stages import create_stage
from stages.setup.versions import register_version
from stages.worker.tasks import run_rollout

# What the job's script does: one call, whose answer must be good.
CALL = """
local answer = gs2(args.service)[args.method](args.fields)
if answer.isError then fail(answer.statusCode, answer.errorMessage) end
if answer.result.code and answer.result.code ~= 200 then fail(500, answer.result.result) end
result = {done = true}
"""
USER = "player"
KEY = ("keys", "key")


@dataclass(frozen=True)
class Asked:
    """A job to push: its script and its arguments."""

    script_id: str
    args: str


class Place:
    """A project with what the cases need; each case makes things of its own, named by a number."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.queues = create_namespace(actor=SYSTEM, project=project, name="queues")
        self.auto = create_namespace(actor=SYSTEM, project=project, name="auto", enable_auto_run=True)
        self.locks = create_lock_namespace(actor=SYSTEM, project=project, name="locks")
        self.scripts = create_script_namespace(actor=SYSTEM, project=project, name="default")
        create_script(actor=SYSTEM, namespace=self.scripts, name="call", source=CALL)
        self.key, self.secret = create_stamp_key(actor=SYSTEM, project=project, namespace=KEY[0], name=KEY[1])
        # Its last use is written once a minute; not by whichever case comes first.
        type(self.key).objects.filter(pk=self.key.pk).update(used_at="2999-01-01T00:00:00Z")
        register_version(actor=SYSTEM, project=project, microservice="battle", version="1.0")

    def push(self, user: str, asked: Asked | None = None, namespace: Namespace | None = None) -> Job:
        """A job of that player, with a try for each of our doubts."""
        asked = asked or Asked("nothing", "{}")
        (job,), _ = push_jobs(actor=SYSTEM, namespace=namespace or self.queues, user_id=user,
                              entries=[Entry(asked.script_id, asked.args, 1)])
        return job

    def stage(self, number: int) -> str:
        """A stage that can be promoted, and rolled back after `deployed`."""
        name = f"stage-{number}"
        create_stage(actor=SYSTEM, project=self.project, name=name)
        return name

    def deployed(self, number: int) -> str:
        """A stage with two versions behind it."""
        name = self.stage(number)
        for version in (f"1.{number}.0", f"1.{number}.1"):
            register_version(actor=SYSTEM, project=self.project, microservice="battle", version=version)
            promote_stage(actor=SYSTEM, stage=self.project.stages.get(name=name))
            for rollout in Rollout.objects.live():
                run_rollout(rollout.pk)
        return name

    def held(self, number: int) -> dict[str, str]:
        """A mutex that the transaction "t" holds."""
        fields = {"user_id": f"{USER}-{number}", "property_id": "held", "transaction_id": "t"}
        lock(actor=SYSTEM, namespace=self.locks, ttl_s=1000, **fields)
        return {"namespaceName": "locks", "propertyId": "held", "transactionId": "t"}

    def token(self, number: int) -> str:
        """An access token of the number's player."""
        return tokens.issue_access_token(project=self.project, user_id=f"{USER}-{number}", time_offset_s=0)[0]

    def sheet(self, field: str, action: str, args: dict[str, Any]) -> dict[str, str]:
        """A signed sheet, as fields of a call."""
        body = json.dumps({"action": action, "args": json.dumps(args), "transactionId": uuid4().hex,
                           "expiresAt": int((time.time() + 600) * 1000)})
        signature = base64.b64encode(hmac.digest(self.secret.encode(), body.encode(), hashlib.sha256)).decode()
        grn = f"grn:gs2:{self.project.region}:{self.project.owner_id}:key:{KEY[0]}:key:{KEY[1]}"
        return {field: json.dumps({"body": body, "signature": signature}), "keyId": grn}


Fields = dict[str, Any]
Fill = Callable[[Place, int], Fields]


def _user(number: int) -> dict[str, str]:
    return {"userId": f"{USER}-{number}"}


def _in(number: int, namespace: str = "queues") -> dict[str, str]:
    return _user(number) | {"namespaceName": namespace}


def _jobs(number: int) -> Fields:
    return _in(number) | {"jobs": [{"scriptId": "nothing", "args": "{}"}]}


def _inner(number: int) -> dict[str, str]:
    args = {"service": "job_queue", "method": "push_by_user_id", "fields": _jobs(number)}
    return {"scriptId": "call", "args": json.dumps(args)}


def _new(place: Place, make: Callable[..., Any], number: int) -> Fields:
    make(actor=SYSTEM, project=place.project, name=f"made-{number}")
    return {"namespaceName": f"made-{number}"}


def _uploaded(place: Place, number: int) -> Fields:
    run = prepare_import(actor=SYSTEM, project=place.project, user_id=f"{USER}-{number}")
    UserDataRun.objects.filter(pk=run.pk).update(state=UserDataState.UPLOADED, file="x", size=1)
    return _user(number) | {"uploadToken": str(run.token)}


def _given_up(place: Place, number: int) -> Fields:
    job = place.push(f"{USER}-{number}")
    Job.objects.filter(pk=job.pk).update(state=JobState.GIVEN_UP)
    return _in(number) | {"deadLetterJobName": str(job.name)}


def _stored(place: Place, number: int) -> Fields:
    create_script(actor=SYSTEM, namespace=place.scripts, name=f"script-{number}", source="result = 1")
    return {"namespaceName": "default", "scriptName": f"script-{number}"}


def _to_run(place: Place, number: int) -> Fields:
    place.push(f"{USER}-{number}", Asked("call", _inner(number)["args"]))
    return _in(number)


def _notified(place: Place, number: int) -> Fields:
    create_namespace(actor=SYSTEM, project=place.project, name=f"made-{number}", push_notification={"enable": "Enabled"})
    return _jobs(number) | {"namespaceName": f"made-{number}"}


# (service, method) -> what it is called with. One for each writing method of the table; tests look that none is missing.
METHODS: dict[tuple[str, str], Fill] = {
    ("freeze", "promote_stage"): lambda place, n: {"stageName": place.stage(n)},
    ("freeze", "rollback_stage"): lambda place, n: {"stageName": place.deployed(n)},
    ("job_queue", "clean_user_data_by_user_id"): lambda place, n: _user(n),
    ("job_queue", "create_namespace"): lambda place, n: {"name": f"made-{n}"},
    ("job_queue", "delete_by_stamp_task"): lambda place, n: place.sheet(
        "stampTask", "Gs2JobQueue:DeleteJobByUserId", _in(n) | {"jobName": str(place.push(f"{USER}-{n}").name)}),
    ("job_queue", "delete_dead_letter_job_by_user_id"): _given_up,
    ("job_queue", "delete_job"): lambda place, n: {
        "namespaceName": "queues", "accessToken": place.token(n), "jobName": str(place.push(f"{USER}-{n}").name)},
    ("job_queue", "delete_job_by_user_id"): lambda place, n: _in(n) | {"jobName": str(place.push(f"{USER}-{n}").name)},
    ("job_queue", "delete_namespace"): lambda place, n: _new(place, create_namespace, n),
    ("job_queue", "dump_user_data_by_user_id"): lambda place, n: _user(n),
    ("job_queue", "import_user_data_by_user_id"): _uploaded,
    ("job_queue", "prepare_import_user_data_by_user_id"): lambda place, n: _user(n),
    ("job_queue", "push_by_stamp_sheet"): lambda place, n: place.sheet("stampSheet", "Gs2JobQueue:PushByUserId", _jobs(n)),
    ("job_queue", "push_by_user_id"): lambda place, n: _jobs(n),
    ("job_queue", "run"): lambda place, n: {"namespaceName": _to_run(place, n)["namespaceName"], "accessToken": place.token(n)},
    ("job_queue", "run_by_user_id"): _to_run,
    ("job_queue", "update_namespace"): lambda place, n: _new(place, create_namespace, n) | {"description": "new"},
    ("lock", "create_namespace"): lambda place, n: {"name": f"made-{n}"},
    ("lock", "delete_mutex_by_user_id"): lambda place, n: place.held(n) | _user(n),
    ("lock", "delete_namespace"): lambda place, n: _new(place, create_lock_namespace, n),
    ("lock", "lock"): lambda place, n: {
        "namespaceName": "locks", "propertyId": "p", "transactionId": "t", "ttl": 100, "accessToken": place.token(n)},
    ("lock", "lock_by_user_id"): lambda place, n: _in(n, "locks") | {"propertyId": "p", "transactionId": "t", "ttl": 100},
    ("lock", "unlock"): lambda place, n: place.held(n) | {"accessToken": place.token(n)},
    ("lock", "unlock_by_user_id"): lambda place, n: place.held(n) | _user(n),
    ("lock", "update_namespace"): lambda place, n: _new(place, create_lock_namespace, n) | {"description": "new"},
    ("script", "create_namespace"): lambda place, n: {"name": f"made-{n}"},
    ("script", "create_script"): lambda place, n: {"namespaceName": "default", "name": f"script-{n}", "script": "result = 1"},
    ("script", "debug_invoke"): lambda place, n: {"script": "args = args.inner" + CALL, "args": json.dumps(
        {"inner": json.loads(_inner(n)["args"])})},
    ("script", "delete_namespace"): lambda place, n: _new(place, create_script_namespace, n),
    ("script", "delete_script"): _stored,
    ("script", "invoke_by_stamp_sheet"): lambda place, n: place.sheet("stampSheet", "Gs2Script:InvokeScript", _inner(n)),
    ("script", "invoke_script"): lambda place, n: _inner(n),
    ("script", "update_namespace"): lambda place, n: _new(place, create_script_namespace, n) | {"description": "new"},
    ("script", "update_script"): lambda place, n: _stored(place, n) | {"script": "result = 2"},
}


def _lua(service: str, method: str, fill: Fill) -> Callable[[Place, int], Asked]:
    return lambda place, n: Asked("call", json.dumps({"service": service, "method": method, "fields": fill(place, n)}))


def _once(fill: Fill) -> Fill:
    return lambda place, n: fill(place, n) | {"duplicationAvoider": f"once-{n}"}


def _built_in(service: str, method: str, fill: Fill) -> Callable[[Place, int], Asked]:
    return lambda place, n: Asked(f"execute_{service}_{method}", json.dumps(fill(place, n)))


def cases() -> dict[str, Callable[[Place, int], Asked]]:
    """{name: make(place, number) -> the job}: by gs2(), by gs2() with a duplication avoider, as built-in script, and notified."""
    found: dict[str, Callable[[Place, int], Asked]] = {}
    for (service, method), fill in METHODS.items():
        found[f"{service}.{method}"] = _lua(service, method, fill)
        found[f"built-in {service}.{method}"] = _built_in(service, method, fill)
        if _by_name()[service, method].takes_duplication_avoider:
            found[f"{service}.{method}, once"] = _lua(service, method, _once(fill))
    found["job_queue.push_by_user_id, notified"] = _lua("job_queue", "push_by_user_id", _notified)
    return found
