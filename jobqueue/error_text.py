"""What an answer says went wrong, and which answers say the same."""
from __future__ import annotations

import re

from gs2admin.json_text import read_line, read_string

_MESSAGE = re.compile(r'"message"\s*:\s*"((?:[^"\\]|\\.){1,280})"')
# What differs between two players or moments and is no other error: ids and numbers.
_VARIES = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|\d+")


def error_text(snippet: str) -> str:
    """The beginning of a result as it is read, in one line: the first message of an error list, else all of it."""
    found = _MESSAGE.search(snippet) if snippet.lstrip().startswith("[") else None
    return read_string(found[1]) if found else " ".join(read_line(snippet, cut=True).split())


def alike(text: str, user_id: str) -> str:
    """The text without what varies between answers of one error: the player's id, other ids, numbers."""
    if user_id:
        text = text.replace(user_id, "…")
    return _VARIES.sub("#", text)
