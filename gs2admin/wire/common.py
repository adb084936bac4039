"""What every service offers alike."""

from __future__ import annotations

from typing import Any

from gs2admin import __version__
from gs2admin.wire.call import Call
from gs2admin.wire.shapes import Nothing, Result
from gs2admin.wire.table import Method


class ServiceVersion(Result):
    """The same value twice: SDKs read one or the other."""

    item: str
    status: str


def service_version(call: Call, request: Nothing) -> dict[str, Any]:
    """The version of this server."""
    return {"item": __version__, "status": __version__}


def version_method(service: str, component: str) -> Method:
    """getServiceVersion, which every service has. component: as its SDKs write it in a WebSocket frame."""
    return Method(
        service=service, component=component, function="getServiceVersion", verb="GET", path="/system/version",
        request=Nothing, result=ServiceVersion, handler=service_version, summary="Version of this server",
    )  # fmt: skip
