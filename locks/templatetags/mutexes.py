"""Tags of the lock pages: how long something is held, how much longer, and how it ended. Times are Unix milliseconds."""
from __future__ import annotations

from datetime import UTC, datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from gs2admin.dashboard.templatetags import gs
from locks.states import FOREVER_MS, Ended

register = template.Library()
TONES = {Ended.UNLOCKED: "ok", Ended.EXPIRED: "warn", Ended.DELETED: "muted", Ended.FORCED: "bad"}


def moment(ms: int) -> datetime:
    """Unix milliseconds as an aware moment."""
    return datetime.fromtimestamp(min(ms, FOREVER_MS) / 1000, UTC)


@register.simple_tag
def when_ms(ms: int | None) -> SafeString:
    """{% when_ms row.ended_ms %}: relative, the absolute time on hover."""
    return gs.when(moment(ms) if ms else None)


@register.simple_tag
def since_ms(ms: int | None) -> SafeString:
    """{% since_ms row.acquired_ms %}: for how long, counting on."""
    return gs.since(moment(ms)) if ms else SafeString("–")


@register.simple_tag
def left(until_ms: int, now_ms: int) -> SafeString:
    """{% left row.until_ms now_ms %}: how much longer, by the database's clock; a script counts it down."""
    rest = until_ms - now_ms
    if rest <= 0:
        return SafeString("expired")
    if until_ms >= FOREVER_MS:
        return SafeString("for ever")
    at = moment(until_ms)
    return format_html('<time data-left="{}" datetime="{}" title="until {} UTC">{}</time>', round(rest / 1000, 1),
                       at.isoformat(), at.strftime("%Y-%m-%d %H:%M:%S"), gs.span(int(rest / 1000)))


@register.simple_tag
def ttl_bar(row, now_ms: int) -> SafeString:
    """{% ttl_bar row now_ms %}: how much of its time is left, as a bar."""
    if row.until_ms >= FOREVER_MS:
        return SafeString("")
    whole, rest = max(1, row.until_ms - row.acquired_ms), max(0, row.until_ms - now_ms)
    return format_html('<progress class="gs-thin{}" max="{}" value="{}" data-left="{}" aria-label="Time left"></progress>',
                       " is-low" if rest * 5 < whole else "", whole / 1000, rest / 1000, rest / 1000)


@register.filter
def held_for(row) -> str:
    """How long a holding that is over lasted."""
    return gs.span((row.ended_ms - row.acquired_ms) / 1000)


@register.simple_tag
def how_ended(ended: str) -> SafeString:
    """{% how_ended row.ended %}: a word with its tone."""
    if not ended:
        return SafeString("")
    return format_html('<span class="gs-tag gs-tag--{}">{}</span>', TONES[Ended(ended)], Ended(ended).label)


VERBS = {"mutex.lock": "locked it", "mutex.unlock": "unlocked it", "mutex.delete": "released it",
         "mutex.force_release": "released it by force"}


@register.filter
def mutex_verb(action: str) -> str:
    """What somebody did to a mutex, after their name."""
    return VERBS.get(action, action)
