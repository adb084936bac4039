"""The bytes between a worker and its script runner; child.py imports this file on its own, without the project.

A frame is its length (4 bytes), a kind (1 byte) and a body. Texts are UTF-8, with their lengths in the head.
"""
from __future__ import annotations

import struct

LENGTH = struct.Struct("<I")
READY, LIMITS, METHODS, RUN, CALL, ANSWER, DONE = b"H", b"L", b"M", b"R", b"C", b"A", b"D"

# wall_s, cpu_s, memory_bytes, output_bytes, calls, result_chars
LIMITS_HEAD = struct.Struct("<ddQIII")
# slot, flags, seed, draws to skip, length of user id (NO_USER: none), length of the arguments; then user id, arguments, source
RUN_HEAD = struct.Struct("<IBIIII")
NO_USER = 0xFFFFFFFF
HAS_SOURCE, AS_TEXT, HAS_SEED, FORGET, FLOATS = 1, 2, 4, 8, 16
# lengths of service and method; then service, method, parameters
CALL_HEAD = struct.Struct("<HH")
# status; then the JSON text
ANSWER_HEAD = struct.Struct("<H")
# status, retry, execute_us, cpu_us, memory_bytes, seed, draws, lines, length of the lines, length of the transaction;
# then lines, transaction, result
DONE_HEAD = struct.Struct("<HBQQQIIIII")

# How a runner ends that has no memory left for an answer.
NO_MEMORY = 12


def frame(kind: bytes, *parts: bytes) -> bytes:
    """One frame, ready to send."""
    body = b"".join(parts)
    return LENGTH.pack(len(body) + 1) + kind + body
