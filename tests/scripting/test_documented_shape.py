"""Scripts of the shape that GS2 documents, for every method that a script may call: plain and _async, both error spellings."""
from __future__ import annotations

import json

import pytest

from jobqueue.execution.calls import methods

PLAIN = """client = gs2('{service}')
api_result = client.{method}({{
namespaceName="namespace-0001",
pageToken=nil,
jobs={{
{{
scriptId="script-0001",
args="{{\\"id\\": \\"9007199254740993\\"}}",
}}
}},
}})
if(api_result.isError) then
-- said by errorMessage
fail(api_result['statusCode'], api_result['errorMessage'])
end
result = api_result.result
items = result.items;
nextPageToken = result.nextPageToken;"""
ASYNC = """client = gs2 ( '{service}' )
api_result_handler = client . {method}_async ({{
namespaceName = "namespace-0001" ,
pageToken = nil ,
jobs = {{ {{ scriptId = "script-0001" , args = "{{\\"id\\": \\"9007199254740993\\"}}" , }} }} ,
}})
api_result = api_result_handler () -- waits
if ( api_result.isError ) then
-- said by message
fail ( api_result [ 'statusCode' ], api_result [ 'message' ])
end
result = api_result.result
item = result.item ;"""
ALL = [(service, method) for service, names in methods().items() for method in names]


def test_there_are_methods_to_call():
    assert {"get_stage", "promote_stage"} <= set(methods()["freeze"])


@pytest.mark.parametrize("shape", [PLAIN, ASYNC], ids=["plain", "async"])
@pytest.mark.parametrize(("service", "method"), ALL)
def test_it_runs_as_it_stands(lua, service, method, shape):
    source, asked = shape.format(service=service, method=method), []

    def call(*given):
        asked.append(given)
        return 200, '{"item":{"revision":9007199254740993},"items":[],"nextPageToken":null}'

    outcome = lua(source, methods=methods(), call=call)
    assert outcome.result == '{"item":{"revision":9007199254740993},"items":[]}'
    [(asked_service, asked_method, params)] = asked
    assert (asked_service, asked_method) == (service, method)
    assert json.loads(params) == {
        "namespaceName": "namespace-0001",
        "jobs": [{"scriptId": "script-0001", "args": '{"id": "9007199254740993"}'}],
    }
    problems = [{"component": "namespace", "message": "x.namespace.namespace.error.notFound", "code": "x"}]
    outcome = lua(source, methods=methods(), call=lambda *_: (404, json.dumps(problems)))
    assert outcome.status_code == 404 and json.loads(outcome.result) == problems
