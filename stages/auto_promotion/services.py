"""Auto-promotion: its settings, the end of a hold after a rollback, and the promote that the sweep starts."""
from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import F

from gs2admin.audit.services import record
from gs2admin.db import clock
from gs2admin.errors import Conflict, DomainError, Invalid, NotFound
from gs2admin.identity.actors import Actor
from gs2admin.identity.rights import require
from gs2admin.text import shortened
from stages.auto_promotion.decide import Promote, SourceFacts, decide
from stages.core import ledger
from stages.gates.reads import blocking, closed
from stages.models import Rollout, Stage
from stages.models.governance import AutoPromotion
from stages.plan.previews import preview_promote
from stages.rollouts.services import promote_stage

MOST_S = 30 * 86400
ITSELF = Actor("system", "", "auto-promotion", superuser=True, door="task")


def save_auto_promotion(*, actor: Actor, stage: Stage, enabled: bool, soak_s: int = 0, reason: str = "") -> AutoPromotion:
    """Turn it on or off. soak_s: seconds that the source has to stay Active first.

    A source that is Active already when it is turned on starts nothing; the next rollout of the source does.

    Raises NotFound, Denied, Invalid (no source stage; a soak time above 30 days).
    """
    require(actor, "stage.edit", stage)
    if not isinstance(soak_s, int) or not 0 <= soak_s <= MOST_S:
        raise Invalid("The soak time is 0 seconds to 30 days.", component="stage", message="freeze.stage.soak.error.invalid",
                      extra={"field": "soak_min"})
    with transaction.atomic():
        ledger.lock(stage.project_id)
        row = Stage.objects.select_related("source").filter(pk=stage.pk, deleted_at=None).first()
        if row is None:
            raise NotFound(f"There is no stage {stage.name}.", component="stage", message="freeze.stage.stage.error.notFound")
        if enabled and row.source_id is None:
            raise Invalid(f"{row.name} has no source stage, so there is nothing to follow.", component="stage",
                          message="freeze.stage.sourceStageName.error.require", extra={"field": "enabled"})
        auto = AutoPromotion.objects.filter(stage=row).first() or AutoPromotion(stage=row, enabled=False)
        before = _facts(auto)
        if enabled and not auto.enabled:
            auto.seen_id = source_of(row).rollout_id
            auto.sentence = ""
        auto.enabled, auto.soak_s = enabled, soak_s
        auto.save()
        if _facts(auto) != before:
            record(actor=actor, action="stage.auto", obj=row, before=before, after=_facts(auto), reason=reason)
            _touch(row)
        return auto


def end_hold(*, actor: Actor, stage: Stage, reason: str = "") -> AutoPromotion:
    """End the hold of an auto-promotion; a rollout of the source that ended meanwhile counts.

    Raises NotFound, Denied, Conflict (it is not held).
    """
    require(actor, "stage.promote", stage)
    with transaction.atomic():
        ledger.lock(stage.project_id)
        auto = AutoPromotion.objects.select_related("stage").filter(stage=stage, held_at__isnull=False).first()
        if auto is None:
            raise Conflict(f"The auto-promotion of {stage.name} is not held.", component="stage",
                           message="freeze.stage.stage.error.conflict", code="freeze.stage.notHeld")
        record(actor=actor, action="stage.auto_let_go", obj=auto.stage, before={"held": auto.held_because}, reason=reason)
        auto.held_at, auto.held_by, auto.held_because, auto.sentence = None, "", "", ""
        auto.save()
        _touch(auto.stage)
        return auto


def source_of(stage: Stage) -> SourceFacts:
    """The rollout that last ran on the stage's source, or runs there."""
    rows = Rollout.objects.filter(stage_id=stage.source_id).exclude(started_at=None, ended_at__isnull=False)
    found = rows.exclude(state="awaiting_approval").order_by("-id").values_list("id", "kind", "state", "ended_at").first()
    return SourceFacts(*found) if found else SourceFacts()


def promote_due(pk: int) -> bool:
    """For the sweep: promote the stage with that id if it is time; True when a rollout was started.

    Several hosts may call it at once: the request key lets one of them start.
    """
    auto = AutoPromotion.objects.select_related("stage__source", "stage__project").get(pk=pk)
    stage = auto.stage
    if not auto.enabled or stage.deleted_at or stage.source_id is None:
        return False
    if source_of(stage).rollout_id in (None, auto.seen_id):
        return False  # the usual case
    try:
        preview = preview_promote(stage)  # before the look at the source: what moves in between changes the digest
    except Invalid as refusal:
        return _set_sentence(auto, refusal.sentence)
    found = decide(source_of(stage), stage.source.name, auto.seen_id, auto.held_because if auto.held_at else "", auto.soak_s,
                   clock.now())
    if not isinstance(found, Promote):
        return _set_sentence(auto, found.sentence)
    number = Rollout.objects.values_list("number", flat=True).get(pk=found.because)
    if not preview.effective:
        return _acted(auto, found.because, f"Nothing differed after rollout {number} of {stage.source.name}.")
    if gates := blocking(closed(stage.project_id), stage.pk):
        return _set_sentence(auto, f"It waits: {' '.join(gate.sentence for gate in gates)}")
    try:
        # Together, so that what was started is noted, whenever this process dies.
        with transaction.atomic():
            made = promote_stage(
                actor=ITSELF, stage=stage, reason=f"{stage.source.name} is Active since rollout {number}.",
                preview_digest=preview.digest, request_key=f"auto-{found.because}",
            )
            _acted(auto, found.because, f"Started rollout {made.number} after rollout {number} of {stage.source.name}.")
    except DomainError as refusal:
        return _set_sentence(auto, refusal.sentence)
    return True


def _acted(auto: AutoPromotion, because: int, sentence: str) -> bool:
    """Store that it acted on that rollout of the source. Always False, as _set_sentence."""
    AutoPromotion.objects.filter(pk=auto.pk, seen=auto.seen_id).update(seen=because, sentence=sentence)
    return False


def _set_sentence(auto: AutoPromotion, sentence: str) -> bool:
    """Store what it waits for, at most 1,000 characters. Always False, for promote_due: nothing was started."""
    if sentence and sentence != auto.sentence:
        AutoPromotion.objects.filter(pk=auto.pk, seen=auto.seen_id).update(sentence=shortened(sentence, 1000))
    return False


def _facts(auto: AutoPromotion) -> dict[str, Any]:
    return {"auto_promotion": auto.enabled, "soak_s": auto.soak_s}


def _touch(stage: Stage) -> None:
    Stage.objects.filter(pk=stage.pk).update(revision=F("revision") + 1)
