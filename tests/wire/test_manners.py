"""Whatever a client of a door sends, it reads that door's errors; a person reads a page."""
from __future__ import annotations

import contextlib
import re
from importlib import import_module
from pkgutil import iter_modules

import gs2
import pytest
from gs2 import core

from gs2admin.wire.unserved import OTHER_SERVICES, for_programs, look, meant
from tests.wire import manners
from tests.wire.players import session_of

MODULES = [found.name for found in iter_modules(gs2.__path__) if found.ispkg and found.name != "core"]


@pytest.mark.parametrize("family", manners.ALL)
def test_every_client_reads_its_own_errors(server, family):
    make = manners.ALL[family]
    cases = make(every=8) if make is manners.of_unserved_services else make()
    found = {case: manners.wrong(case, server.raw(case.raw())) for case in cases}
    assert not {case: problem for case, problem in found.items() if problem}


def test_the_sdks_name_no_other_service():
    assert {name.replace("_", "-") for name in MODULES} == set(manners.SERVICES)
    assert set(OTHER_SERVICES) == set(manners.OTHERS) | {"gateway-ws"}


def test_the_official_client_raises_its_own_exception_for_every_other_service(server):
    with contextlib.ExitStack() as stack:
        session = session_of(server, "ours")
        stack.callback(session.disconnect)
        for name in MODULES:
            if name.replace("_", "-") not in manners.OTHERS:
                continue
            module = import_module(f"gs2.{name}")
            [client] = [cls for word, cls in vars(module).items() if re.fullmatch(r"Gs2[A-Za-z0-9]+RestClient", word)]
            methods = [word for word in dir(client) if re.fullmatch(r"describe_[a-z]+", word)]
            call = "describe_namespaces" if "describe_namespaces" in methods else methods[0]
            request = getattr(module, "".join(part.title() for part in call.split("_")) + "Request")()
            with pytest.raises(core.NotFoundException) as found:
                getattr(client(session), call)(request)
            [error] = found.value.errors
            assert (error.component, error.code) == ("request", "transport.http.request.error.notFound"), name


@pytest.mark.parametrize("path", ["/openapi.json", "/user-data/file/x", "/user-data/log/x"])
def test_what_programs_may_ask_for_is_theirs_with_their_headers_too(server, path):
    answer = server.call("GET", path)
    own = {"/openapi.json": (200, "application/json")}.get(path, (404, "text/plain; charset=utf-8"))
    assert (answer.status_code, answer.headers["Content-Type"]) == own, answer.text[:200]


def test_a_part_of_a_page_is_nobodys_service():
    """A page's own requests ask for anything, at paths that pages have."""
    page = {"PATH_INFO": "/projects/", "RAW_URI": "/projects/", "HTTP_ACCEPT": "*/*", "HTTP_HOST": "x"}
    assert look(page) is None and look(page | {"HTTP_X_GS2_CLIENT_ID": "a"}).service == "transport"
    assert look(page | {"PATH_INFO": "/project", "RAW_URI": "/project"}).served is False
    assert for_programs(lambda: None).for_programs


@pytest.mark.parametrize("path, followed, left", [
    ("/Freeze//x/", "/freeze/x", "/freeze/x"), ("/a/../b", "/b", "/a/b"), ("/../..", "/", "/"), ("\\x\\.", "/x", "/x"), ("", "/", "/"),
    ("/%66reeze%2fx", "/freeze/x", "/freeze/x"), ("*", "/*", "/*"),
])  # fmt: skip
def test_what_a_path_may_mean(path, followed, left):
    assert meant(path) == (followed, left)
