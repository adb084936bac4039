"""The administration, asked for keys, numbers and filters that cannot be: a page or a way back, never a fault."""
from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from gs2admin.identity.models import User
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
KEYS = ("9" * 25, "-1", "x", "0", "_00", "1.5", "٣", "null", "00000000-0000-0000-0000-00000000000g", "9223372036854775808", "a" * 300)
QUERIES = (
    "?id={0}", "?pk={0}", "?id__exact={0}", "?project__id__exact={0}", "?user__id__exact={0}", "?p={0}", "?o={0}", "?q={0}", "?e={0}",
    "?all={0}", "?id__in={0}", "?created_at__gte={0}", "?_to_field={0}", "?nothing={0}", "?state__exact={0}", "?is_active__exact={0}",
)  # fmt: skip
SENT = ("\0", "9" * 400)
MORE = ("", "x", "-1", "\u202e", "٣", "x" * 3_000, "[]")


@pytest.fixture
def root() -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("root", password=PASSWORD))
    return client


def at(model, name: str, *args: str) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def spread(cases: list, share: int) -> list[tuple]:
    """(model, case): every case at some model, `share` at each; all at all would take minutes."""
    return [(model, cases[(number * share + each) % len(cases)]) for number, model in enumerate(MODELS) for each in range(share)]


def test_keys_that_cannot_be_lead_back(root):
    wrong = []
    pages = [(key, name) for key in KEYS for name in ("change", "delete", "history")]
    for model, (key, name) in [*spread(pages, 1), *((model, (KEYS[0], "change")) for model in MODELS)]:
        answer = root.get(at(model, name, key))
        if answer.status_code not in (302, 403, 404):
            wrong.append((model._meta.label, name, key, answer.status_code))
    assert wrong == []


def test_filters_and_pages_that_cannot_be_are_none(root):
    wrong = []
    asked = [query.format(value) for query in QUERIES for value in ("9" * 25, "x", "-1", "%00", "1.5")]
    for model, query in [*spread(asked, 2), *((model, f"?id__in={'9' * 25}") for model in MODELS[::4])]:
        answer = root.get(at(model, "changelist") + query)
        if answer.status_code not in (200, 302, 400):
            wrong.append((model._meta.label, query, answer.status_code))
    assert wrong == []


def test_what_is_filled_in_wrongly_is_shown_with_a_sentence(root):
    """Every field with the same text; and of a new row nothing is shown that it does not have yet."""
    wrong, opened = [], 0
    for model in MODELS:
        page = root.get(at(model, "add"))
        if page.status_code == 403:
            continue
        opened += 1
        assert b"object at 0x" not in page.content and b"DatabaseDefault" not in page.content, model
        names = page.context["adminform"].form.fields
        for value in (*SENT, MORE[opened % len(MORE)]):
            answer = root.post(at(model, "add"), dict.fromkeys(names, value))
            if answer.status_code not in (200, 302) or b"object at 0x" in answer.content:
                wrong.append((model._meta.label, value[:20], answer.status_code))
    assert wrong == [] and opened >= 6
