"""The release before this one works on the tables of this one, and no migration since takes anything from it."""
from __future__ import annotations

import ast
import inspect

import pytest
from django.db.migrations.loader import MigrationLoader

from gs2admin.schema.before_first_release import LABELS
from tests.upgrade.doors import use_everything
from tests.upgrade.program import Program
from tests.upgrade.rules import refusals

OURS = {"gs2admin", "jobqueue", "locks", "stages"}
FROZEN = {"locks.expressions", "locks.migrations._triggers", "stages.migrations._triggers"}
FILL = "from gs2admin.identity.services.bootstrap import bootstrap\nbootstrap(say=lambda sentence: None)"


@pytest.fixture(scope="module")
def loader():
    return MigrationLoader(None)


def test_migrations_since_then_only_add_and_widen(previous, loader):
    released = {(label, name) for label, names in previous.migrations.items() for name in names}
    known = loader.project_state(sorted(released & loader.graph.nodes.keys()))
    later = [key for key in loader.disk_migrations if key[0] in previous.migrations and key not in released]
    found = [
        sentence for key in sorted(later)
        for sentence in refusals(loader.disk_migrations[key], known, loader.project_state(key, at_end=False), previous.has)
    ]
    assert found == [], "\n".join([*found, "See docs/migrations.md."])


def test_a_released_migration_never_changes(previous, loader):
    for label, released in previous.migrations.items():
        for name, text in released.items():
            assert (label, name) in loader.disk_migrations, f"{label}.{name} is gone, and {previous.name} has it"
            now = inspect.getsource(inspect.getmodule(type(loader.disk_migrations[label, name])))
            assert now == text, f"{label}.{name} is not what it is in {previous.name}"


def test_migrations_import_nothing_of_ours_that_may_change(loader):
    found = {}
    for (label, name), migration in loader.disk_migrations.items():
        if label in LABELS:
            tree = ast.parse(inspect.getsource(inspect.getmodule(type(migration))))
            names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
            names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
            found[f"{label}.{name}"] = {one for one in names if one.split(".")[0] in OURS} - FROZEN
    assert found and not any(found.values()), found


@pytest.mark.processes
def test_its_code_works_on_the_tables_and_rows_of_this_one(previous, new_program, tmp_path):
    this = new_program()
    assert this.manage("migrate").returncode == 0
    this.python(FILL)
    variables = this.variables | {"GS2ADMIN_NEWER_DATABASE": "1"}
    before = Program(previous.tree, this.url, tmp_path, variables)
    with before.serving() as url:
        use_everything(before, url)
