"""Writes of the catalogue: register, withdraw and describe versions."""
from __future__ import annotations

import re

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from gs2admin.audit.services import record
from gs2admin.errors import Conflict, Invalid
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project
from gs2admin.identity.rights import require
from gs2admin.names import check_name
from stages.core import ledger
from stages.models import VERSION, Microservice, Version


def register_version(
    *, actor: Actor, project: Project, microservice: str, version: str, note: str = ""
) -> tuple[Version, bool]:
    """Register a version; a new microservice is made with it. Returns the row and whether this call made it.

    A second registration changes nothing. Raises NotFound, Denied, Invalid (name up to 128 characters, version 32, note
    1024), Conflict when the version was withdrawn: a corrected build needs a new number.
    """
    require(actor, "version.register", project)
    check_name(microservice, component="microservice", word="freeze.microservice.name")
    if not version:
        raise Invalid("A version is needed.", component="microservice",
                      message="freeze.microservice.version.error.require")
    if len(version) > 32:
        raise Invalid("A version has at most 32 characters.", component="microservice",
                      message="freeze.microservice.version.error.tooLong")
    if not re.match(VERSION, version) or not version.isprintable():
        raise Invalid("A version has no spaces or control characters.", component="microservice",
                      message="freeze.microservice.version.error.invalid")
    _check_note(note)
    existing = _find(project, microservice, version)
    if existing is None:
        try:
            with transaction.atomic():
                ledger.lock(project.pk)
                service, _ = Microservice.objects.get_or_create(project=project, name=microservice)
                row = Version.objects.create(microservice=service, version=version, note=note, registered_by=actor.name)
                record(actor=actor, action="version.register", obj=row, after={"note": note} if note else None)
                return row, True
        except IntegrityError:
            existing = _find(project, microservice, version)
            if existing is None:
                raise
    if existing.withdrawn_at:
        raise Conflict(
            f"{microservice} {version} was withdrawn and cannot be registered again. Register a new version.",
            component="microservice",
            message="freeze.microservice.version.error.conflict",
            code="freeze.microservice.withdrawn",
        )
    return existing, False


def withdraw_version(*, actor: Actor, version: Version, reason: str = "") -> Version:
    """Take a version out of the latest ones; stages that pin it keep it. A second withdrawal changes nothing.

    Raises NotFound, Denied.
    """
    require(actor, "version.withdraw", version)
    with transaction.atomic():
        ledger.lock(version.project_id)
        if Version.objects.filter(pk=version.pk, withdrawn_at=None).update(withdrawn_at=Now()):
            record(actor=actor, action="version.withdraw", obj=version, reason=reason)
    return Version.objects.select_related("microservice").get(pk=version.pk)


def change_note(*, actor: Actor, version: Version, note: str, reason: str = "") -> Version:
    """Change the note of a version. Raises NotFound, Denied, Invalid (at most 1024 characters)."""
    require(actor, "version.register", version)
    _check_note(note)
    with transaction.atomic():
        ledger.lock(version.project_id)
        before = Version.objects.values_list("note", flat=True).get(pk=version.pk)
        if before != note:
            Version.objects.filter(pk=version.pk).update(note=note)
            record(actor=actor, action="version.note", obj=version, before={"note": before}, after={"note": note},
                   reason=reason)
    return Version.objects.select_related("microservice").get(pk=version.pk)


def _check_note(note: str) -> None:
    if len(note) > 1024:
        raise Invalid("A note has at most 1024 characters.", component="microservice",
                      message="freeze.microservice.note.error.tooLong")


def _find(project: Project, microservice: str, version: str) -> Version | None:
    rows = Version.objects.select_related("microservice")
    return rows.filter(microservice__project=project, microservice__name=microservice, version=version).first()
