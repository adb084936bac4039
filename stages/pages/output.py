"""A line of output as HTML for the console, and as text for the download. The HTML holds escaped text only."""
from __future__ import annotations

from datetime import UTC
from html import escape

from gs2admin.dashboard.unseen_html import marked
from gs2admin.unseen import suspect
from stages.models import Output

# A longer line is cut in the console, with a note; the download has all of it.
SHOWN_CHARS = 8_000


def line_html(line: Output) -> str:
    """The row of the console. Everything that a step or a person wrote is escaped."""
    at = line.at.astimezone(UTC)
    text = line.text
    most = SHOWN_CHARS // 8 if suspect(text) else SHOWN_CHARS  # a mark is longer than what it stands for
    cut = ""
    if len(text) > most:
        cut = f"<em>… {len(text) - most} more characters in the text download</em>"
        text = text[:most]
    css = {"stderr": " is-err", "note": " is-note"}.get(line.stream, "")
    return (
        f'<div class="ln{css}" data-seq="{line.seq}" id="L{line.seq}"><i>{line.seq}</i>'
        f'<time data-clock datetime="{at.isoformat(timespec="milliseconds")}" title="{at:%Y-%m-%d %H:%M:%S} UTC">'
        f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}</time>"
        f"<b>{escape(line.microservice)}</b><span>{marked(text)}{cut}</span></div>"
    )


def line_text(line: Output) -> str:
    """`2026-11-21T17:41:02.118+00:00 microservice text` and a line feed."""
    at = line.at.astimezone(UTC).isoformat(timespec="milliseconds")
    return f"{at} {line.microservice or '-'} {line.text}\n"
