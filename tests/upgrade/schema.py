"""What a database is made of, as lines that can be compared: the order of columns and of definitions does not count."""
from __future__ import annotations

import contextlib
import re
import sqlite3

import psycopg

POSTGRES = {
    "column": """SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default, is_identity
                 FROM information_schema.columns WHERE table_schema = 'public'""",
    "constraint": """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated
                     FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid <> 0""",
    "index": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "trigger": "SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "function": """SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace""",
}


def schema(url: str) -> set[str]:
    """One line for each column, key, constraint, index, trigger and function of the database at this URL."""
    return _of_sqlite(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else _of_postgres(url)


def difference(one: set[str], other: set[str]) -> str:
    """For people: what only one of them has. Empty when they are equal."""
    return "\n".join([f"- {line}" for line in sorted(one - other)] + [f"+ {line}" for line in sorted(other - one)])


def _of_postgres(url: str) -> set[str]:
    with psycopg.connect(url) as link:
        return {
            " ".join([kind, *(_uncast(_plain(str(part))) for part in row)])
            for kind, query in POSTGRES.items() for row in link.execute(query)
        }  # fmt: skip


def _uncast(sql: str) -> str:
    """Without the casts of texts and the parentheses around them: a list of texts that was dumped and restored has others."""
    return re.sub(r"::(text|character varying)(\[\])?|[()]", "", sql)


def _of_sqlite(path: str) -> set[str]:
    with contextlib.closing(sqlite3.connect(path)) as link:
        rows = link.execute("SELECT type, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    found = set()
    for kind, table, sql in rows:
        if kind == "table":
            body = sql[sql.index("(") + 1 : sql.rindex(")")]
            found |= {f"{table}: {_plain(part)}" for part in _parts(body)}
        else:
            found.add(f"{kind} {_plain(sql)}")
    return found


def _plain(sql: str) -> str:
    return re.sub(r"\s+", " ", sql.replace('"', "")).replace("IF NOT EXISTS ", "").replace("( ", "(").replace(" )", ")").strip()


def _parts(body: str) -> list[str]:
    """The definitions between the outermost commas."""
    found, depth, quoted, part = [], 0, False, ""
    for letter in body:
        quoted ^= letter == "'"
        depth += 0 if quoted else (letter == "(") - (letter == ")")
        if letter == "," and depth == 0 and not quoted:
            found.append(part)
            part = ""
        else:
            part += letter
    return [*found, part]
