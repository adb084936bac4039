"""Many small reads as one statement."""
from __future__ import annotations

import pytest

from gs2admin.db.batched import rows_of_each
from gs2admin.identity.actors import SYSTEM
from jobqueue.models import Namespace, Queue
from jobqueue.services.namespaces import create_namespace

pytestmark = pytest.mark.django_db


def test_each_list_gives_its_own_first_rows_in_order(project, django_assert_num_queries):
    namespaces = [create_namespace(actor=SYSTEM, project=project, name=f"n-{n}") for n in range(3)]
    for namespace in namespaces:
        for user in "cab":
            Queue.objects.create(namespace=namespace, user_id=f"{user}'%s?")
    lists = [Queue.objects.filter(namespace=namespace).order_by("user_id").values_list("namespace_id", "user_id")[:2] for namespace in namespaces]
    with django_assert_num_queries(1):
        found = rows_of_each([*lists, Queue.objects.none().values_list("namespace_id", "user_id")])
    assert found == [(namespace.pk, f"{user}'%s?") for namespace in namespaces for user in "ab"]
    assert rows_of_each([]) == []


def test_more_lists_than_a_statement_takes_are_several_statements(project):
    namespace = create_namespace(actor=SYSTEM, project=project, name="n")
    lists = [Namespace.objects.filter(pk=namespace.pk).order_by("pk").values_list("pk")[:1] for _ in range(1_001)]
    assert rows_of_each(iter(lists)) == [(namespace.pk,)] * 1_001
