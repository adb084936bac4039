"""The rooms of gs2admin: each module stands in a layer of the contract, and the README's map names each room that exists."""
from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

from bench.structure.summary import summary

ROOT = Path(__file__).parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
APPS = ("gs2admin", "stages", "jobqueue", "locks")
# Folders that Django's conventions name and explain.
CONVENTIONAL = {"migrations", "management", "templatetags"}


def layers_of(name: str) -> list[str]:
    found = next(contract for contract in CONTRACTS if contract["name"] == name)
    return [module.strip() for layer in found["layers"] for module in re.split(r"[|:]", layer)]


def modules_of(package: str) -> list[str]:
    names = []
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if "migrations" in parts:
            continue
        if parts[-1] == "__init__":
            if not _has_code(path):
                continue
            parts = parts[:-1]
        names.append(".".join(parts))
    return names


def _has_code(path: Path) -> bool:
    return bool(re.search(r"^(from|import) ", path.read_text(), re.MULTILINE))


def _stands_in(module: str, layers: set[str]) -> bool:
    parts = module.split(".")
    return any(".".join(parts[:n]) in layers for n in range(1, len(parts) + 1))


def test_every_module_of_gs2admin_stands_in_a_layer():
    layers = set(layers_of("Rooms of gs2admin"))
    assert [name for name in modules_of("gs2admin") if not _stands_in(name, layers)] == []


def test_every_layer_of_gs2admin_exists():
    paths = {name: ROOT / name.replace(".", "/") for name in layers_of("Rooms of gs2admin")}
    assert [name for name, path in paths.items() if not path.is_dir() and not path.with_suffix(".py").is_file()] == []


def rooms_of(app: str) -> list[str]:
    folders = (path for path in sorted((ROOT / app).iterdir()) if path.is_dir() and any(path.glob("*.py")))
    return [path.name for path in folders if path.name not in CONVENTIONAL]


def map_of(app: str) -> str:
    """The README's table of an app, as text."""
    readme = (ROOT / "README.md").read_text()
    return readme.split(f"**`{app}/`**", 1)[1].split("\n**`", 1)[0].split("\n| beside the apps", 1)[0]


@pytest.mark.parametrize("app", APPS)
def test_the_map_names_every_room_and_no_other(app):
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*)/`", map_of(app)))
    assert [room for room in rooms_of(app) if room not in named] == []
    assert [room for room in sorted(named) if not any(path.is_dir() for path in (ROOT / app).rglob(room.rsplit("/", 1)[-1]))] == []


@cache
def figures() -> dict:
    """Of the whole code; when a test asks, since each process of a run imports this file."""
    return summary(ROOT)


# Functions that are longer than 60 lines, and why they stay whole.
LONG: dict[str, str] = {}


def test_there_is_no_circle_between_files_rooms_or_folders():
    circles = figures()["circles"]
    assert {kind: found for kind, found in _flat(circles).items() if found} == {}


def _flat(circles: dict, name: str = "") -> dict[str, list]:
    """{"files/all imports": [...], ...}: whatever the summary keeps lists of circles in."""
    found = {}
    for key, value in circles.items():
        where = f"{name}/{key}".strip("/")
        found |= _flat(value, where) if isinstance(value, dict) else {where: value}
    return found


def test_few_files_stand_beside_the_rooms_of_stages():
    assert figures()["apps"]["stages"]["files_at_top_count"] <= 8


def test_functions_are_short_and_templates_narrow():
    # Their complexity is ruff's to check (C901), and so is the width of Python's lines.
    assert {found["name"] for found in figures()["functions_too_long"]} == set(LONG)
    assert figures()["template_lines_too_wide"]["count"] == 0
