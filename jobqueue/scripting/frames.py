"""The bytes between a worker and its script runner; child.py imports this file on its own, without the project.

A frame is its length (4 bytes), a kind (1 byte) and a body. Texts are UTF-8, with their lengths in the head.
"""
from __future__ import annotations

import struct

LENGTH = struct.Struct("<I")
READY, LIMITS, METHODS, RUN, CALL, ANSWER, DONE = b"H", b"L", b"M", b"R", b"C", b"A", b"D"
AHEAD, ENDED = b"B", b"E"

# wall_s, cpu_s, memory_bytes, output_bytes, calls, result_chars
LIMITS_HEAD = struct.Struct("<ddQIII")
# slot, flags, seed, draws to skip, length of user id (NO_USER: none), length of the arguments; then user id, arguments, source
RUN_HEAD = struct.Struct("<IBIIII")
NO_USER = 0xFFFFFFFF
HAS_SOURCE, AS_TEXT, HAS_SEED, FORGET, FLOATS = 1, 2, 4, 8, 16
# Of a run in an AHEAD frame: it comes after the one before it, and is left out when that one did not succeed.
FOLLOWS = 32
# seconds for each script, seconds after which no other one is begun; then runs, each as a frame of its own. The answer is one
# ENDED frame with as many frames: DONE of each, without a body where it was left out.
AHEAD_HEAD = struct.Struct("<dd")
# lengths of service and method; then service, method, parameters
CALL_HEAD = struct.Struct("<HH")
# status; then the JSON text
ANSWER_HEAD = struct.Struct("<H")
# status, retry, execute_us, cpu_us, memory_bytes, seed, draws, lines, length of the lines, length of the transaction;
# then lines, transaction, result
DONE_HEAD = struct.Struct("<HBQQQIIIII")
STATUS = struct.Struct("<H")

# Beyond 128 KiB each read would map memory anew; of runs ahead none is begun behind answers of so many bytes.
PIECE = 64 * 1024
# How a runner ends that has no memory left for an answer.
NO_MEMORY = 12


def frame(kind: bytes, *parts: bytes) -> bytes:
    """One frame, ready to send."""
    body = b"".join(parts)
    return LENGTH.pack(len(body) + 1) + kind + body


def inner(data: bytes, at: int) -> list[bytes]:
    """The frames inside of a frame, from that place to its end, without their lengths."""
    found = []
    while at < len(data):
        (size,) = LENGTH.unpack_from(data, at)
        found.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return found
