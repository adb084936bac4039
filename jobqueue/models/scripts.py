"""Tables of scripts."""
from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now

from gs2admin.identity.models import Project
from gs2admin.names import NAME
from gs2admin.namespaces.status import NamespaceStatus


class ScriptNamespace(models.Model):
    """Holds scripts."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="script_namespaces")
    name = models.CharField(max_length=128, validators=[RegexValidator(NAME)])
    description = models.CharField(max_length=1024, blank=True)
    transaction_setting = models.JSONField(null=True, blank=True)
    transaction_setting_v2 = models.JSONField(null=True, blank=True)
    log_setting = models.JSONField(null=True, blank=True)
    status = models.CharField(max_length=16, choices=NamespaceStatus.choices, default=NamespaceStatus.ACTIVE)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    revision = models.BigIntegerField(default=1)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="script_namespace_name_once")]

    def __str__(self) -> str:
        return self.name


class Script(models.Model):
    """A Lua script. revision counts its versions; every version stays readable.

    keep_whole_floats: 10/2 is written as 5.0 in results, calls and printed lines, as Lua does it, and not as 5.
    """

    namespace = models.ForeignKey(ScriptNamespace, models.CASCADE, related_name="scripts")
    name = models.CharField(max_length=128, validators=[RegexValidator(NAME)])
    description = models.CharField(max_length=1024, blank=True)
    source = models.TextField()
    disable_string_number_to_number = models.BooleanField(default=False)
    keep_whole_floats = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    revision = models.BigIntegerField(default=1)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["namespace", "name"], name="script_name_once")]

    def __str__(self) -> str:
        return f"{self.namespace.name}/{self.name}"

    @property
    def project_id(self) -> int:
        """The project, for rights and the audit log."""
        return self.namespace.project_id


class ScriptVersion(models.Model):
    """One version of a script's text: revision 1, 2, 3 …"""

    script = models.ForeignKey(Script, models.CASCADE, related_name="versions")
    revision = models.BigIntegerField()
    source = models.TextField()
    by = models.CharField(max_length=150)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-revision"]
        constraints = [models.UniqueConstraint(fields=["script", "revision"], name="script_revision_once")]

    def __str__(self) -> str:
        return f"{self.script} revision {self.revision}"
