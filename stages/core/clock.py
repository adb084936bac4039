"""The database's clock. It decides what is due, so that hosts whose clocks differ agree."""
from __future__ import annotations

from datetime import datetime

from django.db.models import DateTimeField
from django.db.models.functions import Now

from stages.models import Rollout


def clock_of(rollout: Rollout) -> datetime:
    """The database's time, read with the rollout's row; one query."""
    rows = Rollout.objects.filter(pk=rollout.pk).annotate(clock=Now(output_field=DateTimeField()))
    return rows.values_list("clock", flat=True).get()
