"""Reads a file from outside in a process of its own, behind the jail that scripts have, and prints what it found.

Run as `python -I -B inspector.py <root of the project> <what> <bytes of the file> <bytes of memory> <seconds of processor
time>`; the file is its standard input. what: `look` reads the manifest alone, `check` every line. Prints one JSON object:
{"refused": sentence} or {"manifest": …, "namespaces": […]}.
"""
from __future__ import annotations

import json
import os
import resource
import sys
from typing import BinaryIO

OUTPUT = 1


def _answer(file: BinaryIO, what: str, size: int) -> dict[str, object]:
    from jobqueue.userdata.archive import Archive
    from jobqueue.userdata.checking import check, look
    from jobqueue.userdata.format import Refused

    try:
        archive = Archive(file, size)
        if what == "look":
            return {"manifest": look(archive).model_dump(by_alias=True), "namespaces": []}
        content = check(archive)
        return {"manifest": content.manifest.model_dump(by_alias=True), "namespaces": sorted(content.namespaces)}
    except Refused as refusal:
        return {"refused": str(refusal)}
    except (MemoryError, RecursionError):
        return {"refused": "The file needs more memory to be read than any dump of ours."}


def _warm_up() -> None:
    """Load whatever is loaded at the first use: behind the jail no file can be opened."""
    from jobqueue.userdata.format import GivenUpLine, JobLine, Manifest, Refused, ResultLine, parse

    for kind in (Manifest, JobLine, GivenUpLine, ResultLine):
        for data in (b"{}", b"{", b'{"a":1,"a":1}', b"\xff", b"[NaN]"):
            try:
                parse(kind, data, "")
            except Refused:
                pass


def main() -> None:
    """Load what is needed, give up the rest, read."""
    root, what, *numbers = sys.argv[1:]
    size, memory, seconds = map(int, numbers)
    sys.path.insert(0, root)
    from jobqueue.scripting import jail

    # Unbuffered: a buffer would read ahead at each of the few places that are looked at.
    file = open(0, "rb", buffering=0)  # noqa: SIM115  it stays open to the end
    _answer(file, what, 0)
    _warm_up()
    jail.die_first()
    jail.leave_network()
    jail.leave_user()
    os.dup2(os.open(os.devnull, os.O_RDWR), 2)
    os.closerange(3, 1024)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    jail.limit(memory, 3)
    jail.filter_calls(jail.READER)
    # One write: it fits a pipe, which this process may write to and nothing else.
    os.write(OUTPUT, json.dumps(_answer(file, what, size)).encode())
    os._exit(0)


if __name__ == "__main__":
    main()
