"""Live parts for many who ask at once, as the web process has them decided about; and what a lost right means for every live part."""
from __future__ import annotations

import logging
import re
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from gunicorn.config import Config

from gs2admin import logs
from gs2admin.dashboard.live import asks, pace, topics
from gs2admin.dashboard.live.asks import read
from gs2admin.dashboard.live.deciding import ORDINARY, Deciding
from gs2admin.dashboard.live.topics import Answer, Making
from gs2admin.identity.models import Project
from gs2admin.processes.web import head
from stages.core import journal, ledger
from stages.core.journal import Line
from stages.models import Rollout
from tests.pages.routes import ROUTES
from tests.pages.test_live import cursor
from tests.pages.test_routes import address

pytestmark = pytest.mark.django_db
LIVE = sorted(name for name in ROUTES if name.endswith("-live"))
CONFIG = Config()


def parsed(whole: bytes):
    request = head.parse(whole, SimpleNamespace(client=("127.0.0.1", 1), number=1), CONFIG)
    return request.method, request.version, request.headers


def bytes_of(client: Client | None, path: str, *, more: str = "", host: str = "testserver") -> bytes:
    """A page's request as a browser sends it."""
    cookies = "; ".join(f"{name}={value.value}" for name, value in client.cookies.items()) if client else ""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookies}\r\nHX-Request: true\r\n{more}\r\n".encode()


def ask_of(client: Client | None, path: str, peer: str = "127.0.0.1", **options):
    whole = bytes_of(client, path, **options)
    return read(whole, peer, lambda: parsed(whole))


@pytest.fixture
def place(world, settings):
    settings.ALLOWED_HOSTS = ["testserver"]
    asks._known.clear()
    return reverse("rollout-live", kwargs={"project": "isles", "number": world.running.number})


@pytest.fixture
def sign_in():
    """Each in a browser of their own."""
    def act(user) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return act


@pytest.fixture
def known(place, world):
    """known(client): what a process knows after somebody has asked once."""
    def act(client: Client) -> Client:
        assert client.get(place, {"after": "0"}).status_code == 200
        assert client.get(reverse("board-live", kwargs={"project": "isles"}), {"after": "0"}).status_code == 200
        return client

    return act


def decided(*found) -> list:
    return Deciding().decide(found)


def test_all_who_ask_at_once_are_two_statements(known, place, viewer, producer, sign_in, statements):
    clients = [known(sign_in(user)) for user in (viewer, producer, viewer)]
    at = cursor(clients[0].get(place))
    asked = [ask_of(client, f"{place}?after={at['after']}&seq={at['seq']}&wait=1") for client in clients * 20]
    statements.clear()
    with CaptureQueriesContext(connection) as queries:
        verdicts = decided(*asked)
    assert [verdict.status for verdict in verdicts] == [204] * 60 and asked[0].hold
    assert (len(queries), len(statements)) == (0, 2)


def test_what_is_new_is_made_once_for_those_with_the_same_rights(known, place, world, viewer, producer, sign_in):
    first, other = known(sign_in(viewer)), known(sign_in(producer))
    at = cursor(first.get(place))
    journal.write(world.claim, [Line("hello", "auth", 1, "stdout")])
    asked = [ask_of(client, f"{place}?after={at['after']}&seq={at['seq']}") for client in (first, first, other)]
    one, same, another = decided(*asked)
    assert isinstance(one, Making) and one.key == same.key != another.key
    one.make(), another.make()
    answers = decided(*asked)
    assert answers[0] is answers[1] and "hello" in answers[0].body.decode() and answers[0].status == 200
    assert first.get(place, at).content == answers[0].body


def test_the_answer_is_the_same_by_either_way_in_every_header(known, place, viewer, stranger, sign_in, caplog):
    client, strange = known(sign_in(viewer)), sign_in(stranger)
    strange.get(place)
    at = cursor(client.get(place))
    for who, query in ((client, "after=0&seq=0"), (client, f"after={at['after']}&seq={at['seq']}"), (strange, "after=0&seq=0")):
        ordinary = who.get(f"{place}?{query}", headers={"X-Request-ID": "some-id-of-mine"})
        one = ask_of(who, f"{place}?{query}", more="X-Request-ID: some-id-of-mine\r\n")
        verdict, = decided(one)
        with caplog.at_level(logging.DEBUG, logger=logs.access.name):
            caplog.clear()
            top, body = Deciding().whole(one, verdict, keep=True)
        status, *lines = top.decode().split("\r\n")[:-2]
        headers = dict(line.split(": ", 1) for line in lines)
        assert {headers.pop("Server"), headers.pop("Connection")} == {"gunicorn", "keep-alive"} and headers.pop("Date").endswith("GMT")
        assert (int(status.split()[1]), headers, body) == (ordinary.status_code, dict(ordinary.headers), ordinary.content)
        line, = caplog.records
        assert (line.status, line.path, line.ip, line.levelname) == (ordinary.status_code, place, "127.0.0.1", "DEBUG")


@pytest.mark.parametrize("how", ["signs out", "is removed", "is closed", "changes the password", "project is renamed"])
def test_who_lost_the_right_sees_nothing_from_the_next_answer_on(how, known, world, owner, sign_in):
    client = known(sign_in(owner))
    paths = {name: address(name, world) for name in LIVE}
    paths = {name: path + ("&after=0" if "?" in path else "?after=0") for name, path in paths.items()}
    assert {client.get(path).status_code for path in paths.values()} <= {200, 286} and len(paths) > 7
    key = client.cookies["sessionid"].value
    if how == "signs out":
        client.logout()
        client.cookies["sessionid"] = key
    elif how == "is removed":
        owner.memberships.all().delete()
    elif how == "is closed":
        type(owner).objects.filter(pk=owner.pk).update(is_active=False)
    elif how == "changes the password":
        type(owner).objects.filter(pk=owner.pk).update(password="!")
    else:
        Project.objects.filter(pk=world.project.pk).update(name="elsewhere")
    for name, path in paths.items():
        if (ask := ask_of(client, path)) is not None:
            verdict, = decided(ask)
            assert verdict is ORDINARY or verdict.status == 404, name
        answer = client.get(path, headers={"HX-Request": "true"})
        assert answer.status_code in (401, 404) and b"isles" not in answer.content, name


def test_a_session_or_a_rollout_that_is_not_known_yet_goes_the_ordinary_way(place, viewer, sign_in):
    client = sign_in(viewer)
    assert decided(ask_of(client, f"{place}?after=0")) == [ORDINARY]
    client.get(place)
    assert isinstance(decided(ask_of(client, f"{place}?after=0"))[0], Answer)
    assert decided(ask_of(client, "/p/isles/rollouts/999/live?after=0")) == [ORDINARY]
    assert decided(ask_of(None, f"{place}?after=0")) == [ORDINARY]


def test_a_deleted_rollout_is_no_longer_known(known, place, world, viewer, sign_in):
    client = known(sign_in(viewer))
    Rollout.objects.filter(pk=world.running.pk).delete()
    assert decided(ask_of(client, f"{place}?after=0")) == [ORDINARY] and client.get(place).status_code == 404


@pytest.mark.parametrize("whole", [
    "HEAD {0}?after=1 HTTP/1.1\r\nHost: testserver\r\n\r\n", "GET {0} HTTP/1.1\r\nHost: testserver\r\n\r\n",
    "GET {0}?after=1 HTTP/1.0\r\nHost: testserver\r\n\r\n", "GET {0}?after=1 HTTP/1.1\r\nHost: elsewhere\r\n\r\n",
    "GET {0}?after=1 HTTP/1.1\r\nHost: testserver\r\nContent-Length: 1\r\n\r\n", "GET {0}?after=x HTTP/1.1\r\nHost: testserver\r\n\r\n",
    "GET {0}?after=1 HTTP/1.1\r\nHost: testserver\r\nOrigin: https://game\r\n\r\n", "GET {0}?after=%31 HTTP/1.1\r\nHost: testserver\r\n\r\n",
    "GET {0}?after=1 HTTP/1.1\r\nHost: testserver\r\nCookie: a=b\r\nCookie: c=d\r\n\r\n", "GET {0}?after=1 HTTP/1.1\r\n\r\n",
    "GET {0}?after=1 HTTP/1.1\r\nHost: testserver\r\nX-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.2\r\n\r\n",
    "GET /p/isles/live/?after=1 HTTP/1.1\r\nHost: testserver\r\n\r\n", "GET /p/a%62/live?after=1 HTTP/1.1\r\nHost: testserver\r\n\r\n",
])
def test_what_is_unusual_goes_the_ordinary_way(place, whole):
    data = whole.format(place).encode()
    assert read(data, "127.0.0.1", lambda: parsed(data)) is None
    assert read(data, "127.0.0.1", lambda: parsed(data)) is None, "also when it is known"


def test_headers_that_are_known_are_not_parsed_again_and_belong_to_their_connection(place, viewer, sign_in):
    client = sign_in(viewer)
    whole = bytes_of(client, f"{place}?after=1&seq=2", more="X-Forwarded-For: 192.0.2.7\r\n")
    first = read(whole, "127.0.0.1", lambda: parsed(whole))
    again = read(whole.replace(b"seq=2", b"seq=3"), "127.0.0.1", lambda: pytest.fail("parsed twice"))
    assert (first.headers, first.cursor, again.cursor) == (again.headers, (1, 2), (1, 3))
    assert first.headers.client == "192.0.2.7" and first.headers.session == client.cookies["sessionid"].value
    assert read(whole, "198.51.100.1", lambda: parsed(whole)).headers.client == "198.51.100.1", "no proxy of ours"


def test_the_board_is_made_once_per_change_and_looked_at_again_after_a_while(known, world, viewer, sign_in, monkeypatch):
    client = sign_in(viewer)
    at = re.search(r'data-after="(\d+)"', client.get("/p/isles/").content.decode())[1]
    known(client)
    ask = ask_of(client, f"/p/isles/live?after={at}&wait=1")
    assert decided(ask)[0].status == 204
    ledger.lock(world.project.pk)
    making, = decided(ask)
    assert isinstance(making, Making)
    making.make()
    answer, = decided(ask)
    assert answer.status == 200 and b'id="board"' in answer.body
    new = ask._replace(cursor=re.search(rb'data-after="(\d+)"', answer.body)[1].decode())
    assert decided(new)[0].status == 204
    monkeypatch.setattr("stages.pages.board_html.LOOK_AGAIN_S", 0.0)
    assert isinstance(decided(new)[0], Making), "a worker may have ended, which no revision tells"


def test_a_page_asks_soon_after_news_and_less_often_the_more_there_are(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=lambda: now[0]))
    one = pace.Pace()
    assert [one.next_ms() for _ in range(8)] == [100] * 6 + [400] * 2
    now[0] += 60
    assert one.next_ms() == 100
    monkeypatch.setattr(pace, "watchers", 150)
    assert one.next_ms() == 300
    monkeypatch.setattr(pace, "watchers", 5_000)
    assert one.next_ms() == 1_000


def test_every_topic_has_a_path_that_is_found():
    assert {topics.found(path)[0].path for path in ("/p/isles/live", "/p/isles/rollouts/7/live")} == {
        "/p/{project}/live", "/p/{project}/rollouts/{number:int}/live"}
    assert topics.found("/p/isles/rollouts/x/live") is None and topics.found("/p/isles/stages/live") is None
