"""Beginnings are found letter by letter, on both databases, whatever a text holds."""
from __future__ import annotations

import pytest
from django.db import connection

from gs2admin import text
from gs2admin.identity.actors import SYSTEM
from gs2admin.text import starts_with
from jobqueue.models import Namespace
from locks import reads
from locks.services import lock
from locks.services.namespaces import create_namespace

pytestmark = pytest.mark.django_db
LAST = "\U0010ffff"
TEXTS = [
    "Queue-1", "queue-1", "QUEUE-1", "queue-", "queue", "queuf", "que%e", "que_e", "que\\e", "que*e", "que?e", "que[e]e", "Äa", "äa",
    "a\ud7ff", "a\ud7ffb", "a\ue000", f"a{LAST}", f"a{LAST}b", "b", LAST, LAST + LAST, LAST + "a", "𐐀", "𐐨", "ı", "I", "i", "K", "k", "\x7f", "\x80",
]  # fmt: skip


@pytest.fixture
def names(project):
    Namespace.objects.bulk_create(Namespace(project=project, name=name) for name in TEXTS)
    return Namespace.objects.filter(project=project)


@pytest.mark.parametrize("ordered", [True, False], ids=["range", "LIKE"])
def test_what_begins_so_is_what_python_says(names, ordered, monkeypatch):
    if not ordered:
        if connection.vendor == "sqlite":
            pytest.skip("SQLite always orders by code points")
        # What a PostgreSQL database with another order of letters is asked.
        monkeypatch.setattr(text, "_by_code_point", lambda: False)
    starts = {name[:length] for name in TEXTS for length in range(1, len(name) + 1)}
    for start in starts:
        found = set(names.filter(starts_with("name", start)).values_list("name", flat=True))
        expected = {name for name in TEXTS if name.startswith(start)}
        # Where ">=" is another order's, it may only leave out what its letters place elsewhere: none in C.
        assert found == expected, ascii(start)


def test_a_beginning_is_read_from_the_index(names):
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL reads a table of this size whole")
    plan = names.filter(starts_with("name", "queue")).explain()
    assert "name>? AND name<?" in plan, plan


def test_long_properties_of_mutexes_are_found_letter_by_letter(project):
    namespace = create_namespace(actor=SYSTEM, project=project, name="beginnings")
    front = "grn:" + "x" * 200
    for end in ("Quest", "quest", "QUEST"):
        lock(actor=SYSTEM, namespace=namespace, user_id="u", property_id=front + end, transaction_id="t", ttl_s=60)
    found = reads.by_property(project, front + "que", limit=10)
    assert [row.property_id for row in found] == [front + "quest"]
