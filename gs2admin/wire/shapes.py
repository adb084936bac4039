"""Request and result shapes: pydantic models whose limits and error words stand beside the field.

What every SDK does differently is made equal here (contract: transport, section 4): absent, null and empty are one;
numbers may come as text; booleans may come as text in any case; unknown fields are ignored.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from gs2admin.text import storable
from gs2admin.wire.failures import Failure, Problem

_DECIMAL = re.compile(r"[+-]?\d{1,20}")


def _as_text(value: Any, info: ValidationInfo) -> str:
    # Lua scripts see user ids that are all digits as numbers, and hand them on as such.
    if info.context and info.context.get("numbers_are_text") and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise PydanticCustomError("not_text", "is not text")
    if not storable(value):
        raise PydanticCustomError("not_text", "holds a character that is not text")
    return value


def _as_integer(value: Any) -> int:
    if isinstance(value, bool):
        raise PydanticCustomError("not_integer", "is not a whole number")
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, str) and _DECIMAL.fullmatch(value) and value.isascii():
        return int(value)
    raise PydanticCustomError("not_integer", "is not a whole number")


def _as_boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise PydanticCustomError("not_boolean", "is not true or false")


Text = Annotated[str, BeforeValidator(_as_text)]
Integer = Annotated[int, BeforeValidator(_as_integer)]
Boolean = Annotated[bool, BeforeValidator(_as_boolean)]


def field(word: str, default: Any = ..., *, description: str = "", **limits: Any) -> Any:
    """A request field. word: `service.model.field`, the front of its error messages; the model is its component.

    limits: pydantic's max_length, ge, le, pattern, alias and so on. Without a default the field is required.
    """
    return Field(default, description=description, json_schema_extra={"x-gs2-word": word}, **limits)


class Shape(BaseModel):
    """Base of request shapes: snake_case here, the contract's camelCase on the wire."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, alias_generator=to_camel, validate_by_alias=True, validate_by_name=False
    )

    @model_validator(mode="before")
    @classmethod
    def _absent_null_and_empty_are_equal(cls, fields: Any) -> Any:
        if isinstance(fields, dict):
            return {key: value for key, value in fields.items() if value is not None and value != ""}
        return fields


class Result(BaseModel):
    """Base of result shapes; they document the answers and tests hold every answer against them."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, validate_by_alias=True, validate_by_name=True)


class Nothing(Shape):
    """A request without fields."""


_KINDS = {
    "missing": ("require", "is missing"),
    "string_too_long": ("tooLong", "is too long"),
    "string_too_short": ("tooShort", "is too short"),
    "too_long": ("tooMany", "has too many entries"),
    "too_short": ("tooFew", "has too few entries"),
}


S = TypeVar("S", bound=Shape)


def parse(shape: type[S], fields: dict[str, Any], *, numbers_are_text: bool = False) -> S:
    """The validated request. numbers_are_text: a whole number will do where text is wanted.

    Raises Failure 400 with one problem per bad field, in the order of the fields.
    """
    try:
        return shape.model_validate(fields, context={"numbers_are_text": numbers_are_text})
    except ValidationError as error:
        raise Failure(400, *(_problem(shape, item) for item in error.errors(include_url=False))) from None


def _problem(shape: type[Shape], item: dict[str, Any]) -> Problem:
    name = ".".join(str(part) for part in item["loc"]) or "body"
    error = item["type"]
    if error in {"too_long", "too_short"} and isinstance(item["input"], str):
        error = f"string_{error}"  # pydantic's word for the limits of an optional text
    kind, sentence = _KINDS.get(error, ("invalid", "is not valid"))
    if error == "string_too_long":
        sentence = f"is longer than {item['ctx']['max_length']} characters"
    elif item["type"] in {"greater_than_equal", "less_than_equal"}:
        bound = item["ctx"].get("ge", item["ctx"].get("le"))
        sentence = f"must be {'at least' if 'ge' in item['ctx'] else 'at most'} {bound}"
    elif item["type"].startswith("not_"):
        sentence = item["msg"]
    word = _word(shape, item["loc"])
    component = word.split(".")[1]
    return Problem(component, f"{word}.error.{kind}", sentence=f"{name} {sentence}.")


def _word(shape: type[BaseModel] | None, loc: tuple[int | str, ...]) -> str:
    """The error word of the innermost declared field on the way to `loc`."""
    word = "wire.request.request"
    for part in loc:
        if shape is None or isinstance(part, int):
            continue
        info = next((f for f in shape.model_fields.values() if part in _names(f)), None)
        if info is None:
            break
        word = (info.json_schema_extra or {}).get("x-gs2-word", word)
        shape = _nested(info.annotation)
    return word


def _names(info: FieldInfo) -> set[str | None]:
    choices = info.validation_alias.choices if isinstance(info.validation_alias, AliasChoices) else []
    return {info.alias, *(choice for choice in choices if isinstance(choice, str))}


def _nested(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_nested, get_args(annotation))), None)
