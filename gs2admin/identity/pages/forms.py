"""Forms of projects, members and credentials. They shape the input; services check it."""
from __future__ import annotations

import uuid
from typing import Any, Self

from django import forms

from gs2admin.dashboard.forms import PageForm, reason_field
from gs2admin.identity.models import MEMBER_ROLES, Role

MEMBER_CHOICES = [(role.value, role.label) for role in MEMBER_ROLES]
ROLE_WORDS = {
    Role.VIEWER: "sees everything, changes nothing",
    Role.PRODUCER: "changes stages; promotes, rolls back and decides about canaries",
    Role.SUPPORT: "looks after players: runs, replays and deletes their jobs, releases mutexes, exports and erases data",
    Role.DEVELOPER: "writes scripts, pushes jobs, keeps namespaces, registers versions; and all that support may",
    Role.ADMIN: "everything, also members, credentials, webhooks, freeze windows and settings",
    Role.SERVICE: "what a game's programs do: promote, roll back, register versions, push and run jobs, lock",
}
CREDENTIAL_CHOICES = [
    (role.value, f"{role.label}: {ROLE_WORDS[role]}") for role in [Role.SERVICE, *MEMBER_ROLES]
]


class OnceForm(PageForm):
    """A form whose answer shows a secret. `key` makes sending the same form twice harmless."""

    key = forms.UUIDField(widget=forms.HiddenInput)

    @classmethod
    def fresh(cls) -> Self:
        """An empty form with a key of its own."""
        return cls(initial={"key": uuid.uuid4()})

    def again(self) -> Self:
        """The refused form under a new key, so that it can be sent once more."""
        self.data = self.data.copy()
        self.data["key"] = str(uuid.uuid4())
        return self


class CredentialForm(OnceForm):
    """A new credential."""

    name = forms.CharField(
        max_length=128, help_text="Who will use it, such as build-server or game-backend.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    role = forms.ChoiceField(choices=CREDENTIAL_CHOICES, initial=Role.SERVICE.value)
    signs = forms.BooleanField(
        label="It signs requests", required=False,
        help_text="For clients of SourceDeploy, and of ASM with AK/SK, which sign each request instead of signing in. The server "
                  "then keeps the secret, encrypted, because a signature cannot be checked without it.",
    )


class StampKeyForm(OnceForm):
    """A new key of stamp sheets."""

    namespace = forms.CharField(
        max_length=128, initial="default", help_text="Groups keys, such as shop; part of the key's id.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}),
    )
    name = forms.CharField(
        max_length=128, help_text="What its sheets are for, such as rewards. Letters, digits, dots, hyphens, underscores.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}),
    )

    @classmethod
    def fresh(cls) -> Self:
        """An empty form with a key of its own, in the namespace that most use."""
        return cls(initial={"key": uuid.uuid4(), "namespace": "default"})


class MemberForm(PageForm):
    """A person to add."""

    username = forms.CharField(
        label="Name", max_length=150, help_text="The name that the person signs in with.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    role = forms.ChoiceField(choices=MEMBER_CHOICES, initial=Role.VIEWER.value)


class RoleForm(PageForm):
    """Another role for a member."""

    role = forms.ChoiceField(choices=MEMBER_CHOICES)
    reason = reason_field()


class ProjectForm(PageForm):
    """Name and addresses of a project."""

    name = forms.CharField(max_length=128, help_text="Part of every address here. Letters, digits, dots, hyphens, underscores.")
    owner_id = forms.CharField(label="Owner id", max_length=64, help_text="Part of every GRN that clients see.")
    region = forms.CharField(max_length=64, initial="ap-northeast-1", help_text="Part of every GRN that clients see.")

    def __init__(self, *args: Any, new: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if new:
            self.fields["owner_id"].required = False
            self.fields["owner_id"].help_text += " Left empty, one is made."
