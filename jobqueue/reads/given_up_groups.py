"""Given-up jobs of a namespace by what went wrong: hundreds of them are a few errors."""
from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Substr

from jobqueue.error_text import alike, error_text
from jobqueue.models import GivenUp, JobResult, Namespace, Script, ScriptVersion
from jobqueue.reads import given_up
from jobqueue.reads.players import SNIPPET
from jobqueue.reads.scripts import known


@dataclass(frozen=True)
class Ran:
    """The script of a group. name: (namespace, name), None when there is none any more. then, now: the newest revision that
    failed so (None where that is not known), and the present one; since: when that one was saved."""

    name: tuple[str, str] | None
    then: int | None = None
    now: int | None = None
    since: datetime | None = None

    @property
    def newer(self) -> bool:
        """Whether the script was changed since the last of them failed."""
        return self.then is not None and self.now is not None and self.now > self.then


@dataclass(frozen=True)
class Group:
    """Jobs that ended by one error. key: names the group in addresses. lines: newest first. ran: the script."""

    key: str
    error: str
    status: int
    script: str
    lines: list[GivenUp]
    ran: Ran

    @property
    def players(self) -> int:
        """How many players they are of."""
        return len({line.user_id for line in self.lines})

    @property
    def since(self) -> datetime:
        """When the first of them was given up."""
        return self.lines[-1].at

    @property
    def last(self) -> datetime:
        """When the last of them was."""
        return self.lines[0].at


@dataclass(frozen=True)
class Groups:
    """The largest first. looked: how many jobs they are made of; more: there are older ones that were not looked at."""

    groups: list[Group]
    looked: int
    more: bool


def groups(namespace: Namespace, words: Mapping[str, Any], *, upto: int | None = None) -> Groups:
    """The newest given_up.MOST jobs that fit the filters (given_up.matching), grouped. Five queries at most."""
    found = list(given_up.matching(namespace, words, upto=upto).select_related("job").defer("job__args")[: given_up.MOST + 1])
    lines = found[: given_up.MOST]
    results = _last_results(lines)
    sorted_out: dict[str, list[GivenUp]] = {}
    errors: dict[str, str] = {}
    for line in lines:
        text = error_text(results[line.job_id].snippet) if line.job_id in results else ""
        key = _key(line, text)
        sorted_out.setdefault(key, []).append(line)
        errors.setdefault(key, text)
    ran = _scripts(namespace, sorted_out, results)
    made = [
        Group(key, errors[key], of[0].status_code, of[0].script, of, ran[key]) for key, of in sorted_out.items()
    ]
    made.sort(key=lambda group: (-len(group.lines), -group.lines[0].pk))
    return Groups(made, len(lines), len(found) > given_up.MOST)


def _key(line: GivenUp, text: str) -> str:
    same = f"{line.script}\0{line.status_code}\0{alike(text, line.user_id)}"
    return hashlib.sha256(same.encode("utf-8", "replace")).hexdigest()[:16]


def _last_results(lines: list[GivenUp]) -> dict[int, JobResult]:
    """The last result of each job, with the beginning of its body as `snippet`."""
    rows = JobResult.objects.filter(job_id__in=[line.job_id for line in lines], try_number=F("job__try_count") - 1)
    rows = rows.order_by().defer("result", "output").annotate(snippet=Substr("result", 1, SNIPPET))
    return {row.job_id: row for row in rows}


def _scripts(namespace: Namespace, sorted_out: dict[str, list[GivenUp]], results: dict[int, JobResult]) -> dict[str, Ran]:
    places = known(namespace.project, {of[0].script for of in sorted_out.values()})
    saved = ScriptVersion.objects.filter(script=OuterRef("pk"), revision=OuterRef("revision")).values("at")[:1]
    rows = Script.objects.filter(
        namespace__project=namespace.project, namespace__name__in={place[0] for place in places.values()},
        name__in={place[1] for place in places.values()},
    ).annotate(saved_at=Subquery(saved)) if places else []  # fmt: skip
    now = {
        (row[0], row[1]): (row[2], row[3])
        for row in (rows.values_list("namespace__name", "name", "revision", "saved_at") if places else [])
    }
    found = {}
    for key, of in sorted_out.items():
        place = places.get(of[0].script)
        revisions = [results[line.job_id].script_revision for line in of if line.job_id in results]
        then = max((revision for revision in revisions if revision), default=None)
        found[key] = Ran(place, then, *now.get(place, (None, None))) if place else Ran(None, then)
    return found
