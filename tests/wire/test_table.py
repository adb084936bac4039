"""The table itself: routes, duplicates, the OpenAPI document."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from openapi_spec_validator import validate

from gs2admin.wire.location import locate, piece
from gs2admin.wire.openapi import document
from gs2admin.wire.openapi_plain import plain
from gs2admin.wire.protocol import protocols
from gs2admin.wire.shapes import Nothing, Result, Shape, Text, field, parse
from gs2admin.wire.table import Method, Table, table


class Mutex(Shape):
    namespace_name: Text = field("lock.namespace.name", max_length=128)
    user_id: Text = field("lock.mutex.userId", max_length=128)
    property_id: Text = field("lock.mutex.propertyId", max_length=1024)


class Done(Result):
    pass


def method(function: str, verb: str, path: str, request=Mutex) -> Method:
    return Method("lock", "mutex", function, verb, path, request, Done, lambda call, request: {}, "x")


MUTEX = "/{namespaceName}/user/{userId}/mutex/{+propertyId}"
LOCK = [
    method("getMutex", "GET", MUTEX),
    method("lock", "POST", MUTEX + "/lock"),
    method("unlock", "POST", MUTEX + "/unlock"),
    method("anything", "GET", "/{namespaceName}/{userId}", Mutex),
    method("getServiceVersion", "GET", "/system/version", Nothing),
]


def found(target: str, verb: str = "GET"):
    where = locate({"RAW_URI": target})
    match = Table(LOCK).find(where.service, verb, where.path)
    return match and (match[0].function, tuple(piece(value, "lock") for value in match[2]))


@pytest.mark.parametrize(
    "target, verb, expected",
    [
        ("/lock/ns/user/u/mutex/a/b//c/", "GET", ("getMutex", ("ns", "u", "a/b//c/"))),
        ("/lock/ns/user/u/mutex/a%2Fb", "GET", ("getMutex", ("ns", "u", "a/b"))),
        ("/lock/ns/user/u/mutex/a/lock/lock", "POST", ("lock", ("ns", "u", "a/lock"))),
        ("/lock/ns/user/u/mutex/a/lock/unlock", "POST", ("unlock", ("ns", "u", "a/lock"))),
        ("/lock/ns/user/u/mutex/grn:gs2:r:o:x:y/lock", "POST", ("lock", ("ns", "u", "grn:gs2:r:o:x:y"))),
        ("/lock/ns/user/me/mutex/100%/lock", "POST", ("lock", ("ns", "me", "100%"))),
        ("/lock/ns/user/u/mutex/100%25/lock", "POST", ("lock", ("ns", "u", "100%"))),
        ("/lock/ns/user/u/mutex/a+b/lock", "POST", ("lock", ("ns", "u", "a+b"))),
        ("/lock/null/user/null/mutex/null/lock", "POST", ("lock", (None, None, None))),
        ("/lock/ns/user/u/mutex/%E5%88%A9/lock", "POST", ("lock", ("ns", "u", "利"))),
        ("/lock/ns/user/u/mutex//lock", "POST", ("lock", ("ns", "u", None))),
        ("/lock/system/version", "GET", ("getServiceVersion", ())),
        ("/lock/other/version", "GET", ("anything", ("other", "version"))),
        ("/lock/ns/user/u/mutex/a/lock", "PUT", None),
        ("/lock/ns/user/u", "GET", None),
    ],
)
def test_paths_are_compiled_greedily_and_fixed_ones_win(target, verb, expected):
    assert found(target, verb) == expected


def test_nothing_is_declared_twice():
    for twin in (replace(LOCK[0]), replace(LOCK[0], function="other")):
        with pytest.raises(ValueError, match="declared twice"):
            Table([*LOCK, twin])
    with pytest.raises(ValueError, match="not in its request"):
        Table([method("get", "GET", "/{somethingElse}")])


@pytest.mark.parametrize(
    "meta, service",
    [
        ({"RAW_URI": "/freeze/"}, "freeze"),
        ({"RAW_URI": "/freezer/"}, None),
        ({"RAW_URI": "//freeze/"}, None),
        ({"RAW_URI": "*"}, None),
        ({"RAW_URI": "/pre/lock/x", "SCRIPT_NAME": "/pre"}, "lock"),
        ({"RAW_URI": "http://h/auth/login?x"}, "auth"),
        ({"PATH_INFO": "/lock/x"}, "lock"),
        ({"RAW_URI": "/", "HTTP_HOST": "freeze.us-east-1.gen2.gs2io.com:443"}, "freeze"),
        ({"RAW_URI": "/", "HTTP_HOST": "auth.example.com"}, None),
        ({"RAW_URI": "/", "HTTP_HOST": "JOB-QUEUE.my-region-9.games.example"}, "job-queue"),
        ({"RAW_URI": "/", "HTTP_HOST": "auth.eu.gen2.gs2io.com"}, "auth"),
        ({"RAW_URI": "/api/v1/stages"}, "api"),
        ({"RAW_URI": "/p/freeze/"}, None),
        ({}, None),
    ],
)
def test_only_the_tables_paths_are_taken(meta, service):
    where = locate(meta)
    assert (where and where.service) == service


def test_the_decoded_path_serves_where_there_is_no_raw_one():
    where = locate({"PATH_INFO": "/lock/ns/user/u/mutex/\xe5\x88\xa9%41"})
    assert piece(where.path.rsplit("/", 1)[1], "lock") == "利%41"


def test_text_numbers_and_booleans_are_taken_and_nested_words_are_found():
    class Job(Shape):
        script_id: Text = field("jobQueue.job.scriptId", max_length=10)

    class Push(Shape):
        jobs: list[Job] = field("jobQueue.job.jobs", max_length=2)

    assert parse(Push, {"jobs": [{"scriptId": "a", "args": None}]}).jobs[0].script_id == "a"
    for jobs, message in (
        ([{"scriptId": "a" * 11}], "jobQueue.job.scriptId.error.tooLong"),
        ([{}], "jobQueue.job.scriptId.error.require"),
        ([{"scriptId": "a"}] * 3, "jobQueue.job.jobs.error.tooMany"),
        ("x", "jobQueue.job.jobs.error.invalid"),
        ([1], "jobQueue.job.jobs.error.invalid"),
    ):
        with pytest.raises(Exception) as refused:
            parse(Push, {"jobs": jobs})
        assert refused.value.problems[0].message == message


def test_the_document_of_the_whole_table_is_valid_openapi():
    made = json.loads(json.dumps(document()))
    validate(made)
    operations = {item["operationId"] for path in made["paths"].values() for item in path.values()}
    published = {f"{protocol.name}.{route.name}" for protocol in protocols() for route in protocol.routes}
    assert operations == {m.name for m in table().methods} | published | {f"plain.{one.name}" for one in plain()}
    assert made["openapi"] == "3.1.0"


def test_every_method_has_words_for_people():
    for declared in [*table().methods, *(route for protocol in protocols() for route in protocol.routes)]:
        assert declared.summary and declared.handler.__doc__, declared.name
