"""What the code names by a dotted string exists: rooms do so where an import would break the layers, and no linter looks into strings."""
from __future__ import annotations

import ast
import re
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.utils.module_loading import import_string

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("gs2admin", "stages", "jobqueue", "locks")
DOTTED = re.compile(rf"(?:{'|'.join(PACKAGES)})(?:\.[A-Za-z_]\w*)+")
# Salts, names of locks and loggers: words that only have to differ from each other.
WORDS = {"gs2admin.access", "gs2admin.proxied", "jobqueue.stats.roll_up", "jobqueue.userdata.link"}


def named() -> dict[str, list[str]]:
    """{dotted name: files in which it stands}, of all string constants that look like one."""
    found: dict[str, list[str]] = {}
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            if "migrations" in file.parts:
                continue
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and DOTTED.fullmatch(node.value):
                    found.setdefault(node.value, []).append(str(file.relative_to(ROOT)))
    return found


@pytest.fixture(scope="module")
def found() -> dict[str, list[str]]:
    return named()


def is_something(name: str) -> bool:
    """A module, something in one, or a model by its label."""
    for find in (import_module, import_string, apps.get_model):
        with suppress(ImportError, LookupError, ValueError):
            find(name)
            return True
    return False


def test_what_is_named_by_a_string_exists(found):
    assert {name: files for name, files in found.items() if name not in WORDS and not is_something(name)} == {}


def test_the_names_are_found(found):
    assert {"stages.worker.tasks.run_rollout", "jobqueue.tasks.drain", "locks.chores.finish_namespace"} <= set(found)
