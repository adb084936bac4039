"""How long files, functions and template lines are, and how many ways lead through a function."""
from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from bench.structure.tree import Source

SILENT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
          tokenize.ENCODING}


@dataclass(frozen=True)
class Function:
    """One function or method. lines: from its `def` to its end, docstring included; complexity: as ruff's C901 counts."""

    path: str
    line: int
    name: str
    lines: int
    complexity: int


def total_lines(file: Source) -> int:
    """All lines of the file."""
    return len(file.text.splitlines())


def code_lines(file: Source) -> int:
    """Lines that hold code: no blank line, no line with a comment alone, no docstring."""
    held: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(file.text).readline):
        if token.type not in SILENT:
            held.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(file.body):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
            held.difference_update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(held)


def functions(file: Source) -> Iterator[Function]:
    """Every function of the file, those inside others too, named with what they are in: "Class.method"."""
    yield from _functions(file.path, file.body, "")


def _functions(path: str, node: ast.AST, around: str) -> Iterator[Function]:
    for child in ast.iter_child_nodes(node):
        inside = around
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            name = around + child.name
            yield Function(path, child.lineno, name, child.end_lineno - child.lineno + 1, complexity(child.body) + 1)
            inside = f"{name}."
        elif isinstance(child, ast.ClassDef):
            inside = f"{around}{child.name}."
        yield from _functions(path, child, inside)


def complexity(body: list[ast.stmt]) -> int:
    """How many ways there are beside the straight one through these statements, counted as ruff's C901 does:
    conditions inside expressions and comprehensions do not count, functions inside do.
    """
    return sum(_ways(statement) for statement in body)


def _ways(node: ast.stmt) -> int:
    match node:
        case ast.If():
            # An elif is an If of its own in orelse; an else adds nothing.
            return 1 + complexity(node.body) + complexity(node.orelse)
        case ast.For() | ast.AsyncFor() | ast.While():
            return 1 + complexity(node.body) + complexity(node.orelse)
        case ast.Try() | ast.TryStar():
            inside = complexity(node.body) + complexity(node.orelse) + complexity(node.finalbody)
            return inside + bool(node.orelse) + sum(1 + complexity(handler.body) for handler in node.handlers)
        case ast.With() | ast.AsyncWith() | ast.ClassDef():
            return complexity(node.body)
        case ast.Match():
            return sum(1 + complexity(case.body) for case in node.cases) - _is_else(node.cases[-1])
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return 1 + complexity(node.body)
        case _:
            return 0


def _is_else(case: ast.match_case) -> bool:
    return case.guard is None and _matches_all(case.pattern)


def _matches_all(pattern: ast.pattern) -> bool:
    match pattern:
        case ast.MatchAs():
            return pattern.pattern is None or _matches_all(pattern.pattern)
        case ast.MatchOr():
            return any(_matches_all(one) for one in pattern.patterns)
        case _:
            return False
