"""Identifier: programs sign in here and get a project token."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, Field

from gs2admin.identity import tokens
from gs2admin.identity.services.sign_ins import checked_secret
from gs2admin.wire.call import Call
from gs2admin.wire.common import version_method
from gs2admin.wire.failures import refuse
from gs2admin.wire.shapes import Result, Shape, Text, field
from gs2admin.wire.table import Auth, Method


class LoginRequest(Shape):
    """Snake case on the wire; one WebSocket client writes camel case."""

    client_id: Text = field(
        "identifier.projectToken.clientId",
        max_length=256,
        alias="client_id",
        validation_alias=AliasChoices("client_id", "clientId"),
        description="Client id of a credential.",
    )
    client_secret: Text = field(
        "identifier.projectToken.clientSecret",
        max_length=100,
        alias="client_secret",
        validation_alias=AliasChoices("client_secret", "clientSecret"),
        description="Its secret.",
    )


class LoginResult(Result):
    """Flat and in snake case."""

    access_token: str = Field(alias="access_token", description="The project token.")
    token_type: str = Field(alias="token_type", description="Bearer.")
    expires_in: int = Field(alias="expires_in", description="Seconds until it ends.")
    owner_id: str = Field(alias="owner_id", description="Owner id of the project, part of its GRNs.")


def login(call: Call, request: LoginRequest) -> dict[str, Any]:
    """Raises Failure 401 alike for an unknown id, a revoked one and a wrong secret; Unavailable when throttled."""
    try:
        credential = checked_secret(
            request.client_id, request.client_secret, ip=call.context.ip, door=call.context.door,
            request_id=call.context.request_id,
        )
    except tokens.BadToken:
        raise refuse(
            401,
            "identifier",
            "identifier.identifier.clientSecret.error.invalid",
            "The client id or the client secret is wrong.",
        ) from None
    return {
        "access_token": tokens.issue_project_token(credential),
        "token_type": "Bearer",
        "expires_in": tokens.PROJECT_TOKEN_S,
        "owner_id": credential.project.owner_id,
    }


METHODS = [
    Method(
        service="identifier",
        component="projectToken",
        function="login",
        verb="POST",
        path="/projectToken/login",
        request=LoginRequest,
        result=LoginResult,
        handler=login,
        auth=Auth.NONE,
        summary="Sign in with a credential",
    ),
    version_method("identifier", "projectToken"),
]
