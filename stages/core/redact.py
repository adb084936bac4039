"""What the activity log may say of addresses: every member reads it, and addresses hold tokens."""
from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from stages.steps.urls import parse


def told(url: str, *, path: bool = True) -> str:
    """An address without its query, and without its path too where that is the secret (path=False, as of chat webhooks).

    What was left out is told by a mark, so that a change of it is seen: `https://chat.example.com/… (1f3870be)`.
    """
    try:
        found = parse(url)
    except ValueError:
        return "…"
    shown = found.shown if path else f"{found.scheme}://{found.host_header}/"
    if shown == found.text:
        return shown
    return f"{shown}… ({hashlib.sha256(url.encode()).hexdigest()[:8]})"


def told_in(facts: Any) -> Any:
    """A configuration with every `url` in it told so; everything else stays."""
    if isinstance(facts, Mapping):
        return {name: told(value) if name == "url" and isinstance(value, str) and value else told_in(value)
                for name, value in facts.items()}
    if isinstance(facts, (list, tuple)):
        return [told_in(each) for each in facts]
    return facts
