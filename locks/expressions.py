"""The expression that an index of mutexes is made of. A migration imports it: its SQL and its place never change."""
from __future__ import annotations

from django.db import models
from django.db.models import Func

# An index of PostgreSQL takes no 1,024 characters; so many are enough to find a property by its beginning.
FRONT = 120


class Front(Func):
    """The first FRONT characters of a text. The length is no parameter: SQLite uses the index for this very expression alone."""

    template = f"SUBSTR(%(expressions)s, 1, {FRONT})"
    output_field = models.CharField(max_length=FRONT)
