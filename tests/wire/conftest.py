"""One real server for all tests of the doors."""

from __future__ import annotations

import pytest

from gs2admin.identity import tokens
from tests.wire.server import Server, running


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Server:
    """gunicorn over a database of its own: projects isles (with the demo) and other."""
    with running(tmp_path_factory.mktemp("wire")) as found:
        yield found


@pytest.fixture(autouse=True)
def _no_credentials_remembered():
    """Rows of one test must not be met by the next."""
    tokens.forget_all()
    yield
    tokens.forget_all()
