"""One piece of output as HTML for the console and as a line of the text download. Text only, always escaped."""
from __future__ import annotations

from datetime import UTC
from html import escape

from stages.models import Output

# A page stays quick however long a line is; the download has all of it.
SHOWN_CHARS = 8_000


def line_html(line: Output) -> str:
    """The console's row. `escape` is applied to everything that a step or a person wrote."""
    at = line.at.astimezone(UTC)
    text = line.text
    cut = ""
    if len(text) > SHOWN_CHARS:
        cut = f"<em>… {len(text) - SHOWN_CHARS} more characters in the text download</em>"
        text = text[:SHOWN_CHARS]
    css = {"stderr": " is-err", "note": " is-note"}.get(line.stream, "")
    return (
        f'<div class="ln{css}" data-seq="{line.seq}"><i>{line.seq}</i>'
        f'<time data-clock datetime="{at.isoformat(timespec="milliseconds")}" title="{at:%Y-%m-%d %H:%M:%S} UTC">'
        f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}</time>"
        f"<b>{escape(line.microservice)}</b><span>{escape(text)}{cut}</span></div>"
    )


def line_text(line: Output) -> str:
    """`2026-11-21T17:41:02.118+00:00 service text` and a line feed."""
    at = line.at.astimezone(UTC).isoformat(timespec="milliseconds")
    return f"{at} {line.microservice or '-'} {line.text}\n"
