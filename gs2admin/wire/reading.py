"""Reads a request body into a pydantic shape, with refusals as sentences; for the published protocols."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gs2admin.errors import Invalid

B = TypeVar("B", bound=BaseModel)


def read(shape: type[B], fields: Any, inside: str = "") -> B:
    """The body in its shape. inside: where it is within the whole body. Raises Invalid, naming the first bad member."""
    try:
        return shape.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in ([inside] if inside else []) + list(first["loc"])) or "The body"
        raise Invalid(f"{where}: {first['msg'][:1].lower()}{first['msg'][1:]}.") from None


def plain(body: BaseModel) -> dict[str, Any]:
    """The body again as it is on the wire, without what was absent."""
    return body.model_dump(by_alias=True, exclude_none=True, exclude_unset=True)
