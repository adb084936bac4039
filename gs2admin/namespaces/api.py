"""The seven namespace methods, for every service that has namespaces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

from django.db.models import Model, QuerySet
from pydantic import create_model

from gs2admin.db.columns import Milliseconds, milliseconds
from gs2admin.db.prepared import MOST, Places, Prepared, PreparedRow
from gs2admin.errors import Invalid, NotFound
from gs2admin.identity.models import Project
from gs2admin.identity.rights import require
from gs2admin.namespaces.setting_shapes import Setting
from gs2admin.text import starts_with
from gs2admin.wire.call import Call
from gs2admin.wire.common import version_method
from gs2admin.wire.paging import cut, key_of
from gs2admin.wire.shapes import Integer, Result, Shape, Text, field
from gs2admin.wire.table import Method


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

    def may_view(self, call: Call) -> None:
        """Raises NotFound for an actor without a role in the project."""
        require(call.actor, "project.view", call.project)

    def find(self, call: Call, name: str) -> Any:
        """The caller's namespace, with its project. Raises NotFound, also for another project's.

        A read that names its namespace by project and name itself asks only when it has found nothing.
        """
        self.may_view(call)
        row = self._one.first(project=call.project.pk, name=name)
        if row is None:
            raise self._none(name)
        row.project = call.project
        return row

    def after(self, call: Call, name: str, token: str | None, kind: str, of: type, *, component: str, word: str) -> Any:
        """`key_of` the page token of a list in a namespace. Where both are wrong it is the namespace that is missed."""
        try:
            return key_of(token, kind, of, component=component, word=word)
        except Invalid:
            self.find(call, name)
            raise

    def _none(self, name: str) -> NotFound:
        return NotFound(
            f"There is no namespace {name}.", component="namespace", message=f"{self.words}.namespace.namespace.error.notFound"
        )

    @cached_property
    def _row(self) -> Any:
        """What an answer says of a namespace; times are in Unix milliseconds."""
        members = ("name", "description", "status", "revision", *self.settings, "created_ms", "updated_ms")
        return NamedTuple("NamespaceRow", [(member, Any) for member in members])

    def _shown(self, rows: QuerySet) -> QuerySet:
        return rows.annotate(created_ms=Milliseconds("created_at"), updated_ms=Milliseconds("updated_at"))

    @cached_property
    def _one(self) -> PreparedRow:
        return PreparedRow(self.model, lambda at: self.model.objects.filter(project_id=at.project, name=at.name).order_by())

    @cached_property
    def _item_of(self) -> Prepared:
        return Prepared(
            self._row, lambda at: self._shown(self.model.objects.filter(project_id=at.project, name=at.name).order_by())
        )

    @cached_property
    def _items_of(self) -> Prepared:
        def listed(at: Places) -> QuerySet:
            rows = self._shown(self.model.objects.filter(project_id=at.project).order_by("name"))
            return (rows.filter(name__gt=at.after) if "after" in at else rows)[:MOST]

        return Prepared(self._row, listed)

    def _read(self, call: Call, name: str) -> Any:
        self.may_view(call)
        row = self._item_of.first(project=call.project.pk, name=name)
        if row is None:
            raise self._none(name)
        return row

    def _of_model(self, row: Any) -> Any:
        """A namespace that a service returned, as reads give it."""
        values = (getattr(row, member) for member in self._row._fields[:-2])
        return self._row(*values, milliseconds(row.created_at), milliseconds(row.updated_at))

    def grn_of(self, project: Project, name: str) -> str:
        """The GRN of a namespace."""
        return f"grn:gs2:{project.region}:{project.owner_id}:{self.grn}:{name}"

    def as_item(self, project: Project, row: Any) -> dict[str, Any]:
        """The contract's Namespace of a row as reads give it."""
        return {
            "namespaceId": self.grn_of(project, row.name),
            "name": row.name,
            "description": row.description or None,
            **self.item(project, row),
            "createdAt": row.created_ms,
            "updatedAt": row.updated_ms,
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
        self.may_view(call)
        after = key_of(
            request.page_token, "namespace", str, component="namespace", word=f"{self.words}.namespace.pageToken"
        )
        goes_on = {} if after is None else {"after": after}
        if request.name_prefix:
            rows = self._shown(self.model.objects.filter(project=call.project)).filter(starts_with("name", request.name_prefix))
            rows = (rows.filter(name__gt=after) if goes_on else rows).order_by("name")[: request.limit + 1]
            found = self._items_of.of(rows)
        else:
            found = self._items_of.rows(project=call.project.pk, **goes_on, most=request.limit + 1)
        shown, token = cut(found, by="name", limit=request.limit, kind="namespace")
        return {"items": [self.as_item(call.project, row) for row in shown], "nextPageToken": token}

    def _create(self, call: Call, request: Any) -> dict[str, Any]:
        """Raises Denied, Invalid, Conflict when the name is taken."""
        row = self.create(actor=call.actor, project=call.project, name=request.name, **self._given(request))
        return {"item": self.as_item(call.project, self._of_model(row))}

    def _status(self, call: Call, request: Any) -> dict[str, Any]:
        """Raises NotFound."""
        return {"status": str(self._read(call, request.namespace_name).status)}

    def _get(self, call: Call, request: Any) -> dict[str, Any]:
        """Raises NotFound."""
        return {"item": self.as_item(call.project, self._read(call, request.namespace_name))}

    def _update(self, call: Call, request: Any) -> dict[str, Any]:
        """What is omitted, null or empty stays as it is. Raises NotFound, Denied, Invalid, Conflict while it is deleted."""
        row = self.find(call, request.namespace_name)
        changed = self.update(actor=call.actor, namespace=row, **self._given(request))
        return {"item": self.as_item(call.project, self._of_model(changed))}

    def _delete(self, call: Call, request: Any) -> dict[str, Any]:
        """With everything in it; a large one is emptied in the background. Raises NotFound, Denied."""
        row = self.find(call, request.namespace_name)
        gone = self.as_item(call.project, self._of_model(row))
        self.delete(actor=call.actor, namespace=row)
        return {"item": gone}
