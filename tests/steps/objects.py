"""What the stand-in for a Kubernetes API server has, and what its controllers make of it: Deployments, Services, pods."""
from __future__ import annotations

import copy
import itertools
import json
from typing import Any

KINDS = {"deployments": "Deployment", "services": "Service", "pods": "Pod"}
LISTS_BY_NAME = {"containers", "initContainers", "env", "volumes"}


def refusal(code: int, message: str) -> tuple[int, dict]:
    """The answer of a refusal: a Status object."""
    return code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}


def merged(old: Any, new: Any, field: str = "") -> Any:
    """A strategic merge patch: maps are merged, null removes, lists of containers are merged by name, `$patch: replace` replaces."""
    if isinstance(new, dict):
        if new.get("$patch") == "replace":
            return {key: copy.deepcopy(value) for key, value in new.items() if key != "$patch" and value is not None}
        found = dict(old) if isinstance(old, dict) else {}
        for key, value in new.items():
            if value is None:
                found.pop(key, None)
            else:
                found[key] = merged(found.get(key), value, key)
        return found
    if isinstance(new, list) and field in LISTS_BY_NAME:
        by_name = {each["name"]: each for each in old or []}
        for each in new:
            by_name[each["name"]] = merged(by_name.get(each["name"], {}), each)
        return list(by_name.values())
    return copy.deepcopy(new)


def matches(selector: str, labels: dict[str, str]) -> bool:
    """Whether labels meet a selector of the forms that the steps send."""
    for part in filter(None, split_outside_brackets(selector)):
        if part.startswith("!"):
            good = part[1:] not in labels
        elif " in (" in part or " notin (" in part:
            key, operator, values = part.split(" ", 2)
            good = (labels.get(key) in values.strip("()").split(",")) == (operator == "in")
        elif "=" in part:
            key, _, value = part.partition("=")
            good = labels.get(key) == value
        else:
            good = part in labels
        if not good:
            return False
    return True


def split_outside_brackets(text: str) -> list[str]:
    """Split at the commas that stand in no brackets."""
    parts, depth = [""], 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if char == "," and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return parts


class Objects:
    """rows: {(kind, namespace, name): object}. looks: how often a Deployment has to be read after a change until it is ready;
    None: never. stuck: its progress deadline is exceeded. linger: how often a deleted one is read until it is gone. waiting: the
    reason why the container of a new pod waits. admit: a function that changes what is stored, as an admission webhook does."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.looks: int | None = 2
        self.stuck, self.linger, self.waiting, self.admit = False, 0, "", None
        self._left: dict[str, int] = {}
        self._uids = itertools.count(1)

    def add(self, name: str, image: str, replicas: int = 2, *, container: str = "", init=(), labels=None, **spec) -> dict[str, Any]:
        """A Deployment and its Service, ready."""
        labels = labels or {"app": name}
        pods: dict[str, Any] = {"containers": [
            {"name": container or name, "image": image, "env": [{"name": "A", "value": "b"}]}, {"name": "proxy", "image": "proxy:1"},
        ]}
        if init:
            pods["initContainers"] = [{"name": each, "image": from_} for each, from_ in init]
        row = {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "game"},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, **spec, "template": {
                "metadata": {"labels": dict(labels), "annotations": {"note": "kept"}}, "spec": pods}},
        }
        self._store("deployments", row, 1)
        self._settle(row)
        self.rows["services", "game", name] = {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"selector": {"app": name}},
        }
        return row

    def act(self, verb: str, found: tuple, body: Any, query: dict[str, list[str]], now: float) -> tuple[int, dict]:
        """Carry out a request that fits the document; returns status and body."""
        kind, namespace, name = found
        if kind == "pods":
            wanted = (query.get("labelSelector") or [""])[0]
            items = [pod for pod in self.pods() if matches(wanted, pod["metadata"]["labels"])]
            return 200, {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items[: int(query["limit"][0])]}
        if verb == "post":
            return self._create(kind, namespace, body)
        row = self.rows.get((kind, namespace, name))
        if row is None:
            return refusal(404, f'{kind} "{name}" not found')
        if verb == "delete":
            return self._delete(kind, row, body or {})
        if verb == "patch":
            return self._patch(kind, row, body)
        if kind == "deployments":
            self._move(row)
        return (200, row) if (kind, namespace, name) in self.rows else refusal(404, f'{kind} "{name}" not found')

    def _create(self, kind: str, namespace: str, body: dict[str, Any]) -> tuple[int, dict]:
        name, spec = body["metadata"]["name"], body["spec"]
        if (kind, namespace, name) in self.rows:
            return refusal(409, f'{kind}.apps "{name}" already exists')
        labels = spec["template"]["metadata"]["labels"]
        if any(labels.get(key) != value for key, value in (spec["selector"].get("matchLabels") or {}).items()):
            return refusal(422, f'Deployment.apps "{name}" is invalid: `selector` does not match template `labels`')
        row = copy.deepcopy(body)
        row["metadata"]["namespace"] = namespace
        if self.admit:
            self.admit(row)
        self._store(kind, row, 1)
        return 201, row

    def _store(self, kind: str, row: dict[str, Any], generation: int) -> None:
        row["metadata"] |= {"generation": generation, "uid": f"uid-{next(self._uids)}"}
        row.setdefault("status", {})
        self.rows[kind, row["metadata"]["namespace"], row["metadata"]["name"]] = row
        self._left[row["metadata"]["name"]] = -1

    def _patch(self, kind: str, row: dict[str, Any], body: Any) -> tuple[int, dict]:
        new, name = merged(row, body), row["metadata"]["name"]
        if kind == "deployments":
            if self.admit:
                self.admit(new)
            if new["spec"]["selector"] != row["spec"]["selector"]:
                return refusal(422, f'Deployment.apps "{name}" is invalid: spec.selector: field is immutable')
            if json.dumps(new["spec"], sort_keys=True) != json.dumps(row["spec"], sort_keys=True):
                new["metadata"]["generation"] += 1
                self._left[name] = -1
        row.clear()
        row.update(new)
        return 200, copy.deepcopy(row)

    def _delete(self, kind: str, row: dict[str, Any], options: dict[str, Any]) -> tuple[int, dict]:
        uid = (options.get("preconditions") or {}).get("uid")
        if uid and uid != row["metadata"]["uid"]:
            return refusal(409, "the UID in the precondition does not match the UID in record")
        if self.linger:
            row["metadata"]["deletionTimestamp"] = "2026-11-30T09:00:00Z"
        else:
            del self.rows[kind, row["metadata"]["namespace"], row["metadata"]["name"]]
        return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success", "code": 200}

    def _move(self, row: dict[str, Any]) -> None:
        """The controllers, each time that somebody reads: some reads after a change it is all there."""
        name = row["metadata"]["name"]
        if row["metadata"].get("deletionTimestamp"):
            self.linger -= 1
            if self.linger <= 0:
                del self.rows["deployments", row["metadata"]["namespace"], name]
            return
        left = self._left.get(name)
        if left is None:
            return
        if self.looks is not None and not row["spec"].get("paused"):
            left = self._left[name] = self.looks if left < 0 else left - 1
        status, wanted = row["status"], row["spec"].get("replicas", 1)
        status["observedGeneration"] = row["metadata"]["generation"]
        if self.stuck:
            status["conditions"] = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
                                     "message": "ReplicaSet has timed out progressing."}]
        if left == 0 and not row["spec"].get("paused"):
            self._settle(row)
        else:
            status |= {"replicas": wanted + 1, "updatedReplicas": 1, "readyReplicas": wanted, "availableReplicas": wanted}

    def _settle(self, row: dict[str, Any]) -> None:
        wanted = row["spec"].get("replicas", 1)
        row["status"] = {"observedGeneration": row["metadata"]["generation"], "replicas": wanted, "updatedReplicas": wanted,
                         "readyReplicas": wanted, "availableReplicas": wanted}
        self._left.pop(row["metadata"]["name"], None)

    def pods(self) -> list[dict[str, Any]]:
        """The pods of every Deployment, ready where that is."""
        found = []
        for (kind, _, name), row in self.rows.items():
            if kind == "deployments":
                ready = name not in self._left
                found += [self._pod(name, row, number, ready) for number in range(row["spec"].get("replicas", 1))]
        return found

    def _pod(self, name: str, row: dict[str, Any], number: int, ready: bool) -> dict[str, Any]:
        template = copy.deepcopy(row["spec"]["template"])
        digest = f"h{row['metadata']['generation']}"
        status: dict[str, Any] = {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
        if self.waiting and not ready:
            status["containerStatuses"] = [
                {"name": each["name"], "state": {"waiting": {"reason": self.waiting, "message": "manifest unknown"}}}
                for each in template["spec"]["containers"][:1]
            ]
        return {
            "metadata": {
                "name": f"{name}-{digest}-{number}", "labels": {**template["metadata"]["labels"], "pod-template-hash": digest},
                "ownerReferences": [{"kind": "ReplicaSet", "name": f"{name}-{digest}"}],
            },
            "spec": template["spec"], "status": status,
        }
