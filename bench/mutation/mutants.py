"""The mutants of one module: Cosmic Ray's operators and ours, without what cannot change behaviour."""
from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

from bench.mutation import operators, sqltext

# Of Cosmic Ray's operators, those whose mutants are near misses. An operator swapped for any other (+ for **) fails everywhere.
NEAR = frozenset(f"core/{name}" for name in (
    *(f"ReplaceComparisonOperator_{pair}" for pair in (
        "Eq_NotEq", "NotEq_Eq", "Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Is_IsNot", "IsNot_Is",
    )),
    *(f"ReplaceBinaryOperator_{pair}" for pair in (
        "Add_Sub", "Sub_Add", "Mul_FloorDiv", "Div_Mul", "FloorDiv_Mul", "Mod_FloorDiv", "BitOr_BitAnd", "BitAnd_BitOr",
        "RShift_LShift", "LShift_RShift",
    )),
    "ReplaceUnaryOperator_Delete_Not", "ReplaceUnaryOperator_Delete_USub", "AddNot", "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd", "ReplaceBreakWithContinue", "ReplaceContinueWithBreak",
    "ExceptionReplacer", "NumberReplacer", "RemoveDecorator", "ZeroIterationForLoop",
))  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One broken version of a module. at: the function or the name that it breaks. was, becomes: the changed lines."""

    module: str
    operator: str
    at: str
    was: str
    becomes: str
    code: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What a survivor is known by: it stays the same when lines above it change."""
        return self.module, self.at, self.was, self.becomes

    @property
    def is_constant(self) -> bool:
        """Whether it changes what a constant of the module is made of, and no class."""
        return bool(self.at) and "." not in self.at and self.at not in _classes_and_functions(self.code)


def of(module: str, path: Path, only: frozenset[str] = frozenset()) -> Iterator[Mutant]:
    """Each mutant once. only: names of functions or constants, the others are left alone; empty means all.

    Raises ValueError when `only` names what the module does not have.
    """
    source = path.read_text()
    plain, spans, seen = _shape(source), _spans(source), set()
    if missing := only - {name.split(".")[0] for _, _, name in spans}:
        raise ValueError(f"{module} has no {', '.join(sorted(missing))}")
    for operator, code in _versions(source):
        shape = _shape(code)
        if shape is None or shape == plain or shape in seen:
            continue
        seen.add(shape)
        line, was, becomes = _change(source, code)
        # That a row is frozen is for its readers, and without its decorator it fails everywhere.
        if "@dataclass" in was:
            continue
        at = next((name for first, last, name in spans if first <= line <= last), "")
        if not only or at.split(".")[0] in only:
            yield Mutant(module, operator, at, was, becomes, code)


def _versions(source: str) -> Iterator[tuple[str, str]]:
    """(operator, code) of everything that the operators make of a source."""
    tree = get_ast(source)
    nodes = list(ast_nodes(tree))
    for name in sorted(NEAR & set(plugins.operator_names())):
        operator = plugins.get_operator(name)()
        count = sum(1 for node in nodes for _ in operator.mutation_positions(node))
        for occurrence in range(count):
            code = mutate_code(source, operator, occurrence)
            if code is not None:
                yield name.removeprefix("core/"), code
    raw = source.encode()
    for edit in (*operators.edits(raw), *sqltext.edits(raw)):
        yield edit.operator, edit.apply(raw).decode()


class _Plain(ast.NodeTransformer):
    """Takes out what runs nothing: annotations, docstrings, and what only a type checker reads."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        self.generic_visit(node)
        node.annotation = ast.Constant(value=None)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.returns = None
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.Expr:
        self.generic_visit(node)
        return ast.Expr(ast.Constant(None)) if isinstance(node.value, ast.Constant) else node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        return ast.Constant(None) if ast.unparse(node.value) == "Callable" else node

    def visit_If(self, node: ast.If) -> ast.If:
        self.generic_visit(node)
        if "TYPE_CHECKING" in ast.unparse(node.test):
            node.test, node.body = ast.Constant(False), [ast.Pass()]
        return node


def _shape(source: str) -> str | None:
    """What the code does, as text; None when it is no Python."""
    try:
        compile(source, "mutant", "exec")
        return ast.dump(_Plain().visit(ast.parse(source)))
    except (SyntaxError, ValueError):
        return None


def shape_without(source: str, name: str) -> str:
    """What a module does without the body of the function of that name; the name itself when there is no such function."""
    tree = _Plain().visit(ast.parse(source))
    found = tree
    for part in name.split("."):
        found = next((one for one in getattr(found, "body", []) if getattr(one, "name", "") == part), None)
    if not isinstance(found, ast.FunctionDef):
        return source
    found.body = []
    return ast.dump(tree)


def _classes_and_functions(source: str) -> set[str]:
    return {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def _spans(source: str) -> list[tuple[int, int, str]]:
    """(first line, last line, name) of each function, class and constant, the innermost first."""
    found = []

    def walk(body: list[ast.stmt], front: str, in_function: bool = False) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                walk(node.body, f"{front}{node.name}.", isinstance(node, ast.FunctionDef))
                found.append((first, node.end_lineno, front + node.name))
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                if not in_function:
                    found.append((node.lineno, node.end_lineno, front + ast.unparse(target)))

    walk(ast.parse(source).body, "")
    return found


def _change(old: str, new: str) -> tuple[int, str, str]:
    """(line in the old text, its changed lines, those of the new one), without indentation and comments."""
    before, after = old.splitlines(), new.splitlines()
    changed = [op for op in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes() if op[0] != "equal"]
    first, last = changed[0], changed[-1]
    was, becomes = ([(number, line.strip()) for number, line in enumerate(lines[start:end], start + 1)
                     if line.strip() and not line.strip().startswith("#")]
                    for lines, start, end in ((before, first[1], last[2]), (after, first[3], last[4])))  # fmt: skip
    at = was[0][0] if was else first[1] + 1
    return at, *(" ".join(line for _, line in lines) for lines in (was, becomes))
