"""Connections of processes that run for weeks: the server is asked whether one works only after a pause or an error."""
import pytest
from django.conf import settings
from django.db import OperationalError, connection

from gs2admin.db.postgresql import base

pytestmark = pytest.mark.skipif(settings.ON_SQLITE, reason="about PostgreSQL")


@pytest.fixture
def link(db, monkeypatch):
    """A connection as workers have it, and how often the server was asked whether it works: (link, asked)."""
    asked = []
    real = base.DatabaseWrapper.is_usable
    monkeypatch.setattr(base.DatabaseWrapper, "is_usable", lambda self: asked.append(1) or real(self))
    found = base.DatabaseWrapper({**connection.settings_dict, "CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}, alias="weeks")
    yield found, asked
    found.close()


def use(link: base.DatabaseWrapper) -> int:
    """One task's use of it; returns the server's process."""
    link.close_if_unusable_or_obsolete()
    with link.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def test_the_server_is_asked_once_in_a_while_and_not_before_each_use(link, monkeypatch):
    link, asked = link
    first = use(link)
    assert {use(link) for _ in range(5)} == {first}
    assert len(asked) <= 1
    monkeypatch.setattr(base, "PAUSE_S", 0.0)
    assert use(link) == first
    assert len(asked) == 2


def test_a_connection_that_the_server_has_closed_is_replaced_before_its_next_use(link):
    link, _ = link
    first = use(link)
    use(link)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
    assert use(link) != first


def test_after_an_error_the_server_is_asked(link):
    link, asked = link
    use(link), use(link)
    before = len(asked)
    with pytest.raises(OperationalError), link.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 1; SELECT pg_sleep(5)")
    use(link)
    assert len(asked) > before
