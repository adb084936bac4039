"""What a worker and its script runner say to each other, as frames (frames.py has their heads)."""
from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from uuid import uuid4

from jobqueue.scripting import frames
from jobqueue.scripting.outcome import Limits, Outcome

# Service -> its method names, both in snake case.
Methods = Mapping[str, object]


class CallOut(NamedTuple):
    """A call of gs2(). params: JSON text."""

    service: str
    method: str
    params: str


def limits_frame(limits: Limits) -> bytes:
    """The limits of the scripts that follow."""
    return frames.frame(
        frames.LIMITS,
        frames.LIMITS_HEAD.pack(
            limits.wall_s, limits.cpu_s, limits.memory_mb * 1024 * 1024, limits.output_bytes, limits.calls, limits.result_chars
        ),
    )


def methods_frame(methods: Methods) -> bytes:
    """What gs2() may call."""
    lines = [f"{service} {method}" for service, names in methods.items() for method in ("", *names)]
    return frames.frame(frames.METHODS, "\n".join(lines).encode())


def run_frame(
    slot: int, flags: int, text: bytes, *, args: str, user_id: str | None, as_text: bool, floats: bool,
    random_status: dict | None,
) -> bytes:
    """Run the script in that slot. text: its source, where flags have HAS_SOURCE.

    as_text: strings of digits in args stay strings. floats: whole floats are written as floats. random_status:
    Outcome.random_status of the run to replay.
    """
    seed, skip = 0, 0
    if as_text:
        flags |= frames.AS_TEXT
    if floats:
        flags |= frames.FLOATS
    if random_status and random_status.get("seed") is not None:
        flags |= frames.HAS_SEED
        seed = int(random_status["seed"]) & 0xFFFFFFFF
        skip = sum(int(entry.get("used") or 0) for entry in random_status.get("used") or ()) & 0xFFFFFFFF
    user = None if user_id is None else user_id.encode("utf-8", "surrogatepass")
    given = args.encode("utf-8", "surrogatepass")
    head = frames.RUN_HEAD.pack(slot, flags, seed, skip, frames.NO_USER if user is None else len(user), len(given))
    return frames.frame(frames.RUN, head, user or b"", given, text)


def answer_frame(status: int, text: str) -> bytes:
    """The answer to a call: its HTTP status and JSON text."""
    return frames.frame(frames.ANSWER, frames.ANSWER_HEAD.pack(status), text.encode("utf-8", "surrogatepass"))


def call_of(data: bytes) -> CallOut:
    """A CALL frame, without its length."""
    service_size, method_size = frames.CALL_HEAD.unpack_from(data, 1)
    first = 1 + frames.CALL_HEAD.size
    second = first + service_size
    third = second + method_size
    return CallOut(data[first:second].decode(), data[second:third].decode(), data[third:].decode())


def outcome_of(data: bytes) -> Outcome:
    """A DONE frame, without its length."""
    (
        status, retry, execute_us, cpu_us, memory, seed, draws, lines, lines_size, moves_size,
    ) = frames.DONE_HEAD.unpack_from(data, 1)  # fmt: skip
    at = 1 + frames.DONE_HEAD.size
    output: list[str] = []
    if lines:
        # A zero character fits no PostgreSQL text.
        output = data[at : at + lines_size].decode("utf-8", "replace").replace("\0", "\ufffd").split("\n")
    at += lines_size
    transaction = None
    if moves_size:
        transaction = f'{{"transactionId":"{uuid4()}",' + data[at + 1 : at + moves_size].decode()
    return Outcome(
        status, data[at + moves_size :].decode(), bool(retry), output, execute_us / 1000, cpu_us / 1000, memory, transaction,
        {"seed": seed, "used": [{"category": "math.random", "used": draws}] if draws else []},
    )  # fmt: skip
