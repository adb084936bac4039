"""Every method of the table, through the REST door, with fields that its shape takes and fields that it does not: never a 5xx."""
from __future__ import annotations

import json
import os
from urllib.parse import quote

import hypothesis
import pytest
from django.test import Client
from hypothesis import strategies

from gs2admin.identity import tokens
from gs2admin.wire.router import pieces
from gs2admin.wire.table import Auth, Method, table

SCALARS = strategies.one_of(
    strategies.none(), strategies.booleans(), strategies.integers(), strategies.floats(), strategies.text(max_size=30),
    strategies.sampled_from(["", "\0", "\ud800", "-1", "1" * 400, "grn:gs2:::", "0" * 5000, "null", "{}", "[", "\u202e", "..", "%00"]),
)  # fmt: skip
VALUES = strategies.recursive(
    SCALARS, lambda inner: strategies.lists(inner, max_size=3) | strategies.dictionaries(strategies.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
# A bound in the suite's time; `EACH=200` of the environment looks longer.
EACH = int(os.environ.get("EACH", "4"))


def calls(method: Method):
    """What is asked: {field: value} of its own fields, some of others."""
    own = [info.alias or name for name, info in method.request.model_fields.items()]
    return strategies.dictionaries(strategies.sampled_from(own) if own else strategies.text(max_size=5), VALUES, max_size=len(own) + 1)


def path_of(method: Method, fields: dict) -> str:
    path = method.path
    for name in pieces(method.path):
        value = fields.pop(name, "x")
        text = value if isinstance(value, str) else json.dumps(value)
        text = quote(text.encode("utf-8", "surrogatepass"), safe="") or "x"
        path = path.replace("{" + name + "}", text).replace("{+" + name + "}", text)
    return f"/{method.service}{path}"


@pytest.mark.django_db
@pytest.mark.parametrize("method", table().methods, ids=lambda method: method.name)
def test_no_body_and_no_parameter_is_a_fault_of_ours(method, credential, project):
    client, headers = Client(raise_request_exception=False), {}
    if method.auth is not Auth.NONE:
        headers["HTTP_AUTHORIZATION"] = f"Bearer {tokens.issue_project_token(credential[0])}"
    if method.auth is Auth.ACCESS:
        headers["HTTP_X_GS2_ACCESS_TOKEN"] = tokens.issue_access_token(project=project, user_id="u", time_offset_s=0)[0]

    @hypothesis.settings(max_examples=EACH, deadline=None, database=None, derandomize=True,
                         suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(calls(method))
    def ask(fields):
        path = path_of(method, fields)
        if method.verb in {"POST", "PUT", "PATCH"}:
            answer = client.generic(method.verb, path, json.dumps(fields), content_type="application/json", **headers)
        else:
            given = "&".join(f"{quote(key)}={quote(json.dumps(value))}" for key, value in fields.items())
            answer = client.generic(method.verb, f"{path}?{given}", **headers)
        assert answer.status_code < 500, (path, fields, answer.content)

    ask()
