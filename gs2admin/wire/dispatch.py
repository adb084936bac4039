"""Carries one call out: who calls, what they ask, the handler, its answer. Every entry point ends here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction

from gs2admin.db import fences
from gs2admin.errors import Conflict, DomainError
from gs2admin.identity import tokens
from gs2admin.identity.actors import from_credential
from gs2admin.identity.services.sign_ins import checked_secret
from gs2admin.wire import idempotency
from gs2admin.wire.call import Call, CallContext
from gs2admin.wire.failures import Failure, from_domain, refuse
from gs2admin.wire.shapes import parse
from gs2admin.wire.table import Answer, Auth, Method

if TYPE_CHECKING:
    from gs2admin.identity.models import Credential


def authenticate(method: Method, context: CallContext) -> Call:
    """Who calls. Raises Failure 401 when the tokens that the method asks for are missing or not good."""
    if method.auth is Auth.NONE:
        return Call(context)
    try:
        credential = credential_of(context)
    except tokens.BadToken as bad:
        raise _unauthorised("projectToken", "identifier.projectToken.projectToken", bad.kind) from None
    except DomainError as error:
        raise from_domain(error, service=method.words, component=method.component) from None
    actor = from_credential(credential, door=context.door, ip=context.ip, request_id=context.request_id)
    return within(method, context, Call(context, actor, credential.project, credential))


def within(method: Method, context: CallContext, call: Call) -> Call:
    """The same call with what the other tokens and the duplication avoider of `context` say.

    For calls whose actor and project are known already: made by a credential, or inside the server by a script, which
    needs no project token. Raises Failure 401 when a token is not good.
    """
    if method.auth is Auth.NONE:
        return call
    project = call.project
    user_id, time_offset_s, offset = None, 0, None
    if method.auth is Auth.ACCESS:
        try:
            if not context.access_token:
                raise tokens.BadToken("require")
            access = tokens.access_of(context.access_token, project)
        except tokens.BadToken as bad:
            raise _unauthorised("accessToken", "auth.accessToken.accessToken", bad.kind) from None
        user_id, time_offset_s = access.user_id, access.time_offset_s
    if method.takes_time_offset and context.time_offset_token:
        try:
            offset = tokens.offset_of(context.time_offset_token, project)
        except tokens.BadToken as bad:
            raise _unauthorised("timeOffsetToken", "auth.accessToken.timeOffsetToken", bad.kind) from None
        time_offset_s = offset.time_offset_s
    token = context.duplication_avoider if method.takes_duplication_avoider else ""
    if user_id is None and offset is None and not token:
        return call
    return replace(call, user_id=user_id, time_offset_s=time_offset_s, offset=offset, duplication_avoider=token)


def dispatch(method: Method, call: Call, fields: dict[str, Any]) -> Answer:
    """Check the fields, run the handler and return its answer.

    A dry run of a writing method does everything in a transaction that is rolled back: rights, limits and conflicts
    are answered as they would be, and nothing stays. Raises Failure.
    """
    request = parse(method.request, fields, numbers_are_text=call.context.door == "script")
    # The method's user is the one that a time-offset token must have been issued for.
    if call.offset is not None and getattr(request, "user_id", call.offset.user_id) != call.offset.user_id:
        raise _unauthorised("timeOffsetToken", "auth.accessToken.timeOffsetToken", "invalid")
    try:
        if call.context.dry_run and method.writes:
            with transaction.atomic():
                answer = method.handler(call, request)
                transaction.set_rollback(True)
        elif call.duplication_avoider:
            answer = idempotency.once(method, call, request)
        elif fences.active() and method.writes and not method.runs_scripts:
            answer = _whole(method, call, request)
        else:
            answer = method.handler(call, request)
    except DomainError as error:
        denied = 403 if call.context.door == "api" else 401
        raise from_domain(error, service=method.words, component=method.component, denied=denied) from None
    return answer if isinstance(answer, Answer) else Answer(answer)


def _whole(method: Method, call: Call, request: Any) -> Any:
    """All that the handler writes, in one transaction, so that none of it stays when the caller's lease is lost."""
    try:
        with transaction.atomic():
            return method.handler(call, request)
    except IntegrityError:
        # The handler's own checks met it in the middle; this is the commit, of a row whose owner was deleted meanwhile.
        raise Conflict(
            "What this call is about was deleted meanwhile.", component=method.component,
            message=f"{method.words}.{method.component}.{method.component}.error.conflict",
        ) from None  # fmt: skip


def credential_of(context: CallContext) -> Credential:
    """The live credential behind a call. Raises BadToken, and DomainError when too many guesses were wrong."""
    if context.basic is not None:
        return checked_secret(*context.basic, ip=context.ip, door=context.door, request_id=context.request_id)
    if not context.project_token:
        raise tokens.BadToken("require")
    return tokens.credential_of(context.project_token)


_SENTENCES = {
    "require": "Sign in first: this call needs a token.",
    "invalid": "This token is not one of ours, or not for this project or user.",
    "expired": "This token has expired; sign in again.",
    "secret": "The client id or the client secret is wrong.",
    "revoked": "The credential behind this token was revoked.",
}


def _unauthorised(component: str, word: str, kind: str) -> Failure:
    error = "require" if kind == "require" else "invalid"
    special = f"{word}.{kind}" if kind in {"expired", "revoked"} else ""
    return refuse(401, component, f"{word}.error.{error}", _SENTENCES[kind], code=special)
