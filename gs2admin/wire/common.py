"""What every service offers alike."""

from __future__ import annotations

from typing import Any

from gs2admin import __version__
from gs2admin.wire.dispatch import Call
from gs2admin.wire.shapes import Nothing, Result


class ServiceVersion(Result):
    """The same value twice: SDKs read one or the other."""

    item: str
    status: str


def service_version(call: Call, request: Nothing) -> dict[str, Any]:
    """The version of this server."""
    return {"item": __version__, "status": __version__}
