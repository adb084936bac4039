"""Versions in our own JSON API: register one, list them."""

from __future__ import annotations

from typing import Any

from gs2admin.wire.call import Call
from gs2admin.wire.paging import cut, key_of
from gs2admin.wire.shapes import Integer, Result, Shape, Text, field
from gs2admin.wire.table import Answer
from stages.api.find import rows, viewing
from stages.api.own.shapes import api_method, iso
from stages.models import Version
from stages.setup.versions import register_version


class RegisterRequest(Shape):
    """Fields of registerVersion."""

    microservice: Text = field("freeze.microservice.name", max_length=128, description="Made when it is new.")
    version: Text = field("freeze.microservice.version", max_length=32)
    note: Text = field("freeze.microservice.note", "", max_length=1024, description="For people; kept from the first time.")


class VersionsRequest(Shape):
    """Fields of listVersions."""

    microservice: Text | None = field("freeze.microservice.name", None, max_length=128, description="Only its versions.")
    page_token: Text | None = field("freeze.microservice.pageToken", None, max_length=1024)
    limit: Integer = field("freeze.microservice.limit", 100, ge=1, le=1000)


class VersionModel(Result):
    """A registered version; times are ISO 8601 in UTC."""

    microservice: str
    version: str
    note: str
    registered_by: str
    registered_at: str
    withdrawn_at: str | None


class VersionsResult(Result):
    """Newest first."""

    items: list[VersionModel]
    next_page_token: str | None


def register(call: Call, request: RegisterRequest) -> Answer:
    """201 when it is new, 200 when it was there. Raises Denied, Invalid, Conflict when it was withdrawn."""
    row, created = register_version(
        actor=call.actor,
        project=call.project,
        microservice=request.microservice,
        version=request.version,
        note=request.note,
    )
    if created:
        row = Version.objects.select_related("microservice").get(pk=row.pk)  # the database made registered_at
    shown = rows.VersionRow(row.pk, row.microservice.name, row.version, row.note, row.registered_by, row.registered_at,
                            row.withdrawn_at)  # fmt: skip
    return Answer(_item(shown), 201 if created else 200)


@viewing
def list_versions(call: Call, request: VersionsRequest) -> dict[str, Any]:
    """Newest first, in pages. Raises Invalid for a page token that is not ours."""
    before = key_of(request.page_token, "version", int, component="microservice", word="freeze.microservice.pageToken")
    found = rows.versions_before(call.project.pk, microservice=request.microservice, before=before, limit=request.limit)
    shown, token = cut(found, by="id", limit=request.limit, kind="version")
    return {"items": [_item(row) for row in shown], "nextPageToken": token}


def _item(row: rows.VersionRow) -> dict[str, Any]:
    return {
        "microservice": row.service,
        "version": row.version,
        "note": row.note,
        "registeredBy": row.registered_by,
        "registeredAt": iso(row.registered_at),
        "withdrawnAt": iso(row.withdrawn_at),
    }


METHODS = [
    api_method(
        "version", "registerVersion", "POST", "/versions", RegisterRequest, VersionModel, register,
        "Register a version of a microservice", statuses={201: "Registered.", 200: "It was registered before."},
    ),
    api_method(
        "version", "listVersions", "GET", "/versions", VersionsRequest, VersionsResult, list_versions, "Registered versions"
    ),
]  # fmt: skip
