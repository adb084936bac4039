"""Mutations that Cosmic Ray lacks: an argument, an element of a table or a statement that is missing."""
from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

# Calls whose absence changes no behaviour that a test should fix.
QUIET = ("log.",)


@dataclass(frozen=True)
class Edit:
    """Replace the bytes from start to end of a source by text. operator: what made it."""

    operator: str
    start: int
    end: int
    text: str

    def apply(self, source: bytes) -> bytes:
        """The source with this edit."""
        return source[: self.start] + self.text.encode() + source[self.end :]


class Places:
    """Offsets in bytes of the nodes of a source."""

    def __init__(self, source: bytes) -> None:
        self._starts = [0, *accumulate(len(line) for line in source.splitlines(keepends=True))]

    def of(self, node: ast.AST) -> tuple[int, int]:
        """Where the node starts and ends."""
        return self._starts[node.lineno - 1] + node.col_offset, self._starts[node.end_lineno - 1] + node.end_col_offset


def edits(source: bytes) -> Iterator[Edit]:
    """All mutations of a module, in order."""
    tree, places = ast.parse(source), Places(source)
    # A tuple that is an argument holds a statement's parameters: one less is an error of the driver, whatever the tests.
    parameters = {id(one) for node in ast.walk(tree) if isinstance(node, ast.Call) for one in node.args}
    quiet = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(QUIET)
             for inner in ast.walk(node)}  # fmt: skip
    for node in ast.walk(tree):
        if id(node) in quiet:
            continue
        if isinstance(node, ast.Call):
            yield from _without("DropArgument", source, places, node.keywords)
            if ast.unparse(node.func).endswith((".filter", ".exclude")):
                yield from _without("DropCondition", source, places, node.args)
        elif isinstance(node, ast.Set | ast.List) or (
            isinstance(node, ast.Tuple) and len(node.elts) > 2 and id(node) not in parameters
        ):
            yield from _without("DropElement", source, places, node.elts)
        elif isinstance(node, ast.Dict) and None not in node.keys:
            yield from _without_pairs(source, places, node)
        for name in ("body", "orelse", "finalbody"):
            for statement in getattr(node, name, None) or [] if isinstance(node, ast.stmt) else []:
                yield from _nothing_instead(places, statement)


def _without(operator: str, source: bytes, places: Places, nodes: list) -> Iterator[Edit]:
    for node in nodes:
        start, end = places.of(node)
        yield Edit(operator, start, _past_comma(source, end), "")


def _without_pairs(source: bytes, places: Places, node: ast.Dict) -> Iterator[Edit]:
    for key, value in zip(node.keys, node.values, strict=True):
        yield Edit("DropElement", places.of(key)[0], _past_comma(source, places.of(value)[1]), "")


def _past_comma(source: bytes, end: int) -> int:
    after = end
    while after < len(source) and source[after : after + 1].isspace():
        after += 1
    return after + 1 if source[after : after + 1] == b"," else end


def _nothing_instead(places: Places, statement: ast.stmt) -> Iterator[Edit]:
    call = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
    loud = call and not ast.unparse(statement.value.func).startswith(QUIET)
    leaves = isinstance(statement, ast.Return) and statement.value is None
    if loud or leaves or isinstance(statement, ast.Raise | ast.AugAssign):
        yield Edit("DropStatement", *places.of(statement), "pass")
