"""The same answers by Django's way, one at a time and at once: to what is unusual, not known yet, or asked of another server."""
from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from gs2admin.dashboard.live.deciding import absent, sign_in
from gs2admin.dashboard.live.replies import as_response
from gs2admin.dashboard.live.topics import Answer, Topic
from gs2admin.dashboard.sessions import sessions
from gs2admin.identity.rights import can

# A subject may change while something is made of it.
TRIES = 5


def view_of(topic: Topic) -> Callable[..., HttpResponse]:
    """What answers requests of the topic's path: 200 news, 204 nothing new, 286 the end, 401 signed out, 404 nothing to see."""

    @require_GET
    def view(request: HttpRequest, **pieces: str | int) -> HttpResponse:
        subject = topic.subject({name: str(value) for name, value in pieces.items()})
        cursor = topic.cursor({name: request.GET.get(name, "") for name in request.GET})
        return as_response(_answer(topic, subject, cursor, request.COOKIES.get(settings.SESSION_COOKIE_NAME)))

    return view


def _answer(topic: Topic, subject: Hashable, cursor: Any, key: str | None) -> Answer:
    for _ in range(TRIES):
        found = topic.look([subject]).get(subject)
        if found is None and topic.find(subject):
            found = topic.look([subject]).get(subject)
        actor = sessions.actor(key, found.project_id if found is not None else 0)
        if actor is None:
            return sign_in(topic, subject)
        if found is None or not can(actor, "project.view", found):
            return absent(topic)
        answer = topic.answer(subject, found, actor, cursor)
        if isinstance(answer, Answer):
            return answer
        made = answer.make()
        if isinstance(made, Answer):
            return made
    raise RuntimeError("a live part changes faster than it can be made")
