"""Which files are counted, and in which room each of them is."""
from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

APPS = ("gs2admin", "stages", "jobqueue", "locks")
# What stands on top of its room's ground, with other rooms in between: gs2admin/identity/pages on the dashboard on identity.
FLOORS = {"api", "management", "pages", "services"}
# Migrations repeat what models say; vendored and test code is not the structure of the product.
SKIPPED = {"migrations", "tests", "vendor", "__pycache__"}


@dataclass(frozen=True)
class Source:
    """One Python file. path: relative to the tree, with slashes; module: its dotted name; text: its content."""

    path: str
    module: str
    text: str
    body: ast.Module

    @property
    def app(self) -> str:
        """The first folder."""
        return self.path.split("/")[0]

    @property
    def at_top(self) -> bool:
        """Whether it lies directly in the app's folder."""
        return self.path.count("/") == 1

    @property
    def room(self) -> str:
        """The folder directly below the app's that holds it, with all that is deeper; a file at the top is a room of its own.

        So is a floor of such a folder (FLOORS), as in the contracts of import-linter.
        """
        if self.at_top:
            return self.path
        parts = self.path.split("/")
        return "/".join(parts[: 3 if len(parts) > 3 and parts[2] in FLOORS else 2])

    @property
    def folder(self) -> str:
        """The folder that holds it, at any depth; a file at the top stands for itself."""
        return self.path if self.at_top else self.path.rpartition("/")[0]

    @property
    def is_package(self) -> bool:
        """Whether it is the __init__.py of a package."""
        return self.path.endswith("/__init__.py")


def sources(tree: Path) -> list[Source]:
    """Every Python file of the apps in that tree, in the order of their paths. A file with no statement is left out.

    Raises SyntaxError for a file that Python cannot read, FileNotFoundError when the tree holds none of the apps.
    """
    if not any((tree / app).is_dir() for app in APPS):
        raise FileNotFoundError(f"{tree} has none of {', '.join(APPS)}")
    return [source for app in APPS for source in _below(tree, app)]


def _below(tree: Path, app: str) -> Iterator[Source]:
    for file in sorted((tree / app).rglob("*.py")):
        path = PurePosixPath(file.relative_to(tree))
        if SKIPPED & set(path.parts[:-1]):
            continue
        text = file.read_text(encoding="utf-8")
        body = ast.parse(text, str(path))
        if body.body:
            parts = path.parts[:-1] if path.name == "__init__.py" else (*path.parts[:-1], path.stem)
            yield Source(str(path), ".".join(parts), text, body)


def templates(tree: Path) -> list[Path]:
    """Every HTML template of the tree's templates folder and of the apps' own."""
    found = set((tree / "templates").rglob("*.html"))
    for app in APPS:
        found |= {file for file in (tree / app).rglob("*.html") if "templates" in file.relative_to(tree).parts}
    return sorted(found)
