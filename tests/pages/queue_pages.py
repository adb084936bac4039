"""What tests of the queue pages share: addresses, pages, what a person reads of them."""
from __future__ import annotations

import re
from html import unescape
from urllib.parse import quote

from django.urls import reverse

from jobqueue.models import Job, Namespace


def at(name: str, namespace: Namespace, user: str | None = None, **words) -> str:
    url = reverse(name, kwargs={"project": namespace.project.name, "namespace": namespace.name, **words})
    return url if user is None else f"{url}?id={quote(user, safe='')}"


def of_job(name: str, job: Job, **words) -> str:
    return reverse(name, kwargs={"project": "isles", "job": job.name, **words})


def page(client, url: str, expect: int = 200, **words) -> str:
    answer = client.get(url, words or None)
    assert answer.status_code == expect, answer.content.decode()[:2000]
    return answer.content.decode()


def text_of(html: str) -> str:
    """What a person reads."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", re.sub(r"<svg.*?</svg>", " ", html, flags=re.S))).split())


def as_stored(html: str) -> str:
    """The text, with characters that cannot be seen in the place of their marks."""
    return unescape(re.sub(r'<span class="gs-unseen" data-char="([0-9a-f]+)"[^>]*>.*?</span>', lambda mark: chr(int(mark[1], 16)), html))


def cursor_of(html: str) -> tuple[str, str]:
    found = re.search(r'data-live="([^"]+)" data-after="(\d+)"', html)
    return unescape(found[1]), found[2]


def more(url: str, cursor: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}after={cursor}"
