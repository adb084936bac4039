"""Mutations of SQL inside strings: a comparison that always holds, a bound that is one off, a value that is not written."""
from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator

from bench.mutation.operators import Edit

_IS_SQL = re.compile(r"\b(SELECT|UPDATE|INSERT|WHERE|RETURNING|AND EXISTS|DO UPDATE)\b")
_NAME = r"[\w.]+(?: \|\| '')?"
_VALUE = r"(?:%s|'\w+'|\{+\w+\}+|[\w.]+(?: [-+] \w+)?)"
# A condition, not an assignment: it stands behind one of these words.
_CONDITION = rf"(\b(?:WHERE|AND|OR|WHEN|ON|NOT)\s+)({_NAME} (?:=|<=|>=|<|>) {_VALUE})(?![\w.])"
_STATES = {"'running'": "'waiting'", "'waiting'": "'running'"}
RULES: tuple[tuple[str, str, str], ...] = (
    ("SqlAlwaysTrue", _CONDITION, r"\1(\2 OR 1 = 1)"),
    ("SqlNeverTrue", _CONDITION, r"\1(\2 AND 1 = 0)"),
    ("SqlAndOr", r"\bAND\b", "OR"),
    ("SqlOrAnd", r"\bOR\b", "AND"),
    ("SqlBound", r" < ", " <= "),
    ("SqlBound", r" > ", " >= "),
    ("SqlBound", r" <= ", " < "),
    ("SqlBound", r" >= ", " > "),
    ("SqlNull", r"\bIS NULL\b", "IS NOT NULL"),
    ("SqlNull", r"\bIS NOT NULL\b", "IS NULL"),
    ("SqlExists", r"(?<!NOT )\bEXISTS \(", "NOT EXISTS ("),
    ("SqlStep", r"\+ 1\b", "+ 2"),
    ("SqlSign", r"\+ (?=%s|excluded|EXCLUDED)", "- "),
    ("SqlSign", r"- (?=%s|excluded|EXCLUDED)", "+ "),
    ("SqlWhen", r"\bWHEN (.+?) THEN\b", r"WHEN NOT (\1) THEN"),
    ("SqlOrder", r"\bORDER BY ([\w.]+)(?! DESC)\b", r"ORDER BY \1 DESC"),
    ("SqlLimit", r"\bLIMIT 1\b", "LIMIT 2"),
    ("SqlNot", r"\bNOT (?=[%\w])(?!NULL|EXISTS)", ""),
    ("SqlNotWritten", r"\b(\w+) = NULL\b", r"\1 = \1"),
    ("SqlNotWritten", r"\b(\w+) = (\{+(?:now|later)\}+)", r"\1 = \1"),
    ("SqlDefault", r"\b0\b", "1"),
    ("SqlIgnore", r"\bDO NOTHING\b", "DO UPDATE SET job_id = 0"),
)


def edits(source: bytes) -> Iterator[Edit]:
    """All mutations of the SQL in a module's strings, comments and docstrings left out."""
    text = source.decode()
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.STRING or not _IS_SQL.search(token.string):
            continue
        if token.line.strip().startswith('"""'):
            continue
        at = starts[token.start[0] - 1] + token.start[1]
        for operator, start, end, new in _of_text(token.string):
            first = len(text[: at + start].encode())
            yield Edit(operator, first, first + len(token.string[start:end].encode()), new)


def _of_text(text: str) -> Iterator[tuple[str, int, int, str]]:
    """(operator, start, end, replacement) for each mutation of one string."""
    for operator, pattern, new in RULES:
        for match in re.finditer(pattern, text):
            yield operator, match.start(), match.end(), match.expand(new)
    for old, new in _STATES.items():
        for match in re.finditer(old, text):
            yield "SqlState", match.start(), match.end(), new
