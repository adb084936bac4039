"""What the GS2 door and our own API share: finding a stage, and opaque keyset page tokens."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from gs2admin.errors import NotFound
from gs2admin.identity.rights import require
from stages.models import Stage

if TYPE_CHECKING:
    from gs2admin.wire.call import Call


def find_stage(call: Call, name: str) -> Stage:
    """The caller's stage with what decides its status. Raises NotFound, also for another project's stage."""
    require(call.actor, "project.view", call.project)
    rows = Stage.objects.existing(call.project.pk).with_last_rollout().select_related("source", "current_set")
    row = rows.filter(name=name).first()
    if row is None:
        raise NotFound(f"There is no stage {name}.", component="stage", message="freeze.stage.stage.error.notFound")
    return row


def page_token(row_id: int) -> str:
    """The token of a row, base64url without padding, so that no client has to quote it and none is ever `null`."""
    return base64.urlsafe_b64encode(f"row:{row_id}".encode()).rstrip(b"=").decode()


def row_of(token: str, otherwise: Callable[[], Exception]) -> int:
    """The row that a page token names. Raises what `otherwise` makes when it is not one of ours."""
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise otherwise() from None
    match = re.fullmatch(rb"row:(\d{1,18})", text)
    if match is None:
        raise otherwise()
    return int(match[1])
