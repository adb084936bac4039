"""Every route x every role: nothing is reachable that should not be, and nothing falls over."""
from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from gs2admin.health import PATHS
from tests.pages.routes import ROUTES, arguments

pytestmark = pytest.mark.django_db
# Other people's doors, tested in their own rooms.
ELSEWHERE = ("admin/", "api/", "openapi", "docs", *(path.lstrip("/") for path in PATHS))
ROLES = ("owner", "producer", "viewer", "stranger", "anonymous")


def named_routes() -> dict[str, str]:
    """{name: pattern} of all pages that the resolver knows."""
    found: dict[str, str] = {}

    def walk(patterns, prefix: str) -> None:
        for entry in patterns:
            where = prefix + str(entry.pattern)
            if where.startswith(ELSEWHERE):
                continue
            if isinstance(entry, URLResolver):
                walk(entry.url_patterns, where)
            elif isinstance(entry, URLPattern):
                found[entry.name or where] = where

    walk(get_resolver().url_patterns, "")
    return found


def test_every_route_has_a_line_in_the_table_and_every_line_a_route():
    # Files behind signed links belong to whoever has the link, not to a role; tests/userdata holds them to that.
    pages = [name for name in named_routes() if not name.startswith("user-data-")]
    assert sorted(pages) == sorted(ROUTES)


def each(names: Iterable[str], check: Callable[[str], None]) -> None:
    """Check every route over the same world (nothing here changes it) and name all that fail, not only the first."""
    wrong = []
    for name in sorted(names):
        try:
            check(name)
        except AssertionError as problem:
            wrong.append(f"{name}: {problem}")
    assert not wrong, "\n".join(wrong)


def address(name: str, world: Any) -> str:
    return reverse(name, kwargs=arguments(ROUTES[name], world)) + ROUTES[name].query


@pytest.fixture(params=ROLES)
def visitor(request, world, sign_in, owner, producer, viewer, stranger):
    """(role, client of somebody with that role)"""
    people = {"owner": owner, "producer": producer, "viewer": viewer, "stranger": stranger, "anonymous": None}
    return request.param, sign_in(people[request.param])


def test_each_role_gets_what_it_may_and_nothing_else(world, visitor):
    role, client = visitor

    def check(name: str) -> None:
        route = ROUTES[name]
        answer = client.get(address(name, world))
        got = (role, answer.status_code)
        if route.get == 405:
            assert got == (role, 405)
        elif role == "anonymous" and not route.public:
            assert answer.status_code in (302, 401), got
            where = answer.headers.get("Location") or answer.headers["HX-Redirect"]
            assert where.startswith("/login"), got
        elif role == "stranger" and route.of_project:
            assert got == (role, 404)
            assert "mika" not in answer.content.decode()
        elif role in route.may or not route.of_project:
            assert answer.status_code == route.get or (route.public and answer.status_code in (200, 302)), got
        else:
            assert got == (role, 403)

    each(ROUTES, check)


def test_who_may_not_is_refused_at_the_post_too(world, visitor):
    role, client = visitor

    def check(name: str) -> None:
        route = ROUTES[name]
        if role in (route.may_post if route.may_post is not None else route.may):
            return
        answer = client.post(address(name, world), {})
        expected = {"anonymous": 302, "stranger": 404}.get(role, 403)
        assert (role, answer.status_code) == (role, expected)

    each((name for name, route in ROUTES.items() if route.posts and route.of_project), check)


def test_a_post_without_the_csrf_token_does_nothing_and_says_so(world, owner):
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)

    def check(name: str) -> None:
        answer = client.post(address(name, world), {})
        assert answer.status_code == 403
        assert "open for too long" in answer.content.decode()

    each((name for name, route in ROUTES.items() if route.posts), check)


def test_every_page_keeps_its_query_budget(world, owner, sign_in, forget):
    client = sign_in(owner)

    def check(name: str) -> None:
        forget()
        client.get(reverse("board", kwargs={"project": world.project.name}))
        with CaptureQueriesContext(connection) as asked:
            client.get(address(name, world))
        most = ROUTES[name].queries
        assert len(asked) <= most, f"{len(asked)} queries, at most {most}:\n" + "\n".join(q["sql"] for q in asked)

    each((name for name, route in ROUTES.items() if route.get == 200 and route.of_project), check)


HANDLER = re.compile(r"<[^>]*\s(?:on[a-z]+|style)\s*=", re.IGNORECASE)


def test_no_page_needs_anything_inline(world, owner):
    signed_in, nobody = Client(), Client()
    signed_in.force_login(owner)

    def check(name: str) -> None:
        route = ROUTES[name]
        answer = (nobody if route.public else signed_in).get(address(name, world))
        html = b"".join(answer.streaming_content).decode() if answer.streaming else answer.content.decode()
        if "text/html" not in answer.headers["Content-Type"]:
            return
        assert not HANDLER.search(html)
        assert "<style" not in html and "javascript:" not in html
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", html))
        if not route.fragment:
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert html.count("<h1") == 1 and "<title>" in html
            ids = re.findall(r'\sid="([^"]*)"', html)
            assert len(ids) == len(set(ids)), sorted({i for i in ids if ids.count(i) > 1})

    each((name for name, route in ROUTES.items() if route.get == 200), check)


def test_user_made_text_is_never_markup(world, owner, sign_in):
    html = sign_in(owner).get(reverse("rollout", kwargs={"project": "isles", "number": world.done.number})).content.decode()
    assert "Season &lt;7&gt;" in html and "Season <7>" not in html
    assert "&lt;b&gt;not bold" in html and "<b>not bold" not in html


def test_static_files_named_in_pages_exist(world, owner, sign_in):
    from django.contrib.staticfiles import finders

    html = sign_in(owner).get(reverse("rollout", kwargs={"project": "isles", "number": world.done.number})).content.decode()
    found = re.findall(rf'"/{settings.STATIC_URL.strip("/")}/([^"]+)"', html)
    assert len(found) >= 6
    assert [path for path in found if not finders.find(path)] == []
