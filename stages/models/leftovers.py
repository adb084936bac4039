"""What rollouts have made that serves players until somebody takes it back."""
from __future__ import annotations

from django.db import models

from stages.models.delivery import Stage
from stages.models.rollouts import Step


class Leftover(models.Model):
    """What a begun step of the phase canary or switch may have made: a gray Deployment, Services that send to a colour.

    The row goes when that is taken back, or when what everybody gets has replaced it; so a row of a rollout that has ended
    is something that still serves players. asked_at: somebody asked to take it back; lease_until, attempt: of the worker
    that does. problem: why the last try failed, a sentence.
    """

    step = models.OneToOneField(Step, models.CASCADE, primary_key=True, related_name="leftover")
    stage = models.ForeignKey(Stage, models.CASCADE, related_name="leftovers")
    asked_by = models.CharField(max_length=150, blank=True)
    asked_at = models.DateTimeField(null=True)
    attempt = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    problem = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"what {self.step} left"
