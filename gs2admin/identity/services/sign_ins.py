"""Lines about sign-ins: of people in the log of the server, of programs in that of their project.

A flood of failures leaves one line per account or credential and minute, and one for all names that nobody has.
"""
from __future__ import annotations

from datetime import timedelta

from django.db import models, transaction

from gs2admin.audit.models import Activity
from gs2admin.audit.services import record
from gs2admin.db import clock
from gs2admin.identity import tokens
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Credential, User

FAILURES_EVERY = timedelta(minutes=1)
# Of an account so many of its newest lines are looked at for a failure.
LOOK = 20


def _somebody(door: str, ip: str, request_id: str) -> Actor:
    return Actor("unknown", "", "somebody", door=door, ip=ip, request_id=request_id)


def signed_in(*, actor: Actor) -> None:
    """A person has signed in."""
    _of_person(actor, "person.sign_in")


def signed_out(*, actor: Actor) -> None:
    """A person has signed out."""
    _of_person(actor, "person.sign_out")


def _of_person(actor: Actor, action: str) -> None:
    with transaction.atomic():
        record(actor=actor, action=action, obj=User(pk=int(actor.id), username=actor.name))


def sign_in_failed(*, username: str, ip: str, request_id: str) -> None:
    """A wrong password, or a name that nobody has. Such a name is not kept: it may be a password in the wrong field."""
    user = User.objects.filter(username=username).only("pk", "username").first() if "\0" not in username else None
    row = user or User(pk=0, username="a name that nobody has")
    _failure("person.sign_in_failed", row, _somebody("browser", ip, request_id))


def checked_secret(client_id: str, client_secret: str, *, ip: str, door: str, request_id: str) -> Credential:
    """tokens.check_secret, and a line in the project's log when the secret of one of its credentials was wrong."""
    try:
        return tokens.check_secret(client_id, client_secret, ip=ip)
    except tokens.BadToken:
        credential = tokens.find_credential(client_id)
        if credential is not None:
            _failure("credential.refused", credential, _somebody(door, ip, request_id))
        raise


def _failure(action: str, row: models.Model, actor: Actor) -> None:
    of_row = Activity.objects.filter(
        project_id=row.project_id, object_type=row._meta.model_name, object_id=str(row.pk)
    ).order_by("-id")
    since = clock.now() - FAILURES_EVERY
    if any(line[0] == action and line[1] > since for line in of_row.values_list("action", "at")[:LOOK]):
        return
    with transaction.atomic():
        record(actor=actor, action=action, obj=row)
