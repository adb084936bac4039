"""Which given-up jobs an address means: filters, and of what they fit whole errors (`error=…`) and single jobs (`line=…`)."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest

from gs2admin.text import without_nul
from jobqueue.models import GivenUp, Namespace
from jobqueue.pages.forms import GivenUpFilter
from jobqueue.reads import given_up as reads
from jobqueue.reads.given_up_groups import groups

MOST_ERRORS, MOST_LINES = 50, 500


@dataclass(frozen=True)
class Chosen:
    """errors: keys of groups; lines: ids of given-up jobs. Both empty: everything that fits the filters."""

    errors: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()

    @property
    def some(self) -> bool:
        """Whether it is less than everything that fits."""
        return bool(self.errors or self.lines)


def filter_of(request: HttpRequest) -> GivenUpFilter:
    """The filter in the address; NUL is taken out, because no database takes it."""
    data = request.GET.copy()
    for key in data:
        data[key] = without_nul(data[key])
    return GivenUpFilter(data)


def filters_of(form: GivenUpFilter) -> dict[str, str]:
    """The filters as the address has them."""
    return {name: form.data.get(name, "") for name in form.fields}


def chosen_of(request: HttpRequest) -> Chosen:
    """Read the address; what is no number is left out."""
    lines = [int(text) for text in request.GET.getlist("line") if text.isascii() and text.isdigit() and len(text) < 19]
    return Chosen(tuple(request.GET.getlist("error")[:MOST_ERRORS]), tuple(lines[:MOST_LINES]))


def address_of(form: GivenUpFilter, chosen: Chosen) -> str:
    """`?script=…&error=…&line=…`, "?" when it is empty."""
    words = [(name, value) for name, value in filters_of(form).items() if value]
    words += [("error", key) for key in chosen.errors] + [("line", pk) for pk in chosen.lines]
    return "?" + urlencode(words)


def lines_of(
    namespace: Namespace, words: Mapping[str, Any], chosen: Chosen, *, upto: int | None = None
) -> QuerySet[GivenUp]:
    """The given-up jobs that are meant, newest first; of errors those among the newest reads.MOST."""
    rows = reads.matching(namespace, words, upto=upto)
    if not chosen.some:
        return rows
    ids = set(chosen.lines)
    if chosen.errors:
        found = groups(namespace, words, upto=upto)
        ids |= {line.pk for group in found.groups if group.key in chosen.errors for line in group.lines}
    return rows.filter(pk__in=ids)
