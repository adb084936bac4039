"""Sessions of the official Python client (PyPI gs2). Each has a thread that lives until it is disconnected, and that
keeps pytest from ending: so they are made here, and tests/conftest.py disconnects them all."""
from __future__ import annotations

from gs2 import core

REGION = "ap-northeast-1"
_open: list[core.Gs2RestSession] = []


def signed_in(url: str, client_id: str, secret: str) -> core.Gs2RestSession:
    """A connected session of a credential."""
    return connected(url, core.BasicGs2Credential(client_id, secret))


def connected(url: str, credential: core.IGs2Credential) -> core.Gs2RestSession:
    """A connected session of any credential that the client knows."""
    session = core.Gs2RestSession(credential, REGION, steady_endpoint=url)
    _open.append(session)
    session.connect()
    return session


def disconnect_all() -> None:
    """End every session that was made here."""
    while _open:
        _open.pop().disconnect()
