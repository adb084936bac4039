"""The two published protocols over HTTP: a signed deployment of each type and a mesh release from their start to their end,
every history held to its schema, and how quick the reads are on eight kept connections."""
from __future__ import annotations

import asyncio
import json
import os
import time
from urllib.parse import urlencode

from django.db import connection

from bench.client import Link, request
from bench.report import SPREAD, spread, table
from bench.server import Server
from bench.world import register, world
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.services.credentials import create_credential
from stages.api.sourcedeploy.schemas import CONFIGS, HISTORY
from stages.api.sourcedeploy.signature import sign
from tests.conditions import until

LINKS, EACH = 8, 250
BASE = "/sourcedeploy/api/v1"
STAGES = {
    "Server": {"serverNo": []}, "AutoScalingGroup": {"autoScalingGroupNo": 31}, "KubernetesService": {"clusterNo": 5},
    "ObjectStorage": {"bucketName": "game"},
}  # fmt: skip
PLAIN = {"strategy": "normal", "rollback": True, "file": {"type": "later"}}
MANUAL = {"strategy": "canary", "canaryConfig": {"analysisType": "manual", "canaryCount": 1, "timeout": 30}}
STORAGE = {"file": {"type": "later"}}
SCENARIOS = {"Server": PLAIN, "AutoScalingGroup": PLAIN, "KubernetesService": MANUAL, "ObjectStorage": STORAGE}
IMAGE = {"spec": {"template": {"spec": {"containers": [{"name": "auth", "image": "game/auth:2.0"}]}}}}
RELEASE = {
    "metadata": {"name": "auth-next"},
    "spec": {"serviceName": "auth", "clusterID": "c", "deploymentName": "auth", "type": "canary",
             "grayDeployments": [{"clusterID": "c", "template": IMAGE}]},
}  # fmt: skip


class Client:
    """A credential that signs, and the token of the same, at one server."""

    def __init__(self, server: Server, project: int, key: str, secret: str) -> None:
        self.server, self.project, self.key, self.secret = server, project, key, secret
        self.token = server.project_token(key, secret)

    def data(self, verb: str, path: str, body: object = None) -> bytes:
        """A whole request: SourceDeploy's is signed, ASM's has the token."""
        content = b"" if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if path.startswith("/v2/"):
            headers["X-Auth-Token"] = self.token
        else:
            stamp = str(int(time.time() * 1000))
            headers |= {"x-ncp-apigw-timestamp": stamp, "x-ncp-iam-access-key": self.key,
                        "x-ncp-apigw-signature-v2": sign(self.secret, verb, path, stamp, self.key)}  # fmt: skip
        return request(verb, path, host=f"127.0.0.1:{self.server.port}", headers=headers, body=content)

    def ask(self, verb: str, path: str, body: object = None) -> dict:
        """One call that has to succeed. Raises RuntimeError."""

        async def once():
            link = await Link.open("127.0.0.1", self.server.port)
            try:
                return await asyncio.wait_for(link.send(self.data(verb, path, body)), 30)
            finally:
                link.close()

        answer = asyncio.run(once())
        if answer.status >= 300:
            raise RuntimeError(f"{verb} {path}: {answer.status} {answer.body[:300]!r}")
        return json.loads(answer.body or b"{}")


def deployments(client: Client, wrong: list[str]) -> list[list[object]]:
    """One of each type; a row of the table each."""
    rows, base = [], f"{BASE}/project/{client.project}"
    for kind, config in STAGES.items():
        stage = client.ask("POST", f"{base}/stage", {"name": kind, "type": kind, "config": config})["id"]
        scenario = client.ask("POST", f"{base}/stage/{stage}/scenario", {"name": "usual", "config": SCENARIOS[kind]})["id"]
        began = time.monotonic()
        number = client.ask("POST", f"{base}/stage/{stage}/scenario/{scenario}/deploy")["historyId"]
        history = f"{base}/history/{number}"
        if kind == "KubernetesService":
            reach(client, history, "status", "canary_pending")
            client.ask("POST", f"{history}/canary/accept")
        found = reach(client, history, "status", "success")
        wrong += [f"{kind}: {problem}" for problem in misshapen(found, kind)]
        size = len(json.dumps(found, separators=(",", ":")))
        rows.append([kind, f"{(time.monotonic() - began) * 1000:.0f}", size])
    return rows


def reach(client: Client, path: str, member: str, word: str) -> dict:
    """The answer once its member is that word. Raises TooSlow."""
    return until(lambda: (found := client.ask("GET", path)) and found.get(member) == word and found, 30, f"{word} at {path}")


def misshapen(found: dict, kind: str) -> list[str]:
    """What is wrong with a history; jsonschema judges where it is there."""
    import jsonschema

    problems = [error.message for error in jsonschema.Draft202012Validator(HISTORY).iter_errors(found)]
    return problems + [error.message for error in jsonschema.Draft202012Validator(CONFIGS[kind]).iter_errors(found["config"])]


def release(client: Client) -> str:
    """The five calls of ASM and ours; returns the phases that were seen."""
    one, phases = "/v2/meshes/bench/namespaces/Server/releases", []
    uid = client.ask("POST", one, RELEASE)["metadata"]["uid"]

    def phase(word: str) -> None:
        until(lambda: client.ask("GET", f"{one}/{uid}")["status"]["phase"] == word, 30, f"phase {word}")
        phases.append(word)

    phase("Running")
    changed = json.loads(json.dumps(RELEASE).replace("auth:2.0", "auth:2.1"))
    client.ask("PUT", f"{one}/{uid}", {"spec": {"grayDeployments": changed["spec"]["grayDeployments"]}})
    phase("Running")
    client.ask("PUT", f"{one}/{uid}/traffic", {"grayWeight": 100})
    client.ask("DELETE", f"{one}/{uid}?{urlencode({'action': 'finish'})}")
    phase("Finished")
    listed = client.ask("GET", "/v2/meshes/bench/releases")["items"]
    return f"{' → '.join(phases)}; {len(listed)} listed"


def reads(client: Client, path: str) -> tuple[float, list[float]]:
    """Requests per second and each one's ms: LINKS connections, EACH requests on each."""
    found: list[float] = []

    async def one() -> None:
        link = await Link.open("127.0.0.1", client.server.port)
        for _ in range(EACH):
            began = time.perf_counter()
            answer = await asyncio.wait_for(link.send(client.data("GET", path)), 30)
            found.append((time.perf_counter() - began) * 1000)
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status}")
        link.close()

    async def together() -> float:
        began = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(LINKS)))
        return LINKS * EACH / (time.perf_counter() - began)

    return asyncio.run(together()), found


def main() -> bool:
    """Print the tables; True when every answer was as published."""
    here, wrong = world(), []
    row, secret = create_credential(actor=SYSTEM, project=here.project, name="signer", role="admin", signs=True)
    register(here.project, ["auth", "chat"], "1.0")
    with Server(dict(os.environ)) as server:
        client = Client(server, here.project.pk, row.client_id, secret)
        kind = connection.vendor
        rows = deployments(client, wrong)
        table(f"deployments by SourceDeploy, {kind}", ["type", "start to success, ms", "bytes of the detail"], rows)
        print(f"mesh release: {release(client)}")
        history = f"{BASE}/project/{client.project}/history"
        paths = {
            "history detail, signed": f"{history}/1", "history list, signed": f"{history}?pageSize=100",
            "release list": "/v2/meshes/bench/releases",
        }  # fmt: skip
        figures = [(name, *reads(client, path)) for name, path in paths.items()]
        table(f"reads on {LINKS} connections, ms, {kind}", ["", "requests/s", *SPREAD],
              [[name, f"{rate:.0f}", *spread(ms)] for name, rate, ms in figures])
    for text in wrong:
        print("WRONG:", text)
    return not wrong
