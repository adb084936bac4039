"""Reads of stages, versions and rollouts that several rooms share, as queryset methods. They do not look at rights."""
from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import OuterRef, Q, Subquery
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from gs2admin.db.prepared import Places, Prepared
from stages.states import LIVE, WORKABLE, Kind, RolloutState


class VersionQuerySet(models.QuerySet):
    """Reads of registered versions."""

    def of_project(self, project_id: int) -> VersionQuerySet:
        """All versions of one project, newest first."""
        return self.filter(microservice__project_id=project_id)

    def latest(self, project_id: int) -> dict[str, str]:
        """Per microservice the version registered last that is not withdrawn: {name: version}, one query.

        This is the source of a stage without a source stage (contract: decisions, Freeze).
        """
        return dict(_LATEST.rows(project=project_id))


class _Latest(NamedTuple):
    name: str
    newest: str


def _latest(at: Places) -> models.QuerySet:
    # models imports this file, so they are found by their names.
    newest = apps.get_model("stages", "Version").objects.filter(microservice=OuterRef("pk"), withdrawn_at=None).order_by("-id")
    services = apps.get_model("stages", "Microservice").objects.filter(project_id=at.project)
    return services.annotate(newest=Subquery(newest.values("version")[:1])).exclude(newest=None).order_by("name")


_LATEST = Prepared(_Latest, _latest)


class StageQuerySet(models.QuerySet):
    """Reads of stages."""

    def existing(self, project_id: int) -> StageQuerySet:
        """The project's stages that were not deleted, in display order."""
        return self.filter(project_id=project_id, deleted_at=None).order_by("sort_number", "name")

    def with_last_rollout(self) -> StageQuerySet:
        """Annotate `last_rollout_id`, `last_state`, `last_consistent` of the rollout that decides the stage's status.

        That is the live one, else the last that ever reached running (contract: rollout_states, section 2); not one that
        still waits for its turn.
        """
        return self.annotate(
            last_rollout_id=_deciding("id", models.BigIntegerField()),
            last_state=_deciding("state", models.CharField()),
            last_consistent=_deciding("consistent", models.BooleanField()),
        )

    def with_last_number(self) -> StageQuerySet:
        """Annotate `last_number`, that rollout's number."""
        return self.annotate(last_number=_deciding("number", models.IntegerField()))


def _deciding(column: str, kind: models.Field) -> RawSQL:
    """A column of the rollout that decides a stage's status, found by one step into an index.

    Written out, because Django takes half a millisecond to put each such subquery together, and every read of a stage has it.
    """
    live = sorted(LIVE)
    return RawSQL(
        f"(SELECT deciding.{column} FROM stages_rollout deciding WHERE deciding.stage_id = stages_stage.id"
        f" AND (deciding.started_at IS NOT NULL OR deciding.state IN ({', '.join(['%s'] * len(live))})) AND NOT deciding.waiting"
        " ORDER BY deciding.id DESC LIMIT 1)",
        live, output_field=kind,
    )


class RolloutQuerySet(models.QuerySet):
    """Reads of rollouts."""

    def of_project(self, project_id: int) -> RolloutQuerySet:
        """All rollouts of one project, newest first."""
        return self.filter(project_id=project_id).order_by("-id")

    def live(self) -> RolloutQuerySet:
        """Past approval and not final; of a stage at most one that does not wait for its turn."""
        return self.filter(state__in=sorted(LIVE))

    def lost(self) -> RolloutQuerySet:
        """Rollouts that need a worker and have none, and for which none was woken just now."""
        waited = Q(woken_at=None, created_at__lt=Now() - timedelta(seconds=5)) | Q(woken_at__lt=Now() - timedelta(seconds=10))
        rows = self.filter(waited, state__in=sorted(WORKABLE), waiting=False)
        return rows.filter(Q(lease_until=None) | Q(lease_until__lt=Now()))

    def undoable(self, stage_id: int) -> RolloutQuerySet:
        """Succeeded rollouts that replaced versions by others and were not rolled back since, newest first; no rollbacks.

        The first is what a rollback undoes; so rolling back twice goes two rollouts back.
        """
        undone = self.model.objects.filter(undoes=OuterRef("pk"), state=RolloutState.SUCCEEDED)
        return (
            self.filter(stage_id=stage_id, state=RolloutState.SUCCEEDED, from_set__size__gt=0)
            .exclude(kind=Kind.ROLLBACK)
            .exclude(from_set=models.F("to_set"))
            .filter(~models.Exists(undone))
            .order_by("-id")
        )


class OutputQuerySet(models.QuerySet):
    """Reads of output."""

    def kept(self) -> OutputQuerySet:
        """Output that clients may still see: nothing older than OUTPUT_KEEP_DAYS, also before the cleaner has removed it."""
        return self.filter(at__gt=Now() - timedelta(days=settings.OUTPUT_KEEP_DAYS))
