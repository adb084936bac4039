"""The error bodies of requests that never reached Django: what each door's clients read."""

from __future__ import annotations

import json

from gs2admin.wire import entries
from gs2admin.wire.failures import KNOWN, refuse
from gs2admin.wire.protocol import Refused
from gs2admin.wire.reply import refusal
from gs2admin.wire.table import API


def form(target: str, host: str, status: int, word: str, sentence: str) -> tuple[int, bytes]:
    """Status and body. target, host: of the request, as far as they could be read; may be anything.

    A door that is not recognised gets the body of the GS2 clients, with the sentence beside it.
    """
    meta = {"RAW_URI": target or "/", "HTTP_HOST": host, "SCRIPT_NAME": ""}
    entry = entries.known(meta) or entries.meant(meta, pages=False)
    if isinstance(entry, entries.OfProtocol):
        reply = entry.protocol.refusal(Refused(status, sentence))
        return reply.status, json.dumps(reply.body).encode()
    own = entry is not None and entry.service == API
    failure = refuse(status, "request", f"transport.http.request.error.{word}", sentence)
    answer = refusal(API if own else "", failure)
    # GS2 clients know no other status; what a proxy or a browser sees is as good.
    status = status if own or status in KNOWN else 400
    return status, json.dumps({**answer.body, **({} if own else {"sentence": sentence})}).encode()
