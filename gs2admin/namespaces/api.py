"""The seven namespace methods, for every service that has namespaces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from django.db.models import Model
from pydantic import create_model

from gs2admin.errors import NotFound
from gs2admin.identity.models import Project
from gs2admin.identity.rights import require
from gs2admin.namespaces.setting_shapes import Setting
from gs2admin.text import starts_with
from gs2admin.wire.call import Call
from gs2admin.wire.common import version_method
from gs2admin.wire.paging import key_of, page
from gs2admin.wire.shapes import Integer, Result, Shape, Text, field
from gs2admin.wire.table import Method


def milliseconds(at: datetime) -> int:
    """Unix milliseconds, as all times are on the wire."""
    return int(at.timestamp() * 1000)


class NamespaceModel(Result):
    """What all namespaces have."""

    namespace_id: str
    name: str
    description: str | None = None
    created_at: int
    updated_at: int
    revision: int


class StatusResult(Result):
    """ACTIVE, or DELETING while a delete runs."""

    status: Literal["ACTIVE", "DELETING"]


class _Shapes(NamedTuple):
    """The requests and results of one service's namespace methods."""

    one: type[Shape]
    several: type[Shape]
    make: type[Shape]
    change: type[Shape]
    item: type[Result]
    items: type[Result]


@dataclass(frozen=True)
class Namespaces:
    """One service's namespaces, from which its seven methods are made.

    service: REST segment. words: its spelling in error words. grn: its segment in GRNs. model: with project, name and
    status. settings: request fields beside name and description: {name: (type, field(...))}; a Setting is stored as JSON.
    result: shape of an item. item: the service's own members of an item. create(actor, project, name, **settings),
    update(actor, namespace, **settings), delete(actor, namespace): the service functions.
    """

    service: str
    words: str
    grn: str
    model: type[Model]
    settings: dict[str, Any]
    result: type[NamespaceModel]
    item: Callable[[Project, Any], dict[str, Any]]
    create: Callable[..., Any]
    update: Callable[..., Any]
    delete: Callable[..., Any]

    def find(self, call: Call, name: str) -> Any:
        """The caller's namespace, with its project. Raises NotFound, also for another project's."""
        require(call.actor, "project.view", call.project)
        row = self.model.objects.filter(project=call.project, name=name).first()
        if row is None:
            raise NotFound(
                f"There is no namespace {name}.", component="namespace",
                message=f"{self.words}.namespace.namespace.error.notFound",
            )  # fmt: skip
        row.project = call.project
        return row

    def grn_of(self, project: Project, name: str) -> str:
        """The GRN of a namespace."""
        return f"grn:gs2:{project.region}:{project.owner_id}:{self.grn}:{name}"

    def as_item(self, project: Project, row: Any) -> dict[str, Any]:
        """The contract's Namespace."""
        return {
            "namespaceId": self.grn_of(project, row.name),
            "name": row.name,
            "description": row.description or None,
            **self.item(project, row),
            "createdAt": milliseconds(row.created_at),
            "updatedAt": milliseconds(row.updated_at),
            "revision": row.revision,
        }

    def methods(self) -> list[Method]:
        """describeNamespaces, createNamespace, getNamespaceStatus, getNamespace, updateNamespace, deleteNamespace,
        getServiceVersion."""
        shapes = self._shapes()

        def method(function: str, verb: str, path: str, request: Any, result: Any, handler: Any, summary: str) -> Method:
            return Method(
                service=self.service, component="namespace", function=function, verb=verb, path=path, request=request,
                result=result, handler=handler, writes=verb != "GET", summary=summary,
            )  # fmt: skip

        one, item = shapes.one, shapes.item
        return [
            method("describeNamespaces", "GET", "/", shapes.several, shapes.items, self._describe, "All namespaces"),
            method("createNamespace", "POST", "/", shapes.make, item, self._create, "Make a namespace"),
            method(
                "getNamespaceStatus", "GET", "/{namespaceName}/status", one, StatusResult, self._status, "Whether it can be used"
            ),
            method("getNamespace", "GET", "/{namespaceName}", one, item, self._get, "A namespace"),
            method("updateNamespace", "PUT", "/{namespaceName}", shapes.change, item, self._update, "Change its settings"),
            method("deleteNamespace", "DELETE", "/{namespaceName}", one, item, self._delete, "Delete it with its contents"),
            version_method(self.service, "namespace"),
        ]  # fmt: skip

    def _shapes(self) -> _Shapes:
        title = self.words[:1].upper() + self.words[1:]
        word = f"{self.words}.namespace"
        named = {"namespace_name": (Text, field(f"{word}.name", max_length=128, description="The namespace."))}
        settings = {"description": (Text | None, field(f"{word}.description", None, max_length=1024))} | self.settings
        return _Shapes(
            one=create_model(f"{title}NamespaceRequest", __base__=Shape, **named),
            several=create_model(
                f"{title}NamespacesRequest",
                __base__=Shape,
                name_prefix=(Text | None, field(f"{word}.namePrefix", None, max_length=64)),
                page_token=(Text | None, field(f"{word}.pageToken", None, max_length=1024)),
                limit=(Integer, field(f"{word}.limit", 30, ge=1, le=1000)),
            ),
            make=create_model(
                f"{title}CreateNamespaceRequest",
                __base__=Shape,
                name=(Text, field(f"{word}.name", max_length=128, description="Letters, digits, hyphen, underscore, dot.")),
                **settings,
            ),
            change=create_model(f"{title}UpdateNamespaceRequest", __base__=Shape, **named, **settings),
            item=create_model(f"{title}NamespaceResult", __base__=Result, item=(self.result, ...)),
            items=create_model(
                f"{title}NamespacesResult",
                __base__=Result,
                items=(list[self.result], ...),
                next_page_token=(str | None, None),
            ),
        )

    def _given(self, request: Shape) -> dict[str, Any]:
        values = {name: getattr(request, name) for name in ("description", *self.settings)}
        return {
            name: value.stored() if isinstance(value, Setting) else value for name, value in values.items() if value is not None
        }

    # ── The handlers; what their docstrings say is shown on the API page ──────────────────────────────────────

    def _describe(self, call: Call, request: Any) -> dict[str, Any]:
        """By name."""
        require(call.actor, "project.view", call.project)
        after = key_of(
            request.page_token, "namespace", str, component="namespace", word=f"{self.words}.namespace.pageToken"
        )
        rows = self.model.objects.filter(project=call.project)
        if request.name_prefix:
            rows = rows.filter(starts_with("name", request.name_prefix))
        return page(
            rows, by="name", after=after, limit=request.limit, kind="namespace", item=lambda row: self.as_item(call.project, row)
        )

    def _create(self, call: Call, request: Any) -> dict[str, Any]:
        """Raises Denied, Invalid, Conflict when the name is taken."""
        row = self.create(actor=call.actor, project=call.project, name=request.name, **self._given(request))
        return {"item": self.as_item(call.project, row)}

    def _status(self, call: Call, request: Any) -> dict[str, Any]:
        """Raises NotFound."""
        return {"status": str(self.find(call, request.namespace_name).status)}

    def _get(self, call: Call, request: Any) -> dict[str, Any]:
        """Raises NotFound."""
        return {"item": self.as_item(call.project, self.find(call, request.namespace_name))}

    def _update(self, call: Call, request: Any) -> dict[str, Any]:
        """What is omitted, null or empty stays as it is. Raises NotFound, Denied, Invalid, Conflict while it is deleted."""
        row = self.find(call, request.namespace_name)
        return {"item": self.as_item(call.project, self.update(actor=call.actor, namespace=row, **self._given(request)))}

    def _delete(self, call: Call, request: Any) -> dict[str, Any]:
        """With everything in it; a large one is emptied in the background. Raises NotFound, Denied."""
        row = self.find(call, request.namespace_name)
        gone = self.as_item(call.project, row)
        self.delete(actor=call.actor, namespace=row)
        return {"item": gone}
