"""Writes all that is sealed under an earlier SECRET_KEY anew, under the present one."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.conf import settings
from django.db import models, transaction

from gs2admin.audit.services import record
from gs2admin.errors import Conflict
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Credential, ServerKey, StampKey
from gs2admin.identity.sealed import Unreadable, is_current, keys, seal, secret_sha256, unseal
from gs2admin.identity.server_keys import ROOT
from gs2admin.identity.services.credentials import signing_purpose
from gs2admin.identity.services.stamp_keys import purpose_of
from gs2admin.schema import server_key

BATCH = 200


@dataclass
class Rotated:
    """What was done. written, current: numbers of secrets; unreadable: names of those that no key opens.

    changed: the database knows another key than before.
    """

    written: int = 0
    current: int = 0
    unreadable: list[str] = field(default_factory=list)
    changed: bool = False


def rotate_keys(*, actor: Actor, lost: bool = False) -> Rotated:
    """Seal everything under SECRET_KEY, then let the database know it. A second call changes nothing.

    lost: there is no old key any more; what cannot be read stays as it is, and new keys of webhooks and targets are derived.
    Raises Conflict when neither SECRET_KEY nor a fallback is the database's key, unless it is lost.
    """
    row = ServerKey.objects.filter(name=server_key.NAME).first()
    if row is not None and not lost and not any(server_key.is_of(key, row.value) for key in keys()):
        raise Conflict(server_key.SENTENCE)
    done = Rotated()
    for model, column, name_of, purpose in (
        (Credential, "sealed_secret", lambda one: f"credential {one.name} of {one.project}",
         lambda one: signing_purpose(one.client_id)),
        (StampKey, "sealed_secret", lambda one: f"stamp key {one} of {one.project}",
         lambda one: purpose_of(one.project, one.namespace, one.name)),
        (ServerKey, "value", lambda one: "the root of signing keys", lambda one: ROOT),
    ):  # fmt: skip
        for batch in _batches(model, column):
            with transaction.atomic():
                for one in batch:
                    _write(one, column, name_of(one), purpose(one), done)
    with transaction.atomic():
        _finish(actor, row, lost, done)
    return done


def unsigned_since() -> int:
    """Living credentials of an earlier release that have not signed in since: only the key of that time knows their secrets."""
    return Credential.objects.filter(secret_sha256="", revoked_at=None).count()


def _batches(model: type[models.Model], column: str) -> Iterator[list]:
    rows = model.objects.exclude(**{column: ""}).order_by("pk")
    if model is ServerKey:
        rows = rows.filter(name=ROOT)
    else:
        rows = rows.select_related("project")
    batch = list(rows[:BATCH])
    while batch:
        yield batch
        batch = list(rows.filter(pk__gt=batch[-1].pk)[:BATCH])


def _write(row: models.Model, column: str, name: str, purpose: str, done: Rotated) -> None:
    text = getattr(row, column)
    if is_current(text, purpose=purpose):
        done.current += 1
        return
    try:
        secret = unseal(text, purpose=purpose)
    except Unreadable:
        done.unreadable.append(name)
        return
    changes = {column: seal(secret, purpose=purpose)}
    if isinstance(row, Credential):
        changes["secret_sha256"] = secret_sha256(secret)
    # Not where it was revoked meanwhile.
    done.written += type(row).objects.filter(pk=row.pk, **{column: text}).update(**changes)


def _finish(actor: Actor, row: ServerKey | None, lost: bool, done: Rotated) -> None:
    if row is None or not server_key.is_of(settings.SECRET_KEY, row.value):
        row, _ = ServerKey.objects.update_or_create(
            name=server_key.NAME, defaults={"value": server_key.fingerprint(settings.SECRET_KEY)}
        )
        done.changed = True
    if lost and "the root of signing keys" in done.unreadable:
        root = seal(server_key.signing_root(settings.SECRET_KEY).hex(), purpose=ROOT)
        ServerKey.objects.filter(name=ROOT).update(value=root)
        done.changed = True
    if done.changed or done.written:
        record(actor=actor, action="server_key.rotate", obj=row,
               after={"written": done.written, "unreadable": len(done.unreadable)} | ({"lost": True} if lost else {}))

