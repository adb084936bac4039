"""Spans of time that counts are kept for."""
from __future__ import annotations

from datetime import UTC, datetime


def span_of(at: datetime, seconds: int) -> datetime:
    """The beginning, in UTC, of the span of so many seconds that a moment lies in."""
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)
