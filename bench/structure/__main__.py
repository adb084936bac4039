"""`python -m bench.structure`: counts a tree and prints the figures, for people or as JSON."""
from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bench.structure import __doc__ as ABOUT
from bench.structure.summary import summary, text


def main(arguments: list[str]) -> int:
    """Returns the exit code: 2 for a tree that cannot be counted."""
    parser = argparse.ArgumentParser(prog="python -m bench.structure", description=ABOUT)
    parser.add_argument("--tree", type=Path, default=Path(__file__).resolve().parents[2], metavar="DIR",
                        help="the folder that holds the apps' folders; this one's by default")
    parser.add_argument("--json", action="store_true", help="every figure as JSON")
    asked = parser.parse_args(arguments)
    try:
        figures = summary(asked.tree)
    except (FileNotFoundError, SyntaxError) as problem:
        print(problem, file=sys.stderr)
        return 2
    print(json.dumps(figures, indent=1) if asked.json else text(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
