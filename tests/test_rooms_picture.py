"""The picture of the rooms shows what the contracts of import-linter say."""
from __future__ import annotations

import re
import tomllib
from xml.etree import ElementTree

from bench.rooms import layers_of, picture

PROJECT = """
[tool.importlinter]
[[tool.importlinter.contracts]]
name = "No layers"
type = "forbidden"
source_modules = ["stages"]
forbidden_modules = ["jobqueue"]
[[tool.importlinter.contracts]]
name = "By full names"
type = "layers"
layers = ["stages.pages | stages.api", "(stages.core)", "stages.models : stages.states"]
[[tool.importlinter.contracts]]
name = "By a container"
type = "layers"
containers = ["gs2admin"]
layers = ["identity.pages", "errors"]
"""


def _at(svg: str) -> dict[str, tuple[float, float]]:
    """{what is written: its x and y}."""
    texts = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return {text.text: (float(text.get("x")), float(text.get("y"))) for text in texts}


def test_layers_are_read_with_and_without_a_container():
    assert layers_of(tomllib.loads(PROJECT)) == {
        "stages": [["pages", "api"], ["core"], ["models", "states"]], "gs2admin": [["identity.pages"], ["errors"]]}


def test_a_lower_layer_is_drawn_lower_and_the_ground_below_all():
    at = _at(picture(layers_of(tomllib.loads(PROJECT))))
    heights = [at[name][1] for name in ("stages", "pages", "core", "models", "gs2admin", "identity.pages", "errors")]
    assert heights == sorted(heights) and len(set(heights)) == len(heights)
    assert at["pages"][1] == at["api"][1] and at["models"][1] == at["states"][1]


def test_rooms_that_do_not_fit_beside_each_other_go_on_in_the_next_row():
    rooms = [f"room_{number}" for number in range(9)]
    svg = picture({"locks": [rooms]})
    found = re.findall(r'class="room" x="([\d.]+)" y="(\d+)" width="([\d.]+)"', svg)
    cells = sorted((int(y), float(x), float(x) + float(wide)) for x, y, wide in found)
    assert len(cells) == 9 and len({y for y, _, _ in cells}) > 1
    for (y, left, right), (next_y, next_left, _) in zip(cells, [*cells[1:], (0, 0, 0)], strict=True):
        assert right - left > len(rooms[0]) * 7.2, "its name fits"
        assert next_y != y or next_left > right, "cells do not overlap"
        assert left > 790 and right < 970, "and are inside the box"
