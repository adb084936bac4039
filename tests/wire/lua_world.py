"""What the GS2-Script examples find on the test server, and one of them as it is arranged for, run and looked at.

All but the run itself goes through other doors than a script: plain requests, and the database.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx
from gs2 import script

from tests.wire.lua_samples import source
from tests.wire.players import Players

WORLD = """
import json
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.services.credentials import create_credential
from gs2admin.identity.services.projects import create_project
from jobqueue.models import UserDataRun
from jobqueue.services.namespaces import create_script_namespace
from jobqueue.services.scripts import create_script
from jobqueue.userdata.services import start_clean, start_dump
from jobqueue.userdata.tasks import perform
from stages.models import Rollout
from stages.setup.stages import create_stage
from stages.rollouts.services import promote_stage
from stages.setup.versions import register_version
from stages.worker.tasks import run_rollout
project = create_project(actor=SYSTEM, name="lua", owner_id="lua-owner")
row, secret = create_credential(actor=SYSTEM, project=project, name="game")
space = create_script_namespace(actor=SYSTEM, project=project, name="default")
create_script(actor=SYSTEM, namespace=space, name="script-0001", source="result = {got = args}")
old = [create_stage(actor=SYSTEM, project=project, name=f"old-{form}") for form in ("plain", "async")]
for form in ("plain", "async"):
    create_stage(actor=SYSTEM, project=project, name=f"fresh-{form}", source=old[0])
    for start in (start_dump, start_clean):
        perform(start(actor=SYSTEM, project=project, user_id=f"{start.__name__}-{form}").pk)
for version in ("1.0", "1.1"):
    register_version(actor=SYSTEM, project=project, microservice="battle", version=version)
    for stage in old:
        promote_stage(actor=SYSTEM, stage=stage)
        for rollout in Rollout.objects.live():
            run_rollout(rollout.pk)
print(json.dumps({"clientId": row.client_id, "clientSecret": secret}))
"""
WORK = "from jobqueue.models import UserDataRun\nfrom jobqueue.userdata.tasks import perform\n" + (
    "for pk in list(UserDataRun.objects.filter(state='waiting').values_list('pk', flat=True)): perform(pk)"
)


def _without_nulls(value: Any) -> Any:
    """As Lua has it: a table has no member that is nil."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


@dataclass
class Sample:
    """One example and the things that it names. Called, it runs and returns the script's result."""

    players: Players
    service: str
    method: str
    form: str

    def __post_init__(self) -> None:
        self.ns, self.user = self.players.name("namespace"), self.players.name("user")
        self.names = {"ns": self.ns, "user": self.user, "token": self.players.token(self.user), "stage": f"old-{self.form}"}

    def __call__(self, **names: str) -> Any:
        text = source(self.service, self.method, self.form)
        for name, value in (self.names | names).items():
            text = text.replace(f"<{name}>", value)
        assert "<" not in text
        request = script.InvokeScriptRequest().with_script_id(self.players.script(text)).with_user_id("somebody").with_args("{}")
        done = self.players.scripts.invoke_script(request)
        assert done.code == 200, (done.result, text)
        return json.loads(done.result)

    def ask(self, verb: str, path: str, **body: Any) -> dict[str, Any] | None:
        """A plain request to the example's service, below its root; None when there is no such thing."""
        path = f"/{self.service.replace('_', '-')}/" + path.format(ns=self.ns, user=self.user)
        answer = self.players.server.call(verb, path, who="lua", **({"json": body} if verb != "GET" else {}))
        assert answer.status_code in {200, 404}, answer.text
        return _without_nulls(answer.json()) if answer.status_code == 200 else None

    def namespace(self) -> dict[str, Any] | None:
        """The namespace, if there is one; see `make`."""
        return (self.ask("GET", "{ns}") or {}).get("item")

    def make(self) -> Sample:
        """Make the namespace that the example names."""
        self.ask("POST", "", name=self.ns)
        return self

    def push(self) -> list[str]:
        """Push two jobs in a new namespace; returns their names."""
        self.make()
        jobs = [{"scriptId": "script-0001", "args": json.dumps({"n": number})} for number in (1, 2)]
        return [item["name"] for item in self.ask("POST", "{ns}/user/{user}/job", jobs=jobs)["items"]]

    def waiting(self) -> list[str]:
        """The names of the jobs that wait."""
        return [item["name"] for item in self.ask("GET", "{ns}/user/{user}/job")["items"]]

    def lock(self) -> dict[str, Any]:
        """Lock what the examples lock; once more, if it is locked."""
        self.namespace() or self.make()
        path = "{ns}/user/{user}/mutex/property-0001/lock"
        return self.ask("POST", path, transactionId="transaction-0001", ttl=1000)["item"]

    def mutex(self) -> dict[str, Any] | None:
        """The mutex while it is held."""
        return (self.ask("GET", "{ns}/user/{user}/mutex/property-0001") or {}).get("item")

    def stage(self, name: str) -> dict[str, Any]:
        """A stage, with what the next promote would apply and what is deployed."""
        return self.ask("GET", f"{name}")

    def runs(self, user: str) -> list[tuple[str, str]]:
        """Kind and state of all that was begun with a player's data."""
        return self.players.server.sql(f"SELECT kind, state FROM jobqueue_userdatarun WHERE user_id = '{user}'")

    def work(self) -> None:
        """Do what a worker does for players' data."""
        self.players.server.python(WORK)

    def get(self, url: str) -> httpx.Response:
        """What a link leads to. A script has no request whose host it could name: its links begin at our root."""
        return httpx.get(self.players.server.url + url)
