"""The log: one JSON object per line, with the request's id, and without anything secret."""
import io
import json
import logging
from datetime import UTC, datetime

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from pythonjsonlogger.json import JsonFormatter

from gs2admin import logs


@pytest.fixture
def lines():
    """What is logged, as parsed lines."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.Formatter())
    logger = logging.getLogger("gs2admin")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.removeHandler(handler)
    logger.setLevel(before)


def ask(path="/p/isles/?token=hush", answer=None, **headers):
    request = RequestFactory().post(path, "password=hush", content_type="text/plain", headers=headers)
    return logs.RequestLogMiddleware(answer or (lambda request: HttpResponse("hush")))(request)


def test_a_request_is_one_line_without_query_headers_or_bodies(lines):
    ask(authorization="Bearer hush")
    line, = lines()
    assert set(line) == {"time", "level", "logger", "message", "request_id", "method", "path", "status", "ms", "ip"}
    assert (line["level"], line["logger"], line["message"]) == ("info", "gs2admin.access", "POST /p/isles/ 200")
    assert (line["method"], line["path"], line["status"]) == ("POST", "/p/isles/", 200)
    assert "hush" not in json.dumps(line)


def test_the_id_of_a_request_is_in_its_lines_and_in_its_answer(lines):
    def answer(request):
        logging.getLogger("gs2admin.anything").info("within", extra={"rollout": 415})
        return HttpResponse()

    response = ask(answer=answer, x_request_id="build-42.eu_1")
    within, access = lines()
    assert response.headers["X-Request-ID"] == within["request_id"] == access["request_id"] == "build-42.eu_1"
    assert within["rollout"] == 415
    logging.getLogger("gs2admin.anything").info("outside")
    assert "request_id" not in lines()[-1]


@pytest.mark.parametrize("given", ["", "short", "x" * 65, "with space in it", 'quote"quote"', "line\nfeed-line"])
def test_an_id_that_could_do_harm_is_replaced(given):
    made = logs.sane_request_id(given)
    assert made != given
    assert logs.sane_request_id(made) == made


def test_probes_and_static_files_do_not_fill_the_log(lines):
    for path in ("/healthz", "/readyz", "/static/app.css"):
        ask(path)
    assert {line["level"] for line in lines()} == {"debug"}


def test_the_request_object_that_django_attaches_is_left_out(lines):
    request = RequestFactory().get("/?token=hush")
    logging.getLogger("gs2admin.x").error("failed", extra={"request": request, "status_code": 500})
    assert lines()[0]["status_code"] == 500
    assert "hush" not in json.dumps(lines())


def test_a_signed_in_person_is_named_by_number(lines, producer):
    def answer(request):
        request._cached_user = producer
        return HttpResponse()

    ask(answer=answer)
    assert lines()[0]["user_id"] == producer.pk


class Odd:
    """Nothing that JSON knows."""


@pytest.mark.parametrize("extra", [
    {}, {"rollout": 415, "user": "é\u202e", "none": None, "_hidden": 1}, {"request": object(), "at": datetime(2026, 1, 2, tzinfo=UTC)},
    {"problem": Odd(), "kind": Odd, "many": {"a": [1, 2.5, b"x"]}},
])
@pytest.mark.parametrize("message, words", [("plain", ()), ("%s of %d", ("a\nline", 3)), ('"quoted" \\ \x00', ())])
def test_the_short_way_to_a_line_leads_to_the_same_line(message, words, extra):
    """As the base class makes it."""
    formatter, mark = logs.Formatter(), logs.REQUEST_ID.set("build-42.eu")
    try:
        record = logging.getLogger("x").makeRecord("x", logging.INFO, "f", 1, message, words, None, extra=extra)
        assert formatter._plain(record) == JsonFormatter.format(formatter, record)
    finally:
        logs.REQUEST_ID.reset(mark)
