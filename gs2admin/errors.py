"""What can go wrong in the domain, in words for people and in the contract's words. No HTTP here: entry points map it."""
from __future__ import annotations

from typing import Any


class DomainError(Exception):
    """An action was refused and nothing was changed.

    sentence: tells a person what happened and what to do. component, message, code: the GS2 contract's words
    (contract: transport, section 8); code defaults to message. extra: small facts that an entry point may use, such as the
    number of the rollout that stands in the way.
    """

    def __init__(
        self,
        sentence: str,
        *,
        component: str = "",
        message: str = "",
        code: str = "",
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.component = component
        self.message = message
        self.code = code or message
        self.extra = extra or {}


class Invalid(DomainError):
    """The request cannot be carried out as it stands; another request could."""


class NotFound(DomainError):
    """The thing does not exist, or not for this actor."""


class Conflict(DomainError):
    """The thing exists but its present state forbids the action."""


class Denied(DomainError):
    """The actor may see the thing but not do this to it."""


class Quota(DomainError):
    """A limit on amount was reached."""


class Unavailable(DomainError):
    """Something that we depend on does not answer just now."""
