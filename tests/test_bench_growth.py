"""The page on scale says what its file of results says, and its plots are pictures that any reader takes."""
from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from bench.growth import draw, page, results

AXIS = results.Axis("A & B", "jobs", "ms", ("one", "two"))
POINTS = [{"x": 0, "values": {"one": 1.0}}, {"x": 100, "values": {"one": 2.0, "two": 7.3}}, {"x": 10**7, "values": {"two": 40}}]


def test_a_plot_is_xml_with_a_line_per_figure_and_database():
    found = ElementTree.fromstring(draw.plot(AXIS, {"SQLite": POINTS, "PostgreSQL": POINTS[:2]}))
    lines = [each for each in found.iter() if each.tag.endswith("polyline")]
    places = [[tuple(map(float, point.split(","))) for point in line.get("points").split()] for line in lines]
    assert [len(line) for line in places] == [2, 2, 2, 1]
    assert all(0 <= x <= draw.WIDTH and draw.TOP <= y <= draw.HEIGHT - draw.BOTTOM for line in places for x, y in line)
    assert [line.get("stroke-dasharray") for line in lines] == [None, "6 4", None, "6 4"]


def test_words_stand_one_beside_the_other():
    found = draw.plot(AXIS, {"SQLite": [{"x": "2 × 3", "values": {"one": 1}}, {"x": "4 × 9", "values": {"one": 3}}]})
    assert ">2 × 3<" in found and ">4 × 9<" in found


@pytest.mark.parametrize("name", results.AXES)
def test_the_page_and_the_plots_are_those_of_the_file(name, tmp_path, monkeypatch):
    text = page.PAGE.read_text()
    assert f"<!-- {name} -->" in text and f"<!-- /{name} -->" in text
    if not any(name in runs for runs in results.read().values()):
        pytest.skip("not measured yet")
    plot = (page.PICTURES / f"scale-{name}.svg").read_text()
    monkeypatch.setattr(page, "PICTURES", tmp_path)
    monkeypatch.setattr(page, "PAGE", tmp_path / "scale.md")
    page.PAGE.write_text(re.sub(r"<!-- (\w+) -->.*?<!-- /\1 -->", r"<!-- \1 -->\n<!-- /\1 -->", text, flags=re.DOTALL))
    page.write()
    assert page.PAGE.read_text() == text and (tmp_path / f"scale-{name}.svg").read_text() == plot
