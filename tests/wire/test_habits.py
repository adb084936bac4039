"""Every method answers to every SDK's way of writing a request."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from tests.wire.samples import GOOD, GS2_METHODS, NAMES, fields_of, request_of
from tests.wire.server import Server

VOLATILE = {
    "access_token", "token", "expire", "createdAt", "updatedAt", "tryAt", "revision", "executeTime", "charged", "url",
    "uploadUrl", "uploadToken", "newContextStack",
}  # fmt: skip
# Names that the server makes by chance; those of the samples begin with zeros.
MADE_NAME = re.compile(r"(?!0000)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def stable(value):
    """The answer without what differs from call to call."""
    if isinstance(value, dict):
        return {key: stable(item) for key, item in value.items() if key not in VOLATILE}
    if isinstance(value, str):
        return MADE_NAME.sub("(made)", value)
    return [stable(item) for item in value] if isinstance(value, list) else value


def answer(server: Server, call: dict, who: str | None = "ours"):
    response = server.call(call.pop("verb"), call.pop("path"), who=who, **call)
    assert response.headers["Content-Type"] == "application/json"
    assert "set-cookie" not in response.headers
    assert response.status_code == 200, response.text
    return response.json()


def test_every_method_has_a_sample():
    assert set(NAMES) == set(GOOD)


@pytest.mark.parametrize("method", GS2_METHODS, ids=NAMES)
def test_every_answer_has_its_declared_shape(server, method):
    result = answer(server, request_of(method, fields_of(method, server), "plain"))
    method.result.model_validate(result, strict=True)


@pytest.mark.parametrize("habit", ["ts", "go", "cs"])
@pytest.mark.parametrize("method", GS2_METHODS, ids=NAMES)
def test_each_sdks_habits_mean_the_same(server, method, habit):
    fields = fields_of(method, server)
    plain = answer(server, request_of(method, fields, "plain"))
    assert stable(answer(server, request_of(method, fields, habit))) == stable(plain)


WITH_BODY = [method for method in GS2_METHODS if method.verb in {"POST", "PUT"}]


@pytest.mark.parametrize("method", WITH_BODY, ids=[m.name for m in WITH_BODY])
def test_bodies_may_be_gzipped_chunked_both_or_marked(server, method):
    call = request_of(method, fields_of(method, server), "ts")
    plain = answer(server, dict(call))
    packed = gzip.compress(call["content"])
    halves = [packed[:9], packed[9:]]
    ways = {
        "gzip": {"content": packed, "headers": call["headers"] | {"Content-Encoding": "gzip"}},
        "members": {
            "content": gzip.compress(call["content"][:5]) + gzip.compress(call["content"][5:]),
            "headers": call["headers"] | {"Content-Encoding": "gzip"},
        },
        "chunked": {"content": iter([call["content"][:3], call["content"][3:]])},
        "gzip and chunked": {"content": iter(halves), "headers": call["headers"] | {"Content-Encoding": "gzip"}},
        "byte order mark": {"content": b"\xef\xbb\xbf" + call["content"]},
        "no content type": {"headers": {k: v for k, v in call["headers"].items() if k != "Content-Type"}},
    }
    for way in ways.values():
        assert stable(answer(server, call | way)) == stable(plain)


@pytest.mark.parametrize("method", GS2_METHODS, ids=NAMES)
def test_unknown_fields_and_headers_are_ignored(server, method):
    fields = fields_of(method, server)
    plain = answer(server, request_of(method, fields, "plain"))
    more = request_of(method, fields | {"contextStack": "a/b", "somethingNew": "1"}, "plain")
    more["headers"] |= {"X-GS2-REQUEST-ID": "r-1", "X-GS2-CLIENT-ID": "isles-owner"}
    more["headers"].setdefault("X-GS2-ACCESS-TOKEN", "")
    assert stable(answer(server, more)) == stable(plain)


@pytest.mark.parametrize("method", GS2_METHODS, ids=NAMES)
def test_a_host_name_of_the_cloud_is_served_as_a_path(server, method):
    call = request_of(method, fields_of(method, server), "plain")
    plain = answer(server, dict(call))
    call["path"] = call["path"].removeprefix(f"/{method.service}")
    call["headers"] |= {"Host": f"{method.service}.ap-northeast-1.gen2.gs2io.com"}
    assert stable(answer(server, call)) == stable(plain)


@pytest.mark.parametrize("method", [m for m in GS2_METHODS if m.writes], ids=[m.name for m in GS2_METHODS if m.writes])
def test_a_dry_run_answers_as_if_and_changes_nothing(server, method):
    before = server.row_counts()
    result = answer(server, request_of(method, fields_of(method, server), "plain"))
    if method.service == "freeze":
        assert result["item"]["status"] == "Updating"
        stage = server.call("GET", f"/freeze/{result['item']['name']}").json()["item"]
        assert stage["status"] == "Active"
    assert server.row_counts() == before


def test_long_answers_are_gzipped_only_when_asked(server):
    path = "/freeze/dev/progress/output?limit=1000"
    plain = server.call("GET", path, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers and len(plain.content) > 2048
    packed = server.call("GET", path, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert json.loads(packed.content) == json.loads(plain.content)
    refused = server.call("GET", path, headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in refused.headers
