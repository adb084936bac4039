"""A promote of a part: some of the microservices that differ between the source and the stage. Functions of their arguments."""
from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from gs2admin.errors import Invalid
from stages.core.versions import Change, differences, effective

NAMED = 5


@dataclass(frozen=True)
class Part:
    """What a promote applies.

    versions: {microservice: version} of the stage after it. names: the microservices that were chosen, in order; empty when
    all that differ go. behind: the changes that stay behind.
    """

    versions: Mapping[str, str]
    names: tuple[str, ...] = ()
    behind: list[Change] = field(default_factory=list)


def part_of(now: Mapping[str, str], wanted: Mapping[str, str], only: Collection[str] = ()) -> Part:
    """What a promote applies when `only` these microservices go; all do when it is empty.

    now: what the stage pins, wanted: what its source has, {microservice: version}. A part that leaves nothing behind is the
    whole. Raises Invalid for a name that neither side has.
    """
    if not only:
        return Part(wanted)
    chosen = set(only)
    if unknown := sorted(chosen - {*now, *wanted}):
        raise Invalid(
            f"Neither the stage nor its source has {'a microservice' if len(unknown) == 1 else 'microservices'} "
            f"{listed(unknown)}.",
            component="stage", message="freeze.stage.microservices.error.notFound", extra={"field": "microservices"},
        )
    mixed = {name: version for name, version in now.items() if name not in chosen}
    mixed |= {name: version for name, version in wanted.items() if name in chosen}
    behind = effective(differences(mixed, wanted))
    return Part(mixed, tuple(sorted(chosen)), behind) if behind else Part(wanted)


def listed(names: Collection[str]) -> str:
    """`a, b and 3 more`, for sentences."""
    first = sorted(names)[:NAMED]
    more = len(names) - len(first)
    return ", ".join(first) + (f" and {more} more" if more else "")
