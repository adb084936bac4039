"""How a holding ends, and how long a refused caller should wait. No database."""
from __future__ import annotations

import math
import random
from dataclasses import dataclass

from django.db import models

# 3000-01-01 in Unix milliseconds: later times are refused by some SDKs.
FOREVER_MS = 32_503_680_000_000
MAX_TTL_S = 9_223_372_036_854_775_805


class Ended(models.TextChoices):
    """How a holding ended. A mutex that was never held, or is held now after an orderly end, has none."""

    UNLOCKED = "unlocked", "Unlocked"
    EXPIRED = "expired", "Expired without unlock"
    DELETED = "deleted", "Deleted"
    FORCED = "forced", "Released by force"


@dataclass(frozen=True)
class Wait:
    """When to try again. ms: exact. s: whole seconds, at least one, for the header Retry-After."""

    ms: int
    s: int


FIRST_WAIT_MS, MAX_WAIT_MS = 10, 2_000


def wait_for(*, left_ms: int, held_ms: int, crowd: float, chance: float | None = None) -> Wait:
    """When to try again: with jitter, and not long after the mutex expires.

    The wait is half the time that the mutex is held already, times the number of waiters. All waiters together then try about
    as often as the mutex changes hands, and their tries do not delay the holder's unlock. left_ms: until it expires.
    held_ms: since its holder acquired it. crowd: how many wait. chance: 0 to 1, for the jitter.
    """
    dice = random.random() if chance is None else chance
    pressure = min(max(FIRST_WAIT_MS, max(1.0, crowd) * held_ms / 2), MAX_WAIT_MS)
    ms = max(1, min(round(pressure * (0.5 + dice)), left_ms + round(FIRST_WAIT_MS * dice) + 1))
    return Wait(ms, math.ceil(ms / 1000))


def ttl_ms(ttl_s: int) -> int:
    """A time to live in milliseconds, short enough to be added to any time of ours."""
    return min(ttl_s, FOREVER_MS // 1000) * 1000
