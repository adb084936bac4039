"""How numbers are written on the page."""
from __future__ import annotations


def count(x: int | str) -> str:
    """1234567 -> 1,234,567."""
    return f"{x:,}" if isinstance(x, int) else x


def figure(value: float) -> str:
    """As few digits as say something."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:g}"
