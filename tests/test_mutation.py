"""The mutations of our own that `make mutation` makes, and that its lists name what is there."""
from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

from bench.mutation import operators, sqltext

ROOT = Path(__file__).resolve().parents[1]
LISTS = ROOT / "bench" / "mutation"
MODULES = tomllib.loads((LISTS / "modules.toml").read_text())["module"]


def file_of(name: str) -> Path:
    path = ROOT / name.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_name(f"{path.name}.py")


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module["name"])
def test_a_listed_module_is_there_with_what_is_to_be_broken_and_the_tests_that_are_to_notice(module):
    names = {getattr(node, "name", "") for node in ast.walk(ast.parse(file_of(module["name"]).read_text()))}
    assert set(module.get("only", ())) <= names
    assert module["tests"] and all(file_of(name).is_file() for name in module["tests"])


def test_each_argued_survivor_is_of_a_listed_module_and_has_a_reason():
    survivors = tomllib.loads((LISTS / "survivors.toml").read_text()).get("survivor", [])
    names = {module["name"] for module in MODULES}
    for one in survivors:
        assert set(one) == {"module", "at", "was", "becomes", "why"} and one["module"] in names and len(one["why"]) > 20


def made(source: str, by=operators) -> set[tuple[str, str]]:
    raw = source.encode()
    return {(edit.operator, edit.apply(raw).decode()) for edit in by.edits(raw)}


@pytest.mark.parametrize(("source", "operator", "mutant"), [
    ("f(a=1, b=2)", "DropArgument", "f( b=2)"),
    ("rows.filter(Q(x=1), free)", "DropCondition", "rows.filter( free)"),
    ("X = {'ä', 'b'}", "DropElement", "X = { 'b'}"),
    ("X = {'a': 1, 'b': 2}", "DropElement", "X = { 'b': 2}"),
    ("def f():\n    g()\n    return 1", "DropStatement", "def f():\n    pass\n    return 1"),
    ("if x:\n    raise E", "DropStatement", "if x:\n    pass"),
])  # fmt: skip
def test_something_is_missing(source, operator, mutant):
    assert (operator, mutant) in made(source)


def test_what_is_only_said_in_the_log_is_left_alone():
    assert made("log.warning('x', exc_info=True, extra={'a': 1, 'b': [1, 2]})") == set()


@pytest.mark.parametrize(("old", "operator", "new"), [
    ("WHERE id = %s AND fence = %s", "SqlAlwaysTrue", "WHERE id = %s AND (fence = %s OR 1 = 1)"),
    ("WHERE id = %s AND fence = %s", "SqlAndOr", "WHERE id = %s OR fence = %s"),
    ("SET fence = fence + 1 WHERE x", "SqlStep", "SET fence = fence + 2 WHERE x"),
    ("WHERE lease_until IS NULL OR lease_until < {now}", "SqlBound", "WHERE lease_until IS NULL OR lease_until <= {now}"),
    ("WHERE state = 'waiting' ORDER BY id", "SqlOrder", "WHERE state = 'waiting' ORDER BY id DESC"),
    ("WHERE state = 'waiting' ORDER BY id", "SqlState", "WHERE state = 'running' ORDER BY id"),
    ("UPDATE t SET lease_until = NULL, x = 1", "SqlNotWritten", "UPDATE t SET lease_until = lease_until, x = 1"),
    ("UPDATE t SET x = CASE WHEN a THEN b END", "SqlWhen", "UPDATE t SET x = CASE WHEN NOT (a) THEN b END"),
])  # fmt: skip
def test_sql_in_a_string_is_broken_where_it_decides(old, operator, new):
    assert (operator, f'X = """{new}"""') in made(f'X = """{old}"""', sqltext)


def test_an_assignment_of_sql_is_no_condition_and_other_texts_are_left_alone():
    assert not any("1 = 1" in code for _, code in made('X = "UPDATE t SET fence = fence"', sqltext))
    assert made('X = "one AND two"', sqltext) == set()
