"""Runs tests against a mutant: in a copy of the project, in a child of a process that has imported everything but the project.

A child costs a fork, the project's own imports and the tests; the work tree is never changed.
"""
from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import subprocess
import sys
import traceback
from pathlib import Path

from bench.mutation.waiting import exit_code

ROOT = Path(__file__).resolve().parents[2]
OURS = ("gs2admin", "stages", "jobqueue", "locks", "tests", "bench", "__main__", "conftest")
# What reads the settings when it is imported.
LATE = ("django.contrib", "django_q", "debug", "pytest_django.", "whitenoise")


class Copy:
    """A copy of the project's files, with databases for its tests."""

    def __init__(self, folder: Path) -> None:
        """folder: made anew."""
        shutil.rmtree(folder, ignore_errors=True)
        self.tree, self.data, self.log = folder / "tree", folder / "data", folder / "log"
        self.data.mkdir(parents=True)
        names = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split("\n")
        for name in filter(None, names):
            if (ROOT / name).is_file():
                (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.tree / name)
        sys.path[:] = [str(self.tree), *(path for path in sys.path if path not in {"", str(ROOT)})]
        os.chdir(self.tree)
        self._made: set[str] = set()

    def path(self, module: str) -> Path:
        """The file of a module, by its dotted name."""
        path = self.tree / module.replace(".", "/")
        return path / "__init__.py" if path.is_dir() else path.with_name(f"{path.name}.py")

    @contextlib.contextmanager
    def changed(self, module: str, code: str):
        """The module has that source meanwhile."""
        path = self.path(module)
        before = path.read_bytes()
        path.write_text(code)
        try:
            yield
        finally:
            path.write_bytes(before)

    def run(self, tests: list[str], database: str, limit_s: float, plugins: tuple = ()) -> int:
        """pytest's exit code for these files: 0 when all pass, -1 when the time is over. database: an URL, "" for SQLite.

        plugins: of pytest, for this run.
        """
        kind = "postgresql" if database else "sqlite"
        environment = {
            "GS2ADMIN_DATA_DIR": str(self.data), "REDIS_URL": "",
            "MUTATION_DATABASE": f"gs2admin_mutation_{os.getpid()}" if database else str(self.data / "kept.sqlite3"),
            "MUTATION_MAKES": "" if kind in self._made else "1",
        }  # fmt: skip
        if database:
            environment["DATABASE_URL"] = database
        child = os.fork()
        if not child:
            _be_pytest(tests, environment, self.log, plugins)
        code = exit_code(child, limit_s)
        if code == 0:
            self._made.add(kind)
        return code

    def tidy(self) -> None:
        """Remove the databases that killed children have left."""
        for left in self.data.glob("kept.sqlite3-*"):
            left.unlink(missing_ok=True)

    def close(self, database: str) -> None:
        """Drops what a run on PostgreSQL has left."""
        if "postgresql" in self._made:
            import psycopg

            with psycopg.connect(database, autocommit=True) as link:
                link.execute(f'DROP DATABASE IF EXISTS "gs2admin_mutation_{os.getpid()}" WITH (FORCE)')


def _be_pytest(tests: list[str], environment: dict[str, str], log: Path, plugins: tuple) -> None:
    """The child: never returns."""
    code = 70
    try:
        os.setsid()
        os.environ.update(environment)
        if "DATABASE_URL" not in environment:
            os.environ.pop("DATABASE_URL", None)
        with log.open("wb") as out:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
        # Compiled mutants must not be left for the next.
        sys.dont_write_bytecode = not environment["MUTATION_MAKES"]
        import pytest

        # Plugins that are imported already cannot be rewritten, and need not.
        options = ["-x", "-q", "--tb=native", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
        code = int(pytest.main([*options, "-p", "bench.mutation.database", *tests], plugins))
    except BaseException:  # noqa: BLE001  whatever ends the child, its parent must not go on twice
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def warm_up(names: list[str]) -> None:
    """Import what is not ours, so that children need not; what asks for the settings is left to them."""
    for name in names:
        if name.split(".")[0] not in OURS and not name.startswith(LATE):
            with contextlib.suppress(Exception):
                importlib.import_module(name)
