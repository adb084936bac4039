"""Addresses without their secrets, for the activity log: every member reads it, and addresses may hold tokens."""
from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from stages.steps.urls import parse


def redact(url: str, *, path: bool = True) -> str:
    """An address without its query, and with path=False without its path too: the secret of a chat's webhook is there.

    A mark stands for what is left out and changes with it: `https://chat.example.com/… (1f3870be)`. "…" for what is no URL.
    """
    try:
        found = parse(url)
    except ValueError:
        return "…"
    shown = found.shown if path else f"{found.scheme}://{found.host_header}/"
    if shown == found.text:
        return shown
    return f"{shown}… ({hashlib.sha256(url.encode()).hexdigest()[:8]})"


def redacted(facts: Any) -> Any:
    """A copy of a configuration (plain JSON) with each text under the name `url` redacted."""
    if isinstance(facts, Mapping):
        return {name: redact(value) if name == "url" and isinstance(value, str) and value else redacted(value)
                for name, value in facts.items()}
    if isinstance(facts, (list, tuple)):
        return [redacted(each) for each in facts]
    return facts
