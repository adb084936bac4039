"""Every route x every role: nothing is reachable that should not be, and nothing falls over."""
from __future__ import annotations

import re

import pytest
from django.conf import settings
from django.test import Client
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


@pytest.fixture
def people(owner, producer, viewer, stranger):
    return {"owner": owner, "producer": producer, "viewer": viewer, "stranger": stranger, "anonymous": None}


@pytest.mark.parametrize("name", sorted(ROUTES))
def test_each_role_gets_what_it_may_and_nothing_else(name, world, people, sign_in):
    route = ROUTES[name]
    url = reverse(name, kwargs=arguments(route, world)) + route.query
    for role in ROLES:
        answer = sign_in(people[role]).get(url)
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


@pytest.mark.parametrize("name", sorted(name for name, route in ROUTES.items() if route.posts and route.of_project))
def test_who_may_not_is_refused_at_the_post_too(name, world, people, sign_in):
    route = ROUTES[name]
    url = reverse(name, kwargs=arguments(route, world)) + route.query
    may = route.may_post if route.may_post is not None else route.may
    for role in ROLES:
        if role in may:
            continue
        answer = sign_in(people[role]).post(url, {})
        expected = {"anonymous": 302, "stranger": 404}.get(role, 403)
        assert (role, answer.status_code) == (role, expected)


@pytest.mark.parametrize("name", sorted(name for name, route in ROUTES.items() if route.posts))
def test_a_post_without_the_csrf_token_does_nothing_and_says_so(name, world, owner):
    route = ROUTES[name]
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    answer = client.post(reverse(name, kwargs=arguments(route, world)) + route.query, {})
    assert answer.status_code == 403
    assert "open for too long" in answer.content.decode()


@pytest.mark.parametrize("name", sorted(n for n, r in ROUTES.items() if r.get == 200 and r.of_project))
def test_every_page_keeps_its_query_budget(name, world, owner, sign_in, django_assert_max_num_queries):
    route = ROUTES[name]
    client = sign_in(owner)
    client.get(reverse("board", kwargs={"project": world.project.name}))
    with django_assert_max_num_queries(route.queries):
        client.get(reverse(name, kwargs=arguments(route, world)) + route.query)


HANDLER = re.compile(r"<[^>]*\s(?:on[a-z]+|style)\s*=", re.IGNORECASE)


@pytest.mark.parametrize("name", sorted(n for n, r in ROUTES.items() if r.get == 200))
def test_no_page_needs_anything_inline(name, world, owner, sign_in):
    route = ROUTES[name]
    client = sign_in(None if route.public else owner)
    answer = client.get(reverse(name, kwargs=arguments(route, world)) + route.query)
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
