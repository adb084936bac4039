"""Pure functions on sets of versions: digests, order, differences."""
from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from sys import intern

_PLAIN = re.compile(r"v?(\d+(?:\.\d+)*)(?:[-_.+]?([A-Za-z].*|[-+].*))?\Z")


def canonical(value: object) -> str:
    """JSON text that is equal exactly when the value is."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def order_key(version: str) -> tuple | None:
    """A sort key for versions like 1.9.1, v2.0, 2.0.0-rc2; None for names without an order, such as a commit hash.

    A suffix comes before the bare version, as in semantic versioning; digits inside it count as numbers.
    """
    found = _PLAIN.match(version)
    if not found:
        return None
    numbers = [int(part) for part in found[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    suffix = found[2] or ""
    if suffix.startswith("+"):
        suffix = ""
    parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.findall(r"\d+|\D+", suffix))
    return tuple(numbers), not suffix, parts


def is_downgrade(old: str, new: str) -> bool:
    """Whether `new` is lower than `old`; False for versions without an order."""
    before, after = order_key(old), order_key(new)
    return before is not None and after is not None and after < before


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one microservice. kind: added, removed, changed, downgraded, redeployed or same.

    old and new are versions; empty where there is none.
    """

    name: str
    old: str
    new: str
    kind: str

    @property
    def sentence(self) -> str:
        """`service old -> new`, for the output and lists."""
        return f"{self.name} {self.old or 'none'} -> {self.new or 'removed'}"


def differences(old: Mapping[str, str], new: Mapping[str, str], unsure: Iterable[str] = ()) -> list[Change]:
    """One Change per microservice of either side, ordered by name.

    old, new: {microservice: version}. unsure: microservices that an unfinished rollout may have left on another version
    than the pinned one; where the pin does not change they are deployed again (redeployed).
    """
    left = set(unsure)
    found = []
    for name in sorted({*old, *new, *left}):
        # Each name and version is one object, in however many differences it stands: the board keeps hundreds of them.
        name, before, after = intern(str(name)), intern(str(old.get(name, ""))), intern(str(new.get(name, "")))
        if before == after:
            kind = "redeployed" if name in left else "same"
        elif not before:
            kind = "added"
        elif not after:
            kind = "removed"
        else:
            kind = "downgraded" if is_downgrade(before, after) else "changed"
        found.append(Change(name, before, after, kind))
    return found


def effective(changes: Iterable[Change]) -> list[Change]:
    """The changes that a rollout has to carry out."""
    return [change for change in changes if change.kind != "same"]
