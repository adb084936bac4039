"""Reading a step's config: every refusal is a sentence that says what to write instead."""

from collections.abc import Collection, Mapping
from typing import Any

from gs2admin.errors import Invalid


def refuse(field: str, sentence: str) -> Invalid:
    """The error to raise for one field of a config; ``extra["field"]`` lets a form show it beside the field."""
    return Invalid(sentence, extra={"field": field})


def known_fields(config: Mapping[str, Any] | None, *, kind: str, fields: Collection[str]) -> Mapping[str, Any]:
    """The config itself, or Invalid when it is no object or has a field that this kind does not know."""
    if config is None:
        return {}
    if not isinstance(config, Mapping):
        raise refuse("", f"The settings of a step of kind {kind} must be a JSON object, such as {{}}.")
    unknown = sorted(str(name) for name in config if name not in fields)
    if unknown:
        allowed = ", ".join(fields) if fields else "none at all"
        raise refuse(
            unknown[0],
            f"A step of kind {kind} does not know the setting {', '.join(unknown)!s}; remove it. It knows: {allowed}.",
        )
    return config


def whole_number(config: Mapping[str, Any], field: str, *, default: int, low: int, high: int) -> int:
    """A whole number from ``low`` to ``high``; ``default`` when it is absent or null."""
    value = config.get(field)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise refuse(field, f"{field} must be a whole number of seconds from {low} to {high}.")
    return value


def yes_or_no(config: Mapping[str, Any], field: str, *, default: bool) -> bool:
    """True or false; ``default`` when it is absent or null."""
    value = config.get(field)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise refuse(field, f"{field} must be true or false.")
    return value


def text(config: Mapping[str, Any], field: str, *, hint: str, longest: int) -> str:
    """A non-empty text of at most ``longest`` characters; ``hint`` ends the sentence and says what to write."""
    value = config.get(field)
    if not isinstance(value, str) or not value.strip():
        raise refuse(field, f"{field} is missing: {hint}")
    if len(value) > longest:
        raise refuse(field, f"{field} is too long: at most {longest} characters.")
    return value
