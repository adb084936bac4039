"""The database's clock, which decides what is due, so that hosts whose clocks differ agree."""
from __future__ import annotations

from datetime import datetime

from django.db.models import DateTimeField
from django.db.models.functions import Now

from stages.models import Rollout


def clock_of(rollout: Rollout) -> datetime:
    """What time it is, asked of the database with the rollout's row."""
    rows = Rollout.objects.filter(pk=rollout.pk).annotate(clock=Now(output_field=DateTimeField()))
    return rows.values_list("clock", flat=True).get()
