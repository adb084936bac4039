"""Calls that schemathesis makes of the OpenAPI document: valid, broken, and with the names of things that are there."""
from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import hypothesis
import requests
import schemathesis
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from bench.fuzzing.judge import Answer, door_of
from bench.fuzzing.wire import Call
from bench.fuzzing.world import MISSING, RIGHT, WRONG, World, as_query

HELD_TO = [checks.status_code_conformance, checks.content_type_conformance, checks.response_schema_conformance]
# What says who asks; the rest of a made call stays.
WHO = {"authorization", "x-auth-token", "x-gs2-access-token", "x-ncp-iam-access-key", "x-ncp-apigw-timestamp",
       "x-ncp-apigw-signature-v2"}  # fmt: skip
# What would take the things away that others still name; asked with a dry run, which SourceDeploy and ASM do not know.
DESTROYS = re.compile(r"delete|Delete|clean|rollback|reject", re.IGNORECASE)

schemathesis.serializer.alias("application/zip", "application/octet-stream")
# hypothesis remembers things of a process without a lock.
_drawing = threading.Lock()


class Documented:
    """One operation of the document: its calls, and what the document says of an answer."""

    def __init__(self, operation: Any, world: World, sample: dict[str, Any], known: dict[str, str]) -> None:
        self._operation, self._world = operation, world
        self._sample, self._known = sample, known
        self.label = f"{operation.method.upper()} {operation.path}"
        self.name = operation.definition.raw.get("operationId", self.label)
        self.door = door_of(operation.path)
        self.guarded = bool(operation.definition.raw.get("security"))

    def good(self) -> Call:
        """The call of the sample, in full, by the right caller."""
        verb = self._operation.method.upper()
        rest = dict(self._sample)

        def piece(found: re.Match[str]) -> str:
            return quote(str(rest.pop(found[1], self._known.get(found[1], "x"))), safe="")

        path = re.sub(r"{(\w+)}", piece, self._operation.path)
        body = b""
        if verb in ("POST", "PUT", "PATCH"):
            body = json.dumps(rest).encode()
        elif rest:
            path += "?" + urlencode({name: as_query(value) for name, value in rest.items()})
        headers = {"Content-Type": "application/json"} | self._dry(True)
        return Call(verb, path, headers | self._world.authorization(RIGHT, self.door, verb, path), body, RIGHT)

    def made(self, count: int, seed: int) -> Iterator[tuple[Call, Any, Any]]:
        """(call, case of schemathesis, the request as prepared): `count` that the document allows, as many that it does not."""
        dice = random.Random(f"{seed} {self.name}")
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            cases: list[Any] = []
            self._draw(mode, count, cases)
            for case in cases:
                if found := self._call(case, dice):
                    yield found

    def _draw(self, mode: GenerationMode, count: int, into: list[Any]) -> None:
        @hypothesis.settings(max_examples=count, deadline=None, database=None, derandomize=True,
                             phases=[hypothesis.Phase.generate], suppress_health_check=list(hypothesis.HealthCheck))
        @hypothesis.given(self._operation.as_strategy(generation_mode=mode))
        def draw(case: Any) -> None:
            into.append(case)

        try:
            with _drawing:
                draw()
        except (hypothesis.errors.Unsatisfiable, hypothesis.errors.InvalidArgument):
            pass  # nothing that the document forbids can be sent, such as no parameters at all

    def _call(self, case: Any, dice: random.Random) -> tuple[Call, Any, Any] | None:
        self._name_what_is_there(case, dice)
        try:
            kwargs = case.as_transport_kwargs(base_url="http://x")
            kwargs.pop("cookies", None)
            prepared = requests.Request(**{key: value for key, value in kwargs.items() if key in (
                "method", "url", "headers", "params", "json", "data", "files")}).prepare()
        except (requests.RequestException, ValueError, UnicodeError):
            return None  # no client could send it
        who = dice.choice([RIGHT] * 6 + [MISSING, *WRONG, "as made"])
        headers = {name: value if isinstance(value, str) else value.decode("latin-1") for name, value in prepared.headers.items()
                   if name.lower() != "content-length" and (who == "as made" or name.lower() not in WHO)}
        path = prepared.path_url if prepared.path_url.isascii() else quote(prepared.path_url, safe="/%?&=")
        if who != "as made":
            way = "signature right" if self.door == "sourcedeploy" and who == RIGHT and dice.random() < 0.5 else who
            headers |= self._world.signed(case.method, path) if way == "signature right" else self._world.authorization(
                who, self.door, case.method, path)
        headers |= self._dry(dice.random() < 0.8)
        body = prepared.body or b""
        if isinstance(body, str):
            body = body.encode("utf-8", "replace")
        return Call(case.method, path, headers, body, who), case, prepared

    def _dry(self, wanted: bool) -> dict[str, str]:
        return {"X-GS2-DRY-RUN": "true"} if wanted and DESTROYS.search(self.name) else {}

    def _name_what_is_there(self, case: Any, dice: random.Random) -> None:
        """Without this nearly every call ends at a name that nobody has."""
        for place in (case.path_parameters, case.query, case.body):
            if isinstance(place, dict):
                always = place is case.path_parameters and dice.random() < 0.7
                for name in place:
                    good = self._sample.get(name, self._known.get(name) if place is case.path_parameters else None)
                    if good is not None and (always or dice.random() < 0.3):
                        place[name] = quote(str(good), safe="") if place is case.path_parameters else good

    def broken_promises(self, case: Any, prepared: Any, answer: Answer, seconds: float) -> list[str]:
        """What the document says otherwise of this answer."""
        headers = {name: [value] for name, value in answer.headers.items()}
        response = schemathesis.Response(answer.status, headers, answer.body, prepared, seconds, verify=False)
        try:
            case.validate_response(response, checks=HELD_TO)
        except BaseExceptionGroup as group:
            return [f"{type(each).__name__}: {' '.join(str(each).split())[:300]}" for each in group.exceptions]
        return []


def operations(document: dict[str, Any], world: World, samples: dict[str, dict], known: dict[str, str]) -> list[Documented]:
    """All operations of a document, what destroys things last."""
    schema = schemathesis.openapi.from_dict(document)
    found = [Documented(result.ok(), world, samples.get(_id(result.ok()), {}), known) for result in schema.get_all_operations()]
    return sorted(found, key=lambda one: bool(DESTROYS.search(one.name)))


def _id(operation: Any) -> str:
    return operation.definition.raw.get("operationId", "")
