"""Plots and tables of docs/scale.md, from the file of results. Between two markers of an axis everything is made anew."""
from __future__ import annotations

import re

from bench.growth import draw
from bench.growth.figures import count, figure
from bench.growth.results import AXES, ROOT, Axis, read

PAGE = ROOT / "docs" / "scale.md"
PICTURES = ROOT / "docs" / "pictures"
KINDS = {"sqlite": "SQLite", "postgres": "PostgreSQL"}


def write() -> None:
    """Draw what was measured, and put it into the page."""
    found = read()
    text = PAGE.read_text() if PAGE.exists() else ""
    for name, axis in AXES.items():
        runs = {kind: found[kind][name] for kind in axis.kinds if name in found.get(kind, {})}
        if not runs:
            continue
        (PICTURES / f"scale-{name}.svg").write_text(draw.plot(axis, {KINDS[kind]: run["points"] for kind, run in runs.items()}))
        made = f"<!-- {name} -->\n{_part(name, axis, runs)}\n<!-- /{name} -->"
        text = re.sub(f"<!-- {name} -->.*?<!-- /{name} -->", lambda _, made=made: made, text, flags=re.DOTALL)
    PAGE.write_text(text)


def _part(name: str, axis: Axis, runs: dict[str, dict]) -> str:
    lines = [f"![{axis.title}](pictures/scale-{name}.svg)", ""]
    for kind, run in runs.items():
        names = list(dict.fromkeys(what for point in run["points"] for what in point["values"]))
        lines += [f"{KINDS[kind]} (commit {run['commit']}; {run['load']}):", ""]
        lines += [f"| {axis.along} | {' | '.join(names)} |", "| ---: |" + " ---: |" * len(names)]
        for point in run["points"]:
            cells = [figure(point["values"][what]) if what in point["values"] else "" for what in names]
            lines.append(f"| {count(point['x'])} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines).rstrip()
