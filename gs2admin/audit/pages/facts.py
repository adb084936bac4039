"""Before and after of one line, as a table that people read."""
from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

# Of no use to a reader; the table below the line has it.
DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Fact:
    """One property. old, new: text, empty where there was none. long: whether it needs lines of its own.

    count: of how many things it consists, None for a single value.
    """

    name: str
    old: str
    new: str
    changed: bool
    long: bool
    count: int | None = None


def facts(before: Any, after: Any) -> list[Fact]:
    """The properties of both sides: first the changed ones, of these what was there before, then single values, by name.

    (PostgreSQL does not keep the order in which they were written.)
    """
    old = before if isinstance(before, dict) else {} if before is None else {"value": before}
    new = after if isinstance(after, dict) else {} if after is None else {"value": after}
    found = []
    for name in [*old, *(name for name in new if name not in old)]:
        was, now = _text(old.get(name)), _text(new.get(name))
        value = new[name] if name in new else old[name]
        count = len(value) if isinstance(value, (dict, list)) else None
        found.append(Fact(str(name).replace("_", " "), was, now, was != now, "\n" in was + now, count))
    return sorted(found, key=lambda fact: (not fact.changed, not fact.old, fact.count is not None, fact.name))


def brief(found: list[Fact], *, two_sides: bool) -> str:
    """What changed in one line: short values are shown, of long ones the name, of lists how long they are now; of many
    properties the count. What was not there before has no arrow."""
    changed = [fact for fact in found if fact.changed and not DIGEST.fullmatch(fact.new)]
    if len(changed) > 3:
        return f"{len(changed)} properties"
    return ", ".join(_brief(fact, two_sides) for fact in changed)


def _brief(fact: Fact, two_sides: bool) -> str:
    if fact.long or len(fact.old) + len(fact.new) > 60:
        return fact.name if fact.count is None or fact.old else f"{fact.name}: {fact.count}"
    if two_sides and fact.old:
        return f"{fact.name}: {fact.old or 'none'} → {fact.new or 'none'}"
    return f"{fact.name}: {fact.new or fact.old}"


def _text(value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (dict, list)):
        return json.dumps(value, indent=2, ensure_ascii=False) if value else "none"
    return str(value)
