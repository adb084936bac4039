"""A stand-in for a Kubernetes API server: refuses every request that the published OpenAPI document does not know.

Path, verb, query, content type and body are checked against tests/steps/vendor/kubernetes-openapi.json (its source and
licence are in it); unknown fields are refused as fieldValidation=Strict would. What it then does is in objects.py.
"""
from __future__ import annotations

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.steps.objects import Objects, refusal

DOCUMENT = json.loads((Path(__file__).parent / "vendor" / "kubernetes-openapi.json").read_text())
DEPLOYMENT, SERVICE = "io.k8s.api.apps.v1.Deployment", "io.k8s.api.core.v1.Service"
TYPES = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list, "number": (int, float)}


def violations(value, schema, at="body", *, patch=False) -> list[str]:
    """What is wrong with a value by an OpenAPI 2 schema. patch: a strategic merge patch, where required fields may lack."""
    if "$ref" in schema:
        return violations(value, DOCUMENT["definitions"][schema["$ref"].split("/")[-1]], at, patch=patch)
    if value is None and patch:
        return []  # it removes the field
    kind = schema.get("type", "object" if "properties" in schema else None)
    if schema.get("format") == "int-or-string":
        return [] if isinstance(value, int | str) else [f"{at} is no number or text"]
    if kind and (not isinstance(value, TYPES[kind]) or (kind == "integer" and isinstance(value, bool))):
        return [f"{at} is {type(value).__name__}, not {kind}"]
    found = []
    if kind == "array":
        for index, each in enumerate(value):
            found += violations(each, schema.get("items", {}), f"{at}[{index}]", patch=patch)
    if isinstance(value, dict):
        known, rest = schema.get("properties"), schema.get("additionalProperties")
        for name, each in value.items():
            if patch and name == "$patch":
                continue
            if known and name in known:
                found += violations(each, known[name], f"{at}.{name}", patch=patch)
            elif rest:
                found += violations(each, rest, f"{at}.{name}", patch=patch)
            elif known:
                found.append(f"{at}.{name} is unknown")
        if not patch:
            found += [f"{at}.{name} is missing" for name in schema.get("required", []) if name not in value]
    return found


class ApiServer:
    """things: the objects, and what happens to them. wrong lists every request that broke the document; calls every request
    as (verb, path). refuse: (status, message) for every write. fail: answers for the next requests, (status, message), or
    "hang" for none until the server closes. forbidden: (verb, kind) pairs that the caller has no right to."""

    def __init__(self) -> None:
        self.things = Objects()
        self.objects, self.wrong, self.calls = self.things.rows, [], []
        self.refuse, self.fail, self.forbidden = None, [], set()
        self.closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one(self):
                status, body = outer.answer(self)
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = handle_one

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # clients that hang up are what some tests are about
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join(5)

    def add(self, name: str, image: str, replicas: int = 2, **more) -> dict:
        """A Deployment and its Service, ready."""
        return self.things.add(name, image, replicas, **more)

    def image(self, name: str, container: str | None = None) -> str:
        pods = self.objects["deployments", "game", name]["spec"]["template"]["spec"]
        found = {each["name"]: each["image"] for part in ("containers", "initContainers") for each in pods.get(part) or []}
        return found[container or name.removesuffix("-gray")]

    def kubeconfig(self, **user) -> dict:
        """The text of a kubeconfig that leads here, as an object. user: its credential, a token without it."""
        return {
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "k", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": user or {"token": "t"}}],
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        }

    def answer(self, request) -> tuple[int, dict]:
        split, verb = urlsplit(request.path), request.command.lower()
        raw = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        body = json.loads(raw) if raw else None
        self.calls.append((verb, split.path))
        problems, found = self._check(verb, split, body, request.headers.get("Content-Type", ""))
        if problems:
            self.wrong += [f"{verb} {split.path}: {problem}" for problem in problems]
            return refusal(400, "; ".join(problems))
        if self.fail:
            answer = self.fail.pop(0)
            if answer == "hang":
                self.closing.wait(60)
                return refusal(503, "closing")
            return refusal(*answer)
        if (verb, found[0]) in self.forbidden:
            return refusal(403, f'{found[0]} is forbidden: User "u" cannot {verb} resource in the namespace "game"')
        if self.refuse and verb != "get":
            return refusal(*self.refuse)
        return self.things.act(verb, found, body, parse_qs(split.query), time.monotonic())

    def _check(self, verb, split, body, content_type):
        for path, verbs in DOCUMENT["paths"].items():
            match = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path), split.path)
            if not match:
                continue
            operation = verbs.get(verb)
            if operation is None:
                return [f"{verb} is not published for {path}"], None
            kind = path.split("/")[-2] if path.endswith("{name}") else path.split("/")[-1]
            schema = {"deployments": DEPLOYMENT, "services": SERVICE, "pods": ""}[kind]
            problems = []
            if body is not None and verb in {"post", "patch"}:
                wanted = operation["consumes"]
                if verb == "patch" and content_type != "application/strategic-merge-patch+json":
                    problems.append(f"content type {content_type}")
                if "*/*" not in wanted and content_type not in wanted:
                    problems.append(f"content type {content_type} is not among {wanted}")
                problems += violations(body, DOCUMENT["definitions"][schema], patch=verb == "patch")
            elif body is not None and verb == "delete":
                problems += violations(body, {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"})
            elif verb in {"post", "patch"}:
                problems.append("no body")
            known = {each.get("name") for each in [*operation["parameters"], *verbs["parameters"]]} | {"pretty", "dryRun", "fieldManager", "force"}
            problems += [f"query {name} is unknown" for name in parse_qs(split.query) if name not in known]
            return problems, (kind, match["namespace"], match.groupdict().get("name"))
        return [f"no published path {split.path}"], None
