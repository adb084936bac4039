"""Tags that all pages share: icons, states, times, versions. Everything user-made goes through format_html."""
from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django import template
from django.conf import settings
from django.template.loader import render_to_string
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from gs2admin.dashboard.charts import Bar
from gs2admin.db.clock import now

register = template.Library()
ICONS = settings.BASE_DIR / "static" / "vendor" / "tabler-icons-3.51.0"

# tone: which of the five colours of gs.css; the icon says the same without colour.
CHANGE_TONES = {
    "added": "ok", "changed": "info", "redeployed": "info", "downgraded": "warn", "removed": "bad", "same": "muted",
}


@cache
def _svg(name: str) -> str:
    """The drawing inside an icon's file. The name comes from our templates only; a wrong one fails the page's test."""
    if not re.fullmatch(r"[a-z0-9-]+", name):
        raise template.TemplateSyntaxError(f"{name!r} is not the name of an icon")
    text = (ICONS / f"{name}.svg").read_text(encoding="utf-8")
    inner = text[text.index(">", text.index("<svg")) + 1 : text.rindex("</svg>")]
    inner = inner.replace('<path stroke="none" d="M0 0h24v24H0z" fill="none" />', "")
    return " ".join(inner.split())


@cache
def _icon(name: str, css: str) -> SafeString:
    return mark_safe(
        f'<svg class="icon{" " + css if css else ""}" viewBox="0 0 24 24" fill="none" stroke="currentColor" '
        f'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">{_svg(name)}</svg>'
    )


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """{% icon "rocket" %}: an inlined outline icon, hidden from screen readers; the text beside it speaks."""
    if not re.fullmatch(r"[a-zA-Z0-9 _-]*", css):
        raise template.TemplateSyntaxError(f"{css!r} is not a class")
    return _icon(name, css)


@register.simple_block_tag
def empty_state(content: str, icon_name: str, title: str, url: str = "", label: str = "") -> SafeString:
    """{% empty_state "rocket" "No stage yet" url=new label="New stage" %}What to do next.{% endempty_state %}

    An empty list that says what to do next; the button is shown where there is a url. The text is a block, not an
    argument, so that a long one can be written over several lines.
    """
    text = mark_safe(content.strip())
    shown = {"icon_name": icon_name, "title": title, "text": text, "url": url, "label": label}
    return render_to_string("components/_empty.html", shown)


def badge(label: str, tone: str, moving: bool = False, reason: str = "") -> SafeString:
    """A badge, for the tags of the apps. tone: one of the five colours of the pages (ok, info, warn, bad, muted).

    moving: the state changes without a person, and the dot shows it. reason: shown when the pointer rests on the badge.
    """
    title = format_html(' title="{}"', reason) if reason else ""
    return format_html(
        '<span class="gs-badge gs-badge--{}"{}><span class="gs-dot{}"></span>{}</span>',
        tone, title, " gs-dot--moving" if moving else "", label,
    )


_LINE = re.compile(r"#L(\d{1,9})\b")


@register.simple_tag
def note_text(text: str, lines: str = "") -> SafeString:
    """{% note_text note.text lines %}: what a person wrote, line by line; #L127 links to that line of `lines`, an address."""
    shown, at = [], 0
    for found in _LINE.finditer(text) if lines else ():
        number = int(found[1])
        shown += [escape(text[at:found.start()]),
                  format_html('<a href="{}?before={}#L{}">{}</a>', lines, number + 100, number, found[0])]
        at = found.end()
    return mark_safe("".join([*shown, escape(text[at:])]).replace("\n", "<br>"))  # every piece is escaped above


@register.simple_tag
def change_badge(kind: str) -> SafeString:
    """{% change_badge "downgraded" %}"""
    return format_html('<span class="gs-tag gs-tag--{}">{}</span>', CHANGE_TONES.get(kind, "muted"), kind)


def _relative(then: datetime, now: datetime) -> str:
    seconds = int((now - then).total_seconds())
    if seconds < 5:
        return "just now" if seconds > -60 else _full(then)
    if seconds < 60:
        return f"{seconds} s ago"
    if seconds < 3600:
        return f"{seconds // 60} min ago"
    if seconds < 86400:
        return f"{seconds // 3600} h ago"
    if seconds < 7 * 86400:
        return f"{seconds // 86400} day{'s' if seconds >= 172800 else ''} ago"
    return f"{then.day} {then:%b}" if then.year == now.year else f"{then.day} {then:%b %Y}"


def _full(then: datetime) -> str:
    return f"{then.day} {then:%b %Y %H:%M} UTC"


@register.simple_tag
def full_time(then: datetime | None) -> SafeString:
    """{% full_time row.hold_until %}: day and time, in UTC and so named; in the viewer's zone, named too, once script runs."""
    if then is None:
        return SafeString("–")
    return format_html('<time data-full datetime="{}" title="{} UTC">{}</time>', then.isoformat(),
                       then.strftime("%Y-%m-%d %H:%M:%S"), _full(then))


@register.simple_tag
def when(then: datetime | None) -> SafeString:
    """{% when row.created_at %}: relative text, absolute time on hover (in the viewer's zone once script runs)."""
    if then is None:
        return SafeString("–")
    return format_html(
        '<time data-when datetime="{}" title="{} UTC">{}</time>',
        then.isoformat(), then.strftime("%Y-%m-%d %H:%M:%S"), _relative(then, now()),
    )


@register.simple_tag
def since(then: datetime | None) -> SafeString:
    """{% since started_at %}: how long ago as a bare duration that counts on ("32 s")."""
    if then is None:
        return SafeString("")
    return format_html(
        '<time data-since datetime="{}" title="{} UTC">{}</time>',
        then.isoformat(), then.strftime("%Y-%m-%d %H:%M:%S"), span(now() - then),
    )


@register.filter
def span(value: timedelta | float | None) -> str:
    """A duration for people: "0.4 s", "18 s", "2 min 5 s", "1 h 3 min"."""
    if value is None:
        return ""
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    seconds = max(0.0, seconds)
    if seconds < 10:
        return f"{seconds:.1f} s" if seconds % 1 >= 0.05 else f"{int(seconds)} s"
    if seconds < 60:
        return f"{int(seconds)} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    return f"{int(seconds) // 3600} h {int(seconds) % 3600 // 60} min"


@register.filter
def short_number(value: float | None) -> str:
    """A measured number with four digits that count: "0.21", "12.35", "1.2e-05"; a dash where there is none.

    The largest number that a float holds stands for infinity, which JSON does not have.
    """
    value = None if value is None else float(value)  # PostgreSQL gives a large whole number back as an int, rounded by itself
    if value is not None and abs(value) >= sys.float_info.max:
        return "+Inf" if value > 0 else "-Inf"
    return "–" if value is None else f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


@register.simple_tag
def clock(then: datetime | None) -> SafeString:
    """{% clock lease_until %}: the time of day."""
    if then is None:
        return SafeString("")
    return format_html(
        '<time data-clock="s" datetime="{}" title="{} UTC">{}</time>',
        then.isoformat(), then.strftime("%Y-%m-%d %H:%M:%S"), then.strftime("%H:%M:%S"),
    )


@register.filter
def took(row: Any) -> timedelta | None:
    """From the start to the end of a rollout or step; None while it runs or when it never did."""
    return row.ended_at - row.started_at if row.started_at and row.ended_at else None


@register.filter
def initials(name: str) -> str:
    """Two letters for the avatar."""
    words = [word for word in re.split(r"[\s._-]+", str(name)) if word]
    letters = words[0][0] + words[1][0] if len(words) > 1 else (words[0][:2] if words else "?")
    return letters.upper()


@register.filter
def short_digest(digest: str) -> str:
    """The first and last few characters of a digest."""
    return f"{digest[:6]}…{digest[-4:]}" if len(digest) > 12 else digest


@register.filter
def worker_name(label: str) -> str:
    """"host:cluster:pid" as a person reads it."""
    parts = str(label).rsplit(":", 2)
    return f"{parts[0]}, process {parts[2]}" if len(parts) == 3 else str(label)


@register.filter
def plural(count: int, word: str) -> str:
    """{{ 3|plural:"version" }} -> "3 versions"."""
    return f"{count} {word}" if count == 1 else f"{count:,} {word}s"


@register.filter
def capped(count: int) -> str:
    """A count that stops at 1,000."""
    return "1,000+" if count > 1000 else f"{count:,}"


@register.filter
def thousands(count: int | None) -> str:
    """1234567 -> "1,234,567"."""
    return "" if count is None else f"{count:,}"


@register.simple_tag
def bars(rows: list[Bar]) -> SafeString:
    """{% bars chart.bars %}: the columns of a chart, each with its words.

    Numbers and our own words only, so that they are put together without a call for each of some five hundred values.
    """
    return mark_safe("".join(
        f"<g>{f'<title>{escape(bar.words)}</title>' if bar.words else ''}"
        f'<rect class="ok" x="{bar.x}" y="{bar.ok_y}" width="{bar.width}" height="{bar.ok_height}"/>'
        + (f'<rect class="bad" x="{bar.x}" y="{bar.bad_y}" width="{bar.width}" height="{bar.bad_height}"/>'
           if bar.bad_height else "") + "</g>"
        for bar in rows
    ))
