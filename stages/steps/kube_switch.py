"""The switch of blue/green: the Services' selectors name the other colour."""
from __future__ import annotations

from typing import Any

from . import kube_state as state
from .base import NOTE, StepFailed
from .cluster import Refused
from .kube_work import Work


def switch(work: Work) -> str:
    """Send players to the other colour; no Service is changed unless each of them would find a ready pod there."""
    ctx, colour = work.ctx, work.ctx.colour
    services = {name: _service(work, name) for name in _names(work)}
    for name, service in services.items():
        selector = {**(service["spec"].get("selector") or {}), state.COLOUR: colour}
        if not _ready(work, selector):
            raise StepFailed(
                f"No ready pod has the labels of Service {name} and {colour}: {_text(selector)}. No Service was changed."
                f" The pods of the Deployment of {colour} need the label {state.COLOUR}={colour} in their template."
            )
    if "selectors" not in ctx.memo:
        before = {name: (service["spec"].get("selector") or {}).get(state.COLOUR) for name, service in services.items()}
        ctx.remember(selectors=before, colour=colour)
    return _send(work, dict.fromkeys(services, colour))


def switch_back(work: Work) -> str:
    """Put back what each Service had; one that had no colour has none again."""
    done = work.ctx.memo.get("done", {})
    before = done.get("selectors")
    if before is None:  # nothing was switched, or by a release that did not remember it
        now = {name: (_service(work, name)["spec"]["selector"]).get(state.COLOUR) for name in _names(work)}
        before = {name: work.ctx.colour for name, colour in now.items() if colour not in {None, work.ctx.colour}}
    return _send(work, before) if before else "No Service had been switched."


def _names(work: Work) -> list[str]:
    return [work.filled("service", service=each) for each in work.ctx.config.get("services", [])]


def _service(work: Work, name: str) -> dict[str, Any]:
    found = work.cluster.service(name)
    if found is None:
        raise StepFailed(f"There is no Service {name} in the namespace {work.namespace}. No Service was changed.")
    if not found["spec"].get("selector"):
        raise StepFailed(f"Service {name} has no selector, so it can not be sent to a colour. No Service was changed.")
    return found


def _ready(work: Work, selector: dict[str, str]) -> int:
    """How many ready pods have these labels. Raises StepFailed when that cannot be seen: nobody may be sent to nowhere."""
    try:
        return sum(state.is_ready(pod) for pod in work.cluster.pods(_text(selector)))
    except Refused as no:
        colour = work.ctx.colour
        raise StepFailed(f"Whether a pod of {colour} would answer can not be seen, so no Service was changed. {no}") from None


def _send(work: Work, colours: dict[str, str | None]) -> str:
    """Set the colour of each Service and say what its selector is then."""
    for name, colour in colours.items():
        stored = work.cluster.patch_service(name, {"spec": {"selector": {state.COLOUR: colour}}})
        selector = stored["spec"].get("selector") or {}
        if selector.get(state.COLOUR) != colour:
            raise StepFailed(f"Service {name} did not take the colour {colour}: its selector is {_text(selector)}.")
        work.ctx.emit(f"Service {name} sends to {colour or 'every colour'} now: {_text(selector)}.", NOTE)
    found = " and ".join(sorted({colour or "every colour" for colour in colours.values()})) or work.ctx.colour
    return f"1 Service sends to {found} now." if len(colours) == 1 else f"{len(colours)} Services send to {found} now."


def _text(selector: dict[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in selector.items())
