"""Tables of people, projects, members, credentials and tokens. Rules live in services; constraints live here."""
from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now

from gs2admin.names import NAME


class Role(models.TextChoices):
    """What a member or a credential may do in one project; `rights.py` has the table."""

    VIEWER = "viewer", "Viewer"
    PRODUCER = "producer", "Producer"
    SUPPORT = "support", "Support"
    DEVELOPER = "developer", "Developer"
    ADMIN = "admin", "Admin"
    SERVICE = "service", "Service"


MEMBER_ROLES = [role for role in Role if role != Role.SERVICE]


class User(AbstractUser):
    """A person who signs in."""

    project_id = None  # people belong to no project, and neither do the audit lines about their accounts


class Project(models.Model):
    """Everything belongs to a project. Its number is what SourceDeploy calls id, its name what ASM calls mesh."""

    name = models.CharField(max_length=128, unique=True, validators=[RegexValidator(NAME)])
    owner_id = models.CharField(max_length=128, help_text="Part of every GRN that clients see.")
    region = models.CharField(max_length=64, default="ap-northeast-1", help_text="Part of every GRN that clients see.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def project_id(self) -> int:
        """Lets `can(actor, action, obj)` take a project like any row that belongs to one."""
        return self.pk


class Membership(models.Model):
    """One person's role in one project."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=[(r.value, r.label) for r in MEMBER_ROLES])
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["user__username"]
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="one_membership_per_person"),
            models.CheckConstraint(condition=models.Q(role__in=MEMBER_ROLES), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.project}"


class Credential(models.Model):
    """What a program signs in with. The secret is 256 random bits, shown once; its SHA-256 is stored.

    secret_sha256: empty for a credential of the release before that has not signed in since. secret_hash: what that release
    compares, an HMAC under the server's key; also written for new ones, so that it can still be gone back to.

    sealed_secret: the secret once more, encrypted (sealed.py), only where it was chosen that this credential signs
    requests: a signature cannot be checked without the key. Empty otherwise, and after revoking.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="credentials")
    name = models.CharField(max_length=128)
    client_id = models.CharField(max_length=64, unique=True)
    secret_hash = models.CharField(max_length=64)
    secret_sha256 = models.CharField(max_length=64, blank=True, default="", db_default="")
    sealed_secret = models.CharField(max_length=255, blank=True, default="")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.SERVICE)
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.CharField(max_length=150)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="credential_role_known"),
            models.UniqueConstraint(
                fields=["project", "name"], condition=models.Q(revoked_at=None), name="one_live_credential_per_name"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def signs(self) -> bool:
        """Whether requests may be signed with its secret."""
        return bool(self.sealed_secret)


class StampKey(models.Model):
    """What stamp sheets of a project are signed with; clients name it by its GRN.

    sealed_secret: encrypted (sealed.py). used_at: when it last signed a sheet that was handed in, to the minute.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="stamp_keys")
    namespace = models.CharField(max_length=128, validators=[RegexValidator(NAME)])
    name = models.CharField(max_length=128, validators=[RegexValidator(NAME)])
    sealed_secret = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.CharField(max_length=150)
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "namespace", "name"], condition=models.Q(revoked_at=None),
                name="one_live_stamp_key_per_name",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def key_id(self) -> str:
        """Its GRN, as clients send it; one query when the project is not there."""
        return f"grn:gs2:{self.project.region}:{self.project.owner_id}:key:{self.namespace}:key:{self.name}"


class AccessToken(models.Model):
    """A player's session: a row and not a signed text, because the contract allows its token only 128 characters."""

    token_hash = models.CharField(max_length=64, primary_key=True)
    project = models.ForeignKey(Project, models.CASCADE, related_name="access_tokens")
    user_id = models.CharField(max_length=128)
    time_offset_s = models.BigIntegerField(default=0)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"access token of {self.user_id}"


class Guesses(models.Model):
    """How many guesses of a secret were counted in a window (throttle.py). key: a digest of what is counted together.

    ends_ms: Unix ms of the database's clock. count 0: somebody signed in from a place, which is remembered until then.
    """

    key = models.CharField(max_length=64, primary_key=True)
    count = models.PositiveIntegerField(default=0)
    ends_ms = models.BigIntegerField(db_index=True)

    def __str__(self) -> str:
        return f"{self.count} until {self.ends_ms}"


class ServerKey(models.Model):
    """What belongs to the server's SECRET_KEY (server_keys.py): its fingerprint, and what keys of signatures are derived from."""

    project_id = None  # of the server, and so are its lines in the activity log

    name = models.CharField(max_length=32, primary_key=True)
    value = models.CharField(max_length=500)

    def __str__(self) -> str:
        return self.name
