"""A part of JSON text is changed; the rest stays as it was written."""
from __future__ import annotations

import json

import pytest

from gs2admin.json_merge import merged


@pytest.mark.parametrize(("text", "patch", "wanted"), [
    ('{}', {"a": 1}, '{"a": 1}'),
    ('{"a":1.10 , "b":2E5}', {"c": "ü"}, '{"a": 1.10, "b": 2E5, "c": "ü"}'),
    ('{"a":1,"b":2}', {"a": None, "x": None}, '{"b": 2}'),
    ('{"a":{"b":{"c":1,"d":[1, 2]}}}', {"a": {"b": {"c": 2}}}, '{"a": {"b": {"c": 2, "d": [1, 2]}}}'),
    ('{"a":1,"b":0,"a":2}', {"a": 3}, '{"a": 3, "b": 0}'),
    ('{"a":"x, }\\" y","b":"\\u00e9"}', {"b": "z"}, '{"a": "x, }\\" y", "b": "z"}'),
    ('{"a":[1]}', {"a": {"b": 1}}, '{"a": {"b": 1}}'),
    (' { "\\u0061" : 1 } ', {"a": 2}, '{"a": 2}'),
    ('{"a":9007199254740993}', {"b": {"c": None}}, '{"a": 9007199254740993, "b": {}}'),
])
def test_merged(text, patch, wanted):
    assert merged(text, patch) == wanted
    json.loads(wanted)


def test_what_is_not_json_is_refused():
    with pytest.raises(ValueError):
        merged('{"a":', {"a": 1})
