"""Entry points for programs: GS2-Freeze, our own JSON API, and the published protocols of SourceDeploy and ASM.

- freeze.py has GS2-Freeze's six methods; own/ the JSON API below /api/v1; sourcedeploy/ and asm/ one protocol each.
- find/ finds the rows that a path names, and asks for `project.view` before a handler that only reads.

A handler turns fields into arguments and rows into JSON. What a caller may do is asked by the service that a handler calls,
and by `viewing` for handlers that call none. No other room imports this one.
"""
from gs2admin.wire.openapi_plain import Plain
from stages.api import freeze, own
from stages.api.protocols import PROTOCOLS

METHODS = freeze.METHODS + own.METHODS
PLAIN = [
    Plain("freezes", "GET", "/p/{project}/freezes.ics", "Freeze windows as a calendar", {
        200: ("The calendar.", "text/calendar"), 302: ("Without a key: sign in first.", "text/html"),
        404: ("There is no such calendar, or its reader is no member any more.", ""),
    }, query={"key": "The key of one person's address."}),
]  # fmt: skip

__all__ = ["METHODS", "PLAIN", "PROTOCOLS"]
