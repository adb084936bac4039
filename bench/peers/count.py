"""Answers each line on its input with the number of results of one peer, after a push when the line says so.

Started once, so that counting costs little.
"""
from __future__ import annotations

import importlib
import io
import sys
from contextlib import redirect_stdout


def main(module: str) -> None:
    peer = importlib.import_module(module)
    if module.endswith(".q2"):
        peer.settings()
        peer.settings = lambda: None
    for line in sys.stdin:
        text = io.StringIO()
        with redirect_stdout(text):
            if line.strip() == "push":
                peer.main("push", "1")
            else:
                peer.main("done")
        print(text.getvalue().strip() or "0", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
