"""The file format, version 1; docs/user_data.md describes it. Lines are checked as strictly as they are written."""
from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from gs2admin.names import NAME
from gs2admin.text import storable

FORMAT = "gs2admin.job-queue.user-data"
VERSION = 1
MANIFEST, JOBS, GIVEN_UP, RESULTS = "manifest.json", "jobs.jsonl", "given_up.jsonl", "results.jsonl"
ENTRIES = (MANIFEST, JOBS, GIVEN_UP, RESULTS)
MAX_TEXT = 5_242_880
# Year 9999 in Unix milliseconds.
LAST_MS = 253_402_300_799_000


# Some readers end lines at these too.
_OTHER_ENDS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ms(at: datetime) -> int:
    """Unix milliseconds, rounded down."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def from_ms(ms: int) -> datetime:
    """The datetime of Unix milliseconds; the inverse of to_ms."""
    return _EPOCH + timedelta(milliseconds=ms)


class Refused(Exception):
    """The file cannot be imported; the text is a sentence for people."""


def _storable(text: str) -> str:
    if not storable(text):
        raise ValueError("holds a character that is not text")
    return text


Text = Annotated[str, AfterValidator(_storable)]
Ms = Annotated[int, Field(ge=0, le=LAST_MS)]
# pydantic's expressions are Rust's: $ is the end of the text, never before a line end.
Uuid = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Name = Annotated[str, Field(pattern=NAME.replace(r"\Z", "$"))]


class Line(BaseModel):
    """Base of all lines: strict types, no unknown members."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel, validate_by_name=True, frozen=True)

    def text(self) -> str:
        """The line as it is written, without its end."""
        text = json.dumps(self.model_dump(by_alias=True), ensure_ascii=False, separators=(",", ":"))
        return text.translate(_OTHER_ENDS)


class Counts(Line):
    """Lines of each file."""

    jobs: int = Field(ge=0)
    given_up: int = Field(ge=0)
    results: int = Field(ge=0)


class Manifest(Line):
    """manifest.json."""

    format: Literal["gs2admin.job-queue.user-data"]
    version: int
    user_id: Text = Field(min_length=1, max_length=128)
    owner_id: Text = Field(max_length=128)
    created_at: Ms
    counts: Counts


class JobLine(Line):
    """jobs.jsonl: jobs that wait or are done, in the order of their queue."""

    namespace: Name
    name: Uuid
    script_id: Text = Field(min_length=1, max_length=1024)
    args: Text = Field(max_length=MAX_TEXT)
    max_try_count: int = Field(ge=1, le=100)
    try_count: int = Field(ge=0, le=100)
    state: Literal["waiting", "done"]
    created_at: Ms
    updated_at: Ms
    replay_of: Uuid | None = None


class GivenUpLine(JobLine):
    """given_up.jsonl."""

    state: Literal["given_up"]
    given_up_at: Ms
    replayed_at: Ms | None = None


class ResultLine(Line):
    """results.jsonl: one attempt; try_number begins at 0."""

    job: Uuid
    try_number: int = Field(ge=0, le=100)
    status_code: int = Field(ge=0, le=1000)
    result: Text = Field(max_length=MAX_TEXT)
    output: Text = Field(max_length=16_000_000)
    tried_at: Ms
    took_ms: int = Field(ge=0, le=2**31 - 1)


def parse(kind: type[Line], data: bytes, where: str) -> Any:
    """One line as an object of that kind. where: its place, for people. Raises Refused with the first thing that is wrong."""

    def no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a doubled member")
        return found

    def no_constant(word: str) -> None:
        raise ValueError(word)

    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=no_doubles, parse_constant=no_constant)
    except (ValueError, RecursionError):
        raise Refused(f"{where} is not JSON.") from None
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        member = ".".join(str(part) for part in first["loc"]) or "it"
        raise Refused(f"{where} is not valid: {member}: {first['msg']}.") from None
