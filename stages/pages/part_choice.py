"""The choice of microservices on the page of a promote, as its address holds it: `?part=1&only=auth&only=mail`."""
from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest

from stages.core.versions import Change
from stages.plan.previews import Preview

MOST = 1000


@dataclass(frozen=True)
class Row:
    """A microservice that differs. change: what the promote does with it, or would; fixed: it is deployed again in any case.

    alone: the address that chooses it alone.
    """

    change: Change
    chosen: bool
    fixed: bool = False

    @property
    def alone(self) -> str:
        """The address of the preview in which it goes alone."""
        return "?" + urlencode({"part": 1, "only": self.change.name})


@dataclass(frozen=True)
class Asked:
    """What the address asks for. only: names; nothing: a choice was made, and it is empty."""

    only: tuple[str, ...]
    nothing: bool


def asked_of(request: HttpRequest) -> Asked:
    """Read the address; without a choice in it all go."""
    only = tuple(request.GET.getlist("only")[:MOST])
    return Asked(only, nothing="part" in request.GET and not only)


def rows_of(preview: Preview, asked: Asked) -> list[Row]:
    """One row per microservice that differs from the source, by name: those that go and those that stay behind.

    One that stays behind is shown with the version that waits for it, also where it is deployed again as it is pinned.
    """
    behind = {change.name: Row(change, False) for change in preview.behind}
    found = dict(behind)
    for change in preview.effective:
        if change.name not in behind:
            fixed = change.kind == "redeployed"
            found[change.name] = Row(change, fixed or not asked.nothing, fixed)
    return [found[name] for name in sorted(found)]
