"""The table of methods: one declaration each, from which every entry point is made.

Each app lists its methods, of GS2 and of our own JSON API, in its package `api` as METHODS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.utils.module_loading import module_has_submodule
from pydantic import BaseModel

from gs2admin.wire.router import Match, Router, pieces
from gs2admin.wire.shapes import Shape

if TYPE_CHECKING:
    from gs2admin.wire.call import Call

# Service segments that GS2 clients use. All of them answer in the GS2 error shape, also before they have methods.
GS2_SERVICES = ("freeze", "job-queue", "lock", "identifier", "auth", "script", "gateway")
API = "api"


class Auth(Enum):
    """What a caller must show."""

    NONE = "none"
    PROJECT = "project token"
    ACCESS = "project token and access token"


@dataclass(frozen=True)
class Method:
    """One method of one service.

    service: REST segment, such as job-queue. component, function: as in a WebSocket frame. path: below the service;
    `{name}` is one piece, `{+name}` takes slashes too. request, result: shapes; path pieces, query and body are all
    fields of the request. handler: gets (Call, request) and calls one service or queryset function; returns the
    answer as a dict, or an Answer for another status (own API only). writes: a dry run of it is rolled back.
    takes_*: special headers. runs_scripts: its effect is not one transaction, so the duplication avoider works by a
    lease. body_cap: bytes after decompression.
    """

    service: str
    component: str
    function: str
    verb: str
    path: str
    request: type[Shape]
    result: type[BaseModel]
    handler: Callable[[Call, Any], dict[str, Any] | Answer]
    summary: str
    auth: Auth = Auth.PROJECT
    writes: bool = False
    takes_duplication_avoider: bool = False
    takes_time_offset: bool = False
    runs_scripts: bool = False
    body_cap: int = 256 * 1024
    statuses: dict[int, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`freeze.stage.getStage`: unique."""
        return f"{self.service}.{self.component}.{self.function}"

    @property
    def words(self) -> str:
        """The service as error messages spell it: jobQueue for job-queue."""
        head, *tail = self.service.split("-")
        return head + "".join(part.capitalize() for part in tail)


@dataclass(frozen=True)
class Answer:
    """An answer with a status and headers of its own.

    etag: quoted; a caller that has it already gets 304 (own API only).
    """

    body: dict[str, Any]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: str = ""


class Table:
    """All methods, refused when two share a name, a route or when a path piece is no field of the request."""

    def __init__(self, methods: Iterable[Method]) -> None:
        self.methods = list(methods)
        self.by_name: dict[tuple[str, str, str], Method] = {}
        self._routers: dict[str, Router[Method]] = {}
        for method in self.methods:
            key = (method.service, method.component, method.function)
            if key in self.by_name:
                raise ValueError(f"{method.name} is declared twice")
            self.by_name[key] = method
            aliases = {info.alias for info in method.request.model_fields.values()}
            if missing := set(pieces(method.path)) - aliases:
                raise ValueError(f"{method.name} has {missing} in its path but not in its request")
            self._routers.setdefault(method.service, Router(empty=True)).add(method.verb, method.path, method)

    def find(self, service: str, verb: str, path: str) -> Match[Method] | None:
        """The method for a path below a service, with the names and raw values of its path pieces."""
        return self._routers.get(service, _NOTHING).find(verb, path)

    def missing(self, service: str, path: str) -> str:
        """A sentence for a path that `find` found no method for."""
        return self._routers.get(service, _NOTHING).missing(path)


_NOTHING: Router[Method] = Router()


@cache
def table() -> Table:
    """The table of this server, assembled once from the apps' `api` packages."""
    methods: list[Method] = []
    for config in apps.get_app_configs():
        if config.module and module_has_submodule(config.module, "api"):
            methods += getattr(import_module(f"{config.name}.api"), "METHODS", [])
    return Table(methods)
