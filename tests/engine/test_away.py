"""PostgreSQL away behind the pool of a web process: refused, silent, without a free connection; and back."""
import threading
import time
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.db import Error, connection

from gs2admin import outage
from gs2admin.db import redis_pool
from tests.conditions import until
from tests.engine.proxy import Proxy

WAIT_S = 1.0
on_postgres = pytest.mark.skipif("settings.ON_SQLITE", reason="about PostgreSQL")


@pytest.fixture
def relay(db):
    """A relay before the server, and ask(): one request's look at the database through a pool: its kind of failure, or 'ok'."""
    from gs2admin.db.postgresql import base

    relay = Proxy(int(connection.settings_dict["PORT"] or 5432))
    pool = {"min_size": 1, "max_size": 2, "timeout": WAIT_S, "reconnect_timeout": WAIT_S}
    options = {"connect_timeout": 2, "prepare_threshold": 3, "statement_s": 1, "pool": pool}
    found = {**connection.settings_dict, "HOST": "127.0.0.1", "PORT": relay.port, "CONN_MAX_AGE": 0, "OPTIONS": options}

    def link():
        return base.DatabaseWrapper(found, alias="relayed")

    def ask(wrapper=None):
        wrapper = wrapper or link()
        try:
            with wrapper.cursor() as cursor:
                cursor.execute("SELECT 1")
            return "ok"
        except Error as problem:
            met = outage.of(problem)
            return met.kind if met else repr(problem)
        finally:
            wrapper.close()

    base._gate.why = None
    base.Connection.trouble = None
    relay.ask, relay.link = ask, link
    yield relay
    link().close_pool()
    relay.close()
    base._gate.why = None
    base.Connection.trouble = None


def timed(call) -> tuple[str, float]:
    began = time.monotonic()
    return call(), time.monotonic() - began


@on_postgres
@pytest.mark.parametrize("how", ["cut", "hang"])
def test_a_server_that_is_away_is_said_so_in_time_and_found_again(relay, how):
    from gs2admin.db.postgresql import connection as ours

    assert relay.ask() == "ok"
    getattr(relay, how)()
    # Until then a connection is handed out without a question, and silence is given up at the limit of a statement.
    until(lambda: time.monotonic() - ours.Connection.heard_any > ours.ANSWERS_S, 5)
    first, took = timed(relay.ask)
    assert first == "away" and took < WAIT_S + 2
    until(lambda: relay.ask() == "away" and relay.ask() == "away", 5)
    relay.flow()
    relay.open = True
    began = time.monotonic()
    until(lambda: relay.ask() == "ok", 10, every_s=0.1)
    assert time.monotonic() - began < 10


@on_postgres
def test_a_connection_that_the_server_ended_is_not_handed_out_and_a_lively_one_is_not_asked_about(relay, monkeypatch):
    from gs2admin.db.postgresql import connection as ours

    real, asked = ours.ConnectionPool.check_connection, []
    monkeypatch.setattr(ours.ConnectionPool, "check_connection", staticmethod(lambda one: asked.append(one) or real(one)))
    monkeypatch.setattr(ours, "ANSWERS_S", 60.0)
    monkeypatch.setattr(ours, "OWN_S", 60.0)
    assert [relay.ask() for _ in range(5)] == ["ok"] * 5 and asked == []
    next_one = relay.link().pool._pool[0]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [next_one.info.backend_pid])
    until(next_one._says_something, 5)
    assert relay.ask() == "ok" and asked == [next_one]
    for limit in ("ANSWERS_S", "OWN_S"):
        with monkeypatch.context() as patch:
            patch.setattr(ours, limit, 0.0)
            before = len(asked)
            assert relay.ask() == "ok" and len(asked) > before, "after a pause the server is asked"


@on_postgres
def test_while_one_tries_the_others_are_refused_at_once(relay):
    assert relay.ask() == "ok"
    relay.cut()
    until(lambda: relay.ask() == "away", 5)
    answers: list[tuple[str, float]] = []
    threads = [threading.Thread(target=lambda: answers.append(timed(relay.ask))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert {kind for kind, _ in answers} == {"away"}
    # All in a queue for the pool would be WAIT_S each.
    assert sum(took < WAIT_S / 2 for _, took in answers) >= 9


@on_postgres
def test_a_statement_whose_answer_never_comes_ends(relay):
    wrapper = relay.link()
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT 1")
        relay.hang()
        kind, took = timed(lambda: relay.ask(wrapper))
    assert kind == "away" and took < 1 + 2 + 2


@on_postgres
def test_a_pool_that_is_used_up_is_no_server_that_is_away(relay):
    holders = [relay.link(), relay.link()]
    for holder in holders:
        holder.ensure_connection()
    kind, took = timed(relay.ask)
    assert kind == "busy" and took < WAIT_S + 2
    holders[0].close()
    assert relay.ask() == "ok"
    holders[1].close()


# ── Redis ───────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def silent_server():
    """It takes connections and says nothing."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("silent", [True, False])
def test_redis_that_is_away_costs_one_wait_and_then_none(silent, monkeypatch):
    import redis

    monkeypatch.setattr(redis_pool, "PAUSE_S", 30.0)
    with silent_server() as port:
        where = port if silent else 1
        client = redis.Redis(connection_pool=redis_pool.Pool.from_url(f"redis://127.0.0.1:{where}/0", socket_timeout=0.3))
        took = []
        for _ in range(5):
            began = time.monotonic()
            with pytest.raises(redis.RedisError) as met:
                client.get("x")
            took.append(time.monotonic() - began)
            assert outage.of(met.value).kind == "redis"
    assert took[0] < 2 and sum(took[1:]) < 0.5
    assert settings.REDIS_WAIT_S == 1
