"""A stand-in for a Kubernetes API server: refuses every request that the published OpenAPI document does not know.

Path, verb, query, content type and body are checked against tests/steps/vendor/kubernetes-openapi.json (its source and
licence are in it); unknown fields are refused as fieldValidation=Strict would. A controller moves Deployments on.
"""
from __future__ import annotations

import copy
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

DOCUMENT = json.loads((Path(__file__).parent / "vendor" / "kubernetes-openapi.json").read_text())
DEPLOYMENT, SERVICE = "io.k8s.api.apps.v1.Deployment", "io.k8s.api.core.v1.Service"
TYPES = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list, "number": (int, float)}


def violations(value, schema, at="body", *, patch=False) -> list[str]:
    """What is wrong with a value by an OpenAPI 2 schema. patch: a strategic merge patch, where required fields may lack."""
    if "$ref" in schema:
        return violations(value, DOCUMENT["definitions"][schema["$ref"].split("/")[-1]], at, patch=patch)
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
            if known and name in known:
                found += violations(each, known[name], f"{at}.{name}", patch=patch)
            elif rest:
                found += violations(each, rest, f"{at}.{name}", patch=patch)
            elif known:
                found.append(f"{at}.{name} is unknown")
        if not patch:
            found += [f"{at}.{name} is missing" for name in schema.get("required", []) if name not in value]
    return found


def merged(old, new):
    """A strategic merge patch of containers by name, as the API has it for Deployments; maps are merged, the rest replaced."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{key: merged(old.get(key), value) for key, value in new.items()}}
    if isinstance(old, list) and isinstance(new, list) and all(isinstance(each, dict) and "name" in each for each in [*old, *new]):
        by_name = {each["name"]: each for each in old}
        for each in new:
            by_name[each["name"]] = merged(by_name.get(each["name"], {}), each)
        return list(by_name.values())
    return copy.deepcopy(new)


class ApiServer:
    """objects: {(kind, namespace, name): object}. wrong lists every request that broke the document. looks: how often a
    Deployment has to be read until it is ready; None: never. refuse: (status, message) for every write."""

    def __init__(self) -> None:
        self.objects, self.wrong, self.calls = {}, [], []
        self.looks, self.refuse, self.stuck = 2, None, False
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
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join(5)

    def add(self, name: str, image: str, replicas: int = 2) -> None:
        """A Deployment and its Service, ready."""
        labels = {"app": name}
        self.objects["deployments", "game", name] = {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "game", "generation": 1},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels, "annotations": {"note": "kept"}}, "spec": {"containers": [
                    {"name": name, "image": image, "env": [{"name": "A", "value": "b"}]}, {"name": "proxy", "image": "proxy:1"},
                ]},
            }},
            "status": {"observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas, "availableReplicas": replicas},
        }
        self.objects["services", "game", name] = {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"selector": {"app": name}},
        }

    def image(self, name: str, container: str | None = None) -> str:
        containers = self.objects["deployments", "game", name]["spec"]["template"]["spec"]["containers"]
        return next(each["image"] for each in containers if each["name"] == (container or name.removesuffix("-gray")))

    def answer(self, request) -> tuple[int, dict]:
        split, verb = urlsplit(request.path), request.command.lower()
        raw = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        body = json.loads(raw) if raw else None
        self.calls.append((verb, split.path))
        problems, found = self._check(verb, split, body, request.headers.get("Content-Type", ""))
        if problems:
            self.wrong += [f"{verb} {split.path}: {problem}" for problem in problems]
            return 400, _status(400, "; ".join(problems))
        if self.refuse and verb != "get":
            return self.refuse[0], _status(*self.refuse)
        return self._act(verb, found, body)

    def _check(self, verb, split, body, content_type):
        for path, verbs in DOCUMENT["paths"].items():
            match = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path), split.path)
            if not match:
                continue
            operation = verbs.get(verb)
            if operation is None:
                return [f"{verb} is not published for {path}"], None
            kind = path.split("/")[-2] if path.endswith("{name}") else path.split("/")[-1]
            schema = {"deployments": DEPLOYMENT, "services": SERVICE}[kind]
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
            known = {each.get("name") for each in operation["parameters"]} | {"pretty", "dryRun", "fieldManager", "force"}
            problems += [f"query {name} is unknown" for name in parse_qs(split.query) if name not in known]
            return problems, (kind, match["namespace"], match.groupdict().get("name"))
        return [f"no published path {split.path}"], None

    def _act(self, verb, found, body) -> tuple[int, dict]:
        kind, namespace, name = found
        if verb == "post":
            key = (kind, namespace, body["metadata"]["name"])
            if key in self.objects:
                return 409, _status(409, "already exists")
            self.objects[key] = {**copy.deepcopy(body), "status": {}}
            self._changed(self.objects[key])
            return 201, self.objects[key]
        thing = self.objects.get((kind, namespace, name))
        if thing is None:
            return 404, _status(404, f'{kind} "{name}" not found')
        if verb == "delete":
            del self.objects[kind, namespace, name]
            return 200, _status(200, "deleted")
        if verb == "patch":
            thing = self.objects[kind, namespace, name] = merged(thing, body)
            if kind == "deployments":
                self._changed(thing)
        elif kind == "deployments":
            self._move(thing)
        return 200, thing

    @staticmethod
    def _changed(thing) -> None:
        thing["metadata"]["generation"] = thing["metadata"].get("generation", 0) + 1
        thing["left"] = None

    def _move(self, thing) -> None:
        """The controller: some reads after a change it is all there."""
        if "left" not in thing:
            return
        thing["left"] = self.looks if thing["left"] is None else thing["left"] - 1 if self.looks is not None else 1
        wanted, status = thing["spec"].get("replicas", 1), thing.setdefault("status", {})
        status["observedGeneration"] = thing["metadata"]["generation"]
        if self.stuck:
            status["conditions"] = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
                                     "message": "ReplicaSet has timed out progressing."}]
        if thing["left"] == 0:
            status |= {"replicas": wanted, "updatedReplicas": wanted, "availableReplicas": wanted}
            del thing["left"]
        else:
            status |= {"replicas": wanted + 1, "updatedReplicas": 1, "availableReplicas": wanted}


def _status(code: int, message: str) -> dict:
    return {"kind": "Status", "apiVersion": "v1", "status": "Success" if code < 300 else "Failure", "message": message, "code": code}
