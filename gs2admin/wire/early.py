"""The error bodies of requests that never reached Django: what each door's clients read."""

from __future__ import annotations

import json

from gs2admin.wire.failures import refuse
from gs2admin.wire.location import locate
from gs2admin.wire.protocol import Refused, protocols
from gs2admin.wire.rest import refusal
from gs2admin.wire.table import API


def form(target: str, host: str, status: int, word: str, sentence: str) -> tuple[int, bytes]:
    """Status and body. target, host: of the request, as far as they could be read; may be anything.

    A door that is not recognised gets the body of the GS2 clients, with the sentence beside it.
    """
    meta = {"RAW_URI": target or "/", "HTTP_HOST": host, "SCRIPT_NAME": ""}
    for protocol in protocols():
        if protocol.find(meta) is not None:
            reply = protocol.refusal(Refused(status, sentence))
            return reply.status, json.dumps(reply.body).encode()
    where = locate(meta)
    failure = refuse(status, "request", f"transport.http.request.error.{word}", sentence)
    answer = refusal(where.service if where else "", failure)
    beside = {} if where and where.service == API else {"sentence": sentence}
    return status, json.dumps({**answer.body, **beside}).encode()
