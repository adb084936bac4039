"""Addresses of the pages of locks."""
from __future__ import annotations

from typing import Any

from django.urls import reverse

from locks.models import LockNamespace


def at(name: str, namespace: LockNamespace, **more: Any) -> str:
    """The address of a page of the namespace."""
    return reverse(name, kwargs={"project": namespace.project.name, "namespace": namespace.name, **more})
