"""Redacted addresses for the activity log: each member of a project reads it, and addresses may hold tokens."""
from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from stages.steps.urls import parse


def redacted_url(url: str, *, path: bool = True) -> str:
    """An address without its query, and with path=False also without its path, which is the secret of chat webhooks.

    A digest stands for the parts that are left out, so that a change of them is visible:
    `https://chat.example.com/… (1f3870be)`. An address that cannot be parsed is `…`.
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
    """A configuration (nested mappings and lists) with each text under the key `url` redacted; the rest is unchanged."""
    if isinstance(facts, Mapping):
        return {name: redacted_url(value) if name == "url" and isinstance(value, str) and value else redacted(value)
                for name, value in facts.items()}
    if isinstance(facts, (list, tuple)):
        return [redacted(each) for each in facts]
    return facts
