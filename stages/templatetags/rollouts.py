"""Badges and words for stages, rollouts and steps; the words come from stages.core.words."""
from __future__ import annotations

from typing import Any

from django import template
from django.utils.safestring import SafeString

from gs2admin.dashboard.templatetags.gs import badge
from stages.core import words
from stages.states import StageStatus

register = template.Library()
# The five colours of the pages.
STAGE_TONES = {StageStatus.ACTIVE: "ok", StageStatus.UPDATING: "info", StageStatus.UPDATE_FAILED: "bad"}


@register.simple_tag
def rollout_badge(rollout: Any) -> SafeString:
    """{% rollout_badge rollout %}: the state of a rollout."""
    found = words.words_of(rollout.state)
    return badge(found.label, found.tone, found.moving, found.reason)


@register.simple_tag
def stage_badge(status: str, last: Any = None) -> SafeString:
    """{% stage_badge status last %}: the status of a stage. After a failure it shows how its last rollout ended."""
    status = StageStatus(status)
    if status == StageStatus.UPDATE_FAILED and last is not None:
        found = words.words_of(last.state)
        return badge(found.label, STAGE_TONES[status], moving=False, reason=found.reason)
    return badge(str(status.label), STAGE_TONES[status], moving=status == StageStatus.UPDATING)


@register.filter
def rollout_phrase(rollout: Any) -> str:
    """{{ rollout|rollout_phrase }}: goes on after "Rollout 7", as in "Rollout 7 failed"."""
    return words.phrase_of(rollout.state)


@register.filter
def rollout_reason(rollout: Any) -> str:
    """{{ rollout|rollout_reason }}: why the rollout is in its state, where its label does not say it; often empty."""
    return words.words_of(rollout.state).reason


@register.filter
def step_label(state: str) -> str:
    """{{ step.state|step_label }}: the state of a step."""
    return words.step_label(state)
