"""The reason that a person gives for an action: it is stored whole, so a text that is too long is refused and never cut."""
from __future__ import annotations

from gs2admin.errors import Invalid

# characters
MAX_REASON = 2_000


def checked_reason(text: str) -> str:
    """The text without space at both ends. Raises Invalid when more than MAX_REASON characters are left."""
    reason = text.strip()
    if len(reason) > MAX_REASON:
        raise Invalid(
            f"The reason has {len(reason):,} characters; at most {MAX_REASON:,} are stored. Make it shorter.",
            component="stage", message="freeze.stage.reason.error.tooLong", extra={"field": "reason"},
        )
    return reason
