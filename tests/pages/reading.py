"""Pages as a browser reads them: white space that it does not show is gone, so that a test names what is on the page."""
from __future__ import annotations

import re

from django.http import HttpResponse
from django.test import Client

# What stands in these is kept as it is.
WHOLE = re.compile(r"(<(pre|textarea|script|style|bdi)\b.*?</\2>|<[a-z/!][^>]*>)", re.S)
# White space of a tag that is in no value.
BETWEEN = re.compile(r'\s+(?=(?:[^"]*"[^"]*")*[^"]*$)')
KEPT = re.compile("<(pre|textarea|script|style|bdi)")
BLOCK = (
    "html|head|body|title|meta|link|base|main|header|footer|nav|section|aside|article|div|p|h1|h2|h3|h4|ul"
    "|ol|li|dl|dt|dd|table|caption|thead|tbody|tfoot|tr|th|td|form|fieldset|legend|details|summary|figure"
    "|pre|select|option|optgroup|datalist|progress|svg|script"
)
AT_BLOCK = re.compile(rf"</?(?:{BLOCK})\b[^>]*>")


def squeezed(html: str) -> str:
    """The same page with one space for a run of white space, and none beside blocks or where only the template's lines make it."""
    kept: list[str] = []
    parts = WHOLE.split(html)
    # split() gives a text, a tag and the tag's inner group, again and again, and a text at the end.
    for text, tag in zip(parts[::3], [*parts[1::3], ""], strict=True):
        before = kept[-1] if kept else ""
        begins = text[: len(text) - len(text.lstrip())]
        if AT_BLOCK.fullmatch(before) or "\n" in begins and (before[1:2] != "/" or not text.strip()):
            text = text.lstrip()
        if AT_BLOCK.fullmatch(tag) or "\n" in text[len(text.rstrip()) :] and tag[1:2] == "/":
            text = text.rstrip()
        kept += [re.sub(r"\s+", " ", text), tag if KEPT.match(tag) else re.sub(r"\s*(/?>)$", r"\1", BETWEEN.sub(" ", tag))]
    return "".join(kept)


class Reader(Client):
    """A test client whose pages come squeezed."""

    def request(self, **words) -> HttpResponse:
        answer = super().request(**words)
        if not answer.streaming and answer.headers.get("Content-Type", "").startswith("text/html"):
            answer.content = squeezed(answer.content.decode())
        return answer
