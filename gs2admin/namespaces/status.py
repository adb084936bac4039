"""The states of a namespace, alone: models need them, and nothing else of this room."""
from django.db import models


class NamespaceStatus(models.TextChoices):
    """What clients see of a namespace."""

    ACTIVE = "ACTIVE", "Active"
    DELETING = "DELETING", "Deleting"
