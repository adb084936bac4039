"""`make pictures`: draws docs/pictures/rooms.svg, the rooms of each app in their layers, as pyproject.toml has them.

What import-linter checks is what is drawn: one contract of type "layers" per app, an app's first. An app without one is
left out. `python -m bench.rooms --project FILE` draws another pyproject.toml.
"""
from __future__ import annotations

import argparse
import re
import sys
import tomllib
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "pictures" / "rooms.svg"
GROUND = "gs2admin"
# Pixels: x and width of each app's box. The ground lies below all others.
BOXES = {"stages": (10, 450), "jobqueue": (490, 270), "locks": (790, 180), GROUND: (10, 960)}
WIDTH, TOP, GAP = 980, 40, 46
LETTER, ROW, NAMESPACE, HEAD, EDGE = 7.3, 26, 6, 32, 10
STYLE = """
  text { font: 12px ui-monospace, "DejaVu Sans Mono", monospace; fill: #1b2536; text-anchor: middle; }
  .note { font-family: system-ui, "DejaVu Sans", sans-serif; text-anchor: start; } .app { font-weight: 700; text-anchor: start; }
  .sheet { fill: #f6f8fb; } .box { fill: #fff; stroke: #c3ccda; } .room { fill: #e3edfb; stroke: #b4cbea; }
  .arrow { stroke: #5a6b85; stroke-width: 1.5; marker-end: url(#tip); } .tip { fill: #5a6b85; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e4eaf4; } .sheet { fill: #111827; } .box { fill: #182234; stroke: #37455e; }
    .room { fill: #1f3354; stroke: #3b5a8c; } .arrow { stroke: #94a5c0; } .tip { fill: #94a5c0; }
  }
"""

Layers = list[list[str]]


def layers_of(project: dict) -> dict[str, Layers]:
    """{app: its layers, the top one first, each the names of its rooms without the app's}, from a parsed pyproject.toml."""
    found: dict[str, Layers] = {}
    for contract in project["tool"]["importlinter"]["contracts"]:
        if contract["type"] != "layers":
            continue
        container = "".join(f"{name}." for name in contract.get("containers", [])[:1])
        # "a | b" and "a : b" are siblings, "(a)" may be missing.
        layers = [[container + room.strip(" ()") for room in re.split(r"[|:]", layer)] for layer in contract["layers"]]
        app = layers[0][0].split(".")[0]
        found.setdefault(app, [[room.removeprefix(f"{app}.") for room in layer] for layer in layers])
    return found


def _rows(layer: list[str], width: int) -> list[list[str]]:
    """A layer's rooms, in as many rows as it needs in a box of that width."""
    rows: list[list[str]] = [[]]
    for room in layer:
        if rows[-1] and sum(_width(name) + NAMESPACE for name in [*rows[-1], room]) > width - 2 * EDGE + NAMESPACE:
            rows.append([])
        rows[-1].append(room)
    return rows


def _width(room: str) -> float:
    return len(room) * LETTER + 14


def _height(layers: Layers, width: int) -> int:
    return HEAD + sum(len(_rows(layer, width)) * (ROW + 2) + NAMESPACE for layer in layers) + 4


def _box(app: str, layers: Layers, x: int, y: int, width: int, height: int) -> list[str]:
    """One app. Rooms of a row fill it, so that a layer reads as one floor."""
    drawn = [f'<rect class="box" x="{x}" y="{y}" width="{width}" height="{height}" rx="8"/>',
             f'<text class="app" x="{x + EDGE}" y="{y + 21}">{escape(app)}</text>']
    # The lowest layer stands on the floor of the box, also in one that is higher than its layers.
    at = y + height - _height(layers, width) + HEAD
    for layer in layers:
        for row in _rows(layer, width):
            more = (width - 2 * EDGE + NAMESPACE - sum(_width(room) + NAMESPACE for room in row)) / len(row)
            left = x + EDGE
            for room in row:
                wide = _width(room) + more
                drawn.append(f'<rect class="room" x="{left:.1f}" y="{at}" width="{wide:.1f}" height="{ROW}" rx="4"/>'
                             f'<text x="{left + wide / 2:.1f}" y="{at + 17}">{escape(room)}</text>')
                left += wide + NAMESPACE
            at += ROW + 2
        at += NAMESPACE
    return drawn


def picture(layers: dict[str, Layers]) -> str:
    """The SVG. Every app but the ground imports the ground; of the others, jobqueue imports locks."""
    above = [app for app in BOXES if app in layers and app != GROUND]
    height = max(_height(layers[app], BOXES[app][1]) for app in above)
    floor = TOP + height + GAP
    drawn = [f'<text class="note" x="{EDGE}" y="24">A room imports rooms of its app in lower rows, and what an arrow leads to. '
             "It imports nothing above it.</text>"]
    for app in above:
        x, width = BOXES[app]
        drawn += _box(app, layers[app], x, TOP, width, height)
        if GROUND in layers:
            drawn.append(_arrow(x + width // 2, TOP + height, x + width // 2, floor))
    if {"jobqueue", "locks"} <= set(above):
        drawn.append(_arrow(sum(BOXES["jobqueue"]), TOP + 18, BOXES["locks"][0], TOP + 18))
    if GROUND in layers:
        x, width = BOXES[GROUND]
        drawn += _box(GROUND, layers[GROUND], x, floor, width, _height(layers[GROUND], width))
        floor += _height(layers[GROUND], width)
    else:
        floor -= GAP
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {floor + 10}" role="img" aria-label="Rooms of the apps">',
        f"<style>{STYLE}</style>",
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="tip" d="M0 0 8 4 0 8z"/></marker>',
        f'<rect class="sheet" width="{WIDTH}" height="{floor + 10}" rx="10"/>', *drawn, "</svg>", ""])


def _arrow(x: int, y: int, to_x: int, to_y: int) -> str:
    return f'<line class="arrow" x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}"/>'


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.rooms", description=__doc__)
    parser.add_argument("--project", type=Path, default=ROOT / "pyproject.toml", metavar="FILE")
    asked = parser.parse_args(arguments)
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture(layers_of(tomllib.loads(asked.project.read_text(encoding="utf-8")))), encoding="utf-8")
    print(PICTURE.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
