"""Auth: trusted servers sign players in here and shift their clocks."""

from __future__ import annotations

from typing import Any

from gs2admin.identity import tokens
from gs2admin.wire.call import Call
from gs2admin.wire.common import version_method
from gs2admin.wire.shapes import Integer, Result, Shape, Text, field
from gs2admin.wire.table import Method

MAX_OFFSET_S = 315_360_000


class LoginRequest(Shape):
    """Fields of login."""

    user_id: Text = field("auth.accessToken.userId", max_length=128, description="Any id; it need not exist.")
    time_offset: Integer | None = field(
        "auth.accessToken.timeOffset",
        None,
        ge=0,
        le=MAX_OFFSET_S,
        description="Seconds that this user's clock runs ahead; without it, what the time-offset token says, else 0.",
    )


class TimeOffsetRequest(Shape):
    """Fields of issueTimeOffsetTokenByUserId."""

    user_id: Text = field("auth.accessToken.userId", max_length=128, description="Whose clock is shifted.")
    time_offset: Integer = field("auth.accessToken.timeOffset", 0, ge=0, le=MAX_OFFSET_S, description="Seconds ahead.")


class TokenResult(Result):
    """Flat, in camel case."""

    token: str
    user_id: str
    expire: int


def login(call: Call, request: LoginRequest) -> dict[str, Any]:
    """An access token of one hour."""
    offset = call.time_offset_s if request.time_offset is None else request.time_offset
    token, expire = tokens.issue_access_token(project=call.project, user_id=request.user_id, time_offset_s=offset)
    return {"token": token, "userId": request.user_id, "expire": expire}


def issue_time_offset_token(call: Call, request: TimeOffsetRequest) -> dict[str, Any]:
    """A token for the header X-GS2-TIME-OFFSET-TOKEN of ...ByUserId methods."""
    token, expire = tokens.issue_time_offset_token(
        project=call.project, user_id=request.user_id, time_offset_s=request.time_offset
    )
    return {"token": token, "userId": request.user_id, "expire": expire}


METHODS = [
    Method(
        service="auth",
        component="accessToken",
        function="login",
        verb="POST",
        path="/login",
        request=LoginRequest,
        result=TokenResult,
        handler=login,
        writes=True,
        takes_time_offset=True,
        summary="Sign a player in",
    ),
    Method(
        service="auth",
        component="accessToken",
        function="issueTimeOffsetTokenByUserId",
        verb="POST",
        path="/timeoffset/token",
        request=TimeOffsetRequest,
        result=TokenResult,
        handler=issue_time_offset_token,
        takes_time_offset=True,
        summary="A token that shifts a player's clock",
    ),
    version_method("auth", "accessToken"),
]
