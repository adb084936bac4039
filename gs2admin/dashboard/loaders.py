"""Where templates come from: the files of templates/, without the indentation that is there for people only."""
from __future__ import annotations

import re

from django.template import Origin
from django.template.loaders import filesystem

# In these a browser shows white space.
SHOWN = re.compile(r"(<(pre|textarea)\b.*?</\2>)", re.S)


def without_indentation(text: str) -> str:
    """The template with every line at the left edge; lines keep their numbers, and <pre> and <textarea> stay as they are."""
    parts = SHOWN.split(text)
    # split() gives a text, an element and its name, again and again, and a text at the end.
    parts[::3] = [re.sub(r"\n[ \t]+", "\n", part) for part in parts[::3]]
    del parts[2::3]
    return "".join(parts)


class Loader(filesystem.Loader):
    """Indentation made polled parts up to 2.6 times as long; read once per process, it costs nothing to leave it out."""

    def get_contents(self, origin: Origin) -> str:
        return without_indentation(super().get_contents(origin))
