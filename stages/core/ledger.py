"""The counters of a project, its lock, and its version sets."""
from __future__ import annotations

from collections.abc import Mapping

from django.db import IntegrityError, transaction
from django.db.models import F

from stages.core.versions import digest
from stages.models import Ledger, VersionSet


def lock(project_id: int, **steps: int) -> Ledger:
    """Take the project's lock until the end of the transaction, raise its revision, and return its counters.

    steps: how much to add to further counters, such as rollouts_count=1. It has to be the first lock of a transaction, so
    that no two transactions wait for each other (models.Ledger).
    """
    raises = {"revision": F("revision") + 1} | {name: F(name) + by for name, by in steps.items()}
    if not Ledger.objects.filter(pk=project_id).update(**raises):
        try:
            with transaction.atomic():
                Ledger.objects.create(project_id=project_id)
        except IntegrityError:
            pass  # another transaction made it just now
        Ledger.objects.filter(pk=project_id).update(**raises)
    return Ledger.objects.get(pk=project_id)


def revision(project_id: int) -> int:
    """The project's revision, 0 before the first change; the board polls it."""
    return Ledger.objects.filter(pk=project_id).values_list("revision", flat=True).first() or 0


def frozen(project_id: int, versions: Mapping[str, str]) -> VersionSet:
    """The set of exactly these versions ({microservice: version}), made and numbered when it is new.

    The caller holds the project's lock.
    """
    content = dict(sorted(versions.items()))
    key = digest(content)
    found = VersionSet.objects.filter(project_id=project_id, digest=key).first()
    if found:
        return found
    Ledger.objects.filter(pk=project_id).update(sets_count=F("sets_count") + 1)
    number = Ledger.objects.values_list("sets_count", flat=True).get(pk=project_id)
    return VersionSet.objects.create(
        project_id=project_id, number=number, digest=key, versions=content, size=len(content)
    )
