"""Tags of the job pages: states, status codes, addresses of players, sizes."""
from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, urlencode

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from gs2admin.dashboard.templatetags.gs import badge
from gs2admin.json_text import read_line
from jobqueue.error_text import error_text
from jobqueue.models import Job, UserDataRun
from jobqueue.states import JobState, UserDataState
from jobqueue.words import JOB, RETRYING, USER_DATA, Words, attempt_words, job_words, retrying

register = template.Library()
_GRN = re.compile(r"grn:gs2:[^:]*:[^:]*:script:([^:]+):script:([^:]+)\Z")


@register.simple_tag
def job_badge(job: Job, place: int = 0) -> SafeString:
    """{% job_badge job %}: where a job stands. place: how many jobs are before it, where that is known."""
    found = job_words(job.state, job.try_count, job.max_try_count, place)
    return badge(found.label, found.tone, found.moving)


@register.simple_tag
def queue_badge(tries: int, running: bool = False) -> SafeString:
    """{% queue_badge queue.head_tries running %}: what a queue is doing; nothing while it only waits."""
    found = _of_queue(tries, running)
    return badge(found.label, found.tone, found.moving) if found else SafeString("")


@register.simple_tag
def queue_tag(tries: int, running: bool = False) -> SafeString:
    """{% queue_tag queue.head_tries running %}: the same, smaller, beside the name of the queue."""
    found = _of_queue(tries, running)
    return _tag(found.inside, found.tone) if found else SafeString("")


def _of_queue(tries: int, running: bool) -> Words | None:
    return JOB[JobState.RUNNING] if running else RETRYING if tries else None


@register.simple_tag
def retrying_tag(tries: int) -> SafeString:
    """{% retrying_tag queue.head_tries %}: how often the first job of a queue failed; nothing when it did not."""
    return _tag(retrying(tries), RETRYING.tone) if tries else SafeString("")


@register.simple_tag
def given_up_tag(count: int) -> SafeString:
    """{% given_up_tag row.given_up %}: how many jobs were given up; nothing when none was."""
    found = JOB[JobState.GIVEN_UP]
    return _tag(f"{count} {found.inside}", found.tone) if count else SafeString("")


@register.simple_tag
def run_badge(run: UserDataRun) -> SafeString:
    """{% run_badge run %}: where a dump, an import or an erasure stands."""
    found = USER_DATA[UserDataState(run.state)]
    return badge(found.label, found.tone, found.moving)


def _tag(text: str, tone: str) -> SafeString:
    return format_html('<span class="gs-tag gs-tag--{}">{}</span>', tone, text)


@register.simple_tag
def code(status: int | None) -> SafeString:
    """{% code 504 %}: a status code."""
    if status is None:
        return SafeString("")
    return format_html('<span class="gs-tag gs-tag--{} gs-code-tag">{}</span>', attempt_words(status).tone, status)


@register.filter
def dot_tone(status: int) -> str:
    """The tone of an attempt's dot on the timeline."""
    return attempt_words(status).tone


@register.simple_tag(takes_context=True)
def player_url(context: dict[str, Any], namespace: str, user_id: str, name: str = "queues-user", **words: Any) -> str:
    """The address of a player's queue; the id goes into the query, where it may hold anything."""
    base = reverse(name, kwargs={"project": context["project"].name, "namespace": namespace})
    more = {key: value for key, value in words.items() if value not in ("", None, 0)}
    return f"{base}?{urlencode({'id': user_id, **more}, quote_via=quote)}"


@register.filter
def script_name(script_id: str) -> str:
    """A script id for people: the script's name, with its namespace unless that is `default`."""
    grn = _GRN.match(script_id)
    if grn is None:
        return script_id
    return grn[2] if grn[1] == "default" else f"{grn[1]}/{grn[2]}"


@register.filter
def chars(count: int | None) -> str:
    """"412 characters", "5.0 million characters"."""
    if count is None:
        return ""
    if count < 10_000:
        return f"{count:,} character{'' if count == 1 else 's'}"
    return f"{count / 1000:,.0f} thousand characters" if count < 1_000_000 else f"{count / 1_000_000:.1f} million characters"


@register.filter
def ms(count: int) -> str:
    """Milliseconds for people."""
    return f"{count:,} ms" if count < 1000 else f"{count / 1000:.1f} s"


@register.filter
def rate(per_second: float) -> str:
    """A number per second, with a decimal while it is small."""
    if 0 < per_second < 0.1:
        return "< 0.1"
    return f"{per_second:.1f}" if per_second < 10 and per_second else f"{per_second:,.0f}"


@register.filter
def short_name(name: Any) -> str:
    """The beginning and the end of a job's name."""
    text = str(name)
    return f"{text[:8]}…{text[-4:]}"


@register.filter
def gist(snippet: str) -> str:
    """A result in at most 60 characters, as it is read: the first message of an error list, else its beginning."""
    text = error_text(snippet)
    return text if len(text) <= 60 else f"{text[:60]}…"


@register.filter
def as_read(snippet: str) -> str:
    """The beginning of a result in one line, its strings as they are read."""
    return read_line(snippet, cut=True)


VERBS = {"job.run": "ran this job", "job.run_all": "ran the jobs", "job.wake": "had a failed job tried at once",
         "job.delete": "deleted a job", "job.replay": "replayed a given-up job", "job.push": "pushed a job"}


@register.filter
def job_verb(action: str) -> str:
    """What somebody did to a job or a queue, after their name."""
    return VERBS.get(action, action)
