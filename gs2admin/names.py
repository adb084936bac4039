"""The rule for names of things that people and programs make."""
from __future__ import annotations

import re

from gs2admin.errors import Invalid

NAME = r"^[A-Za-z0-9._-]{1,128}\Z"
# "." and ".." are taken away by browsers from addresses.
RESERVED_NAMES = frozenset({"null", "me", "system", "stamp", ".", ".."})


def check_name(name: str, *, component: str, word: str) -> str:
    """The name, or Invalid: letters, digits, dot, underscore, hyphen, 1 to 128, none of the reserved words.

    component, word: the contract's, such as "stage" and "freeze.stage.name".
    """
    if not name:
        raise Invalid("A name is needed.", component=component, message=f"{word}.error.require")
    if len(name) > 128:
        raise Invalid("A name has at most 128 characters.", component=component, message=f"{word}.error.tooLong")
    if not re.match(NAME, name) or name.lower() in RESERVED_NAMES:
        raise Invalid(
            "A name is made of letters, digits, dots, hyphens and underscores, and is not null, me, system or stamp.",
            component=component,
            message=f"{word}.error.invalid",
        )
    return name
