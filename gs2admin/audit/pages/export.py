"""The log as CSV, one line at a time."""
from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from typing import Any

from gs2admin.audit.models import Activity
from gs2admin.unseen import shown

COLUMNS = (
    "id", "at", "actor_kind", "actor_id", "actor_name", "action", "object_type", "object_id", "object_name", "player",
    "before", "after", "reason", "door", "ip", "request_id",
)
# A spreadsheet takes a cell that begins so for a formula, also behind blanks, and in their full-width forms.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


class _Echo:
    @staticmethod
    def write(text: str) -> str:
        return text


def cell(value: Any) -> str:
    """Text that no spreadsheet runs: what could be a formula gets an apostrophe in front, what cannot be seen a mark."""
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True) if isinstance(value, (dict, list)) else str(value)
    text = text.replace("\x00", "")
    risky = text.lstrip(" \xa0\u3000\ufeff\u200b").startswith(_FORMULA) or text.startswith(_FORMULA)
    text = shown(text)
    return f"'{text}" if risky else text


def lines(rows: Iterable[Activity]) -> Iterator[str]:
    """The header and one CSV line per row; times are ISO 8601 in UTC."""
    writer = csv.writer(_Echo(), quoting=csv.QUOTE_ALL)
    yield "\ufeff" + writer.writerow(COLUMNS)
    for row in rows:
        yield writer.writerow([
            row.at.isoformat() if name == "at" else cell(getattr(row, name)) for name in COLUMNS
        ])
