"""Who imports whom: between files, rooms and folders, and the circles among them."""
from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from bench.structure.tree import Source


class When(StrEnum):
    """When an import takes place. Only the first kind can keep a program from starting."""

    AT_IMPORT = "at import"
    IN_FUNCTION = "in a function"
    FOR_TYPES = "for types only"


@dataclass(frozen=True, order=True)
class Import:
    """One file needs another. source, target: paths; line: where it says so. `import a, b` is two."""

    source: str
    target: str
    when: When
    line: int


Graph = dict[str, set[str]]


def imports(files: list[Source]) -> list[Import]:
    """Every import of one of the files by another. Names in strings, as tasks have them, are no imports.

    `from package import module` leads to the module, `from package import name` to the package's __init__.py. The
    __init__.py of the packages around a module, which Python runs as well, are not counted.
    """
    by_module = {file.module: file.path for file in files}
    found = []
    for file in files:
        for when, node in _statements(file.body, When.AT_IMPORT):
            for module in _modules(node, file, by_module):
                path = by_module.get(module)
                if path and path != file.path:
                    found.append(Import(file.path, path, when, node.lineno))
    return sorted(set(found))


def _statements(node: ast.AST, when: When) -> Iterator[tuple[When, ast.Import | ast.ImportFrom]]:
    """Every import statement below the node, with the moment at which it runs."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield when, node
    elif isinstance(node, ast.If) and _asks_for_types(node.test):
        for child in node.body:
            yield from _statements(child, When.FOR_TYPES)
        for child in node.orelse:
            yield from _statements(child, when)
    else:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and when is When.AT_IMPORT:
            when = When.IN_FUNCTION
        for child in ast.iter_child_nodes(node):
            yield from _statements(child, when)


def _asks_for_types(test: ast.expr) -> bool:
    return getattr(test, "id", getattr(test, "attr", "")) == "TYPE_CHECKING"


def _modules(node: ast.Import | ast.ImportFrom, file: Source, known: dict[str, str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = node.module or ""
    if node.level:
        package = file.module.split(".") if file.is_package else file.module.split(".")[:-1]
        around = package[: len(package) - (node.level - 1)]
        base = ".".join([*around, base] if base else around)
    for alias in node.names:
        module = f"{base}.{alias.name}"
        yield module if module in known else base


def graph(found: Iterable[Import], name: Callable[[str], str]) -> Graph:
    """{node: nodes that it imports}, where name(path) is the node of a file. A node does not lead to itself."""
    edges: Graph = {}
    for one in found:
        source, target = name(one.source), name(one.target)
        edges.setdefault(source, set())
        edges.setdefault(target, set())
        if source != target:
            edges[source].add(target)
    return edges


def circles(edges: Graph) -> list[list[str]]:
    """Every set of nodes that all reach each other (strongly connected, more than one), the largest first (Tarjan)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in sorted(edges[node]):
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for node in sorted(edges):
        if node not in order:
            visit(node)
    return sorted(found, key=lambda members: (-len(members), members))
