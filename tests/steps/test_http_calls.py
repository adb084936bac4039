"""The http kind against a receiver on loopback: what it says, and what it takes an answer for."""

import json
import re
import time

import pytest

from stages.steps import KINDS, LeaseLost, StepBroken
from stages.steps.signing import signature, signing_key

from .helpers import failure

run = KINDS["http"].run


def test_it_posts_what_is_to_be_done(receiver, call):
    server = receiver(lambda handler: handler.reply(204))
    ctx = call(f"{server.url}/hook?team=a%20b&token=abc")
    before = time.time()
    assert re.fullmatch(rf"{server.url}/hook was done after \d\.\d s\.", run(ctx))
    (request,) = server.requests
    assert (request.command, request.path) == ("POST", "/hook?team=a%20b&token=abc")
    body = json.loads(request.body)
    assert before * 1000 - 1 <= body.pop("sentAt") <= time.time() * 1000
    assert body == {
        "project": "default",
        "stage": "stg",
        "microservice": "lottery",
        "oldVersion": "1.4.0",
        "newVersion": "1.5.0",
        "phase": "deploy",
        "leg": "base",
        "undo": False,
        "weight": 0,
        "colour": "",
        "target": "tokyo",
        "rollout": 415,
        "attempt": 1,
        "key": "default/415/12",
    }
    assert request.headers["Idempotency-Key"] == "default/415/12"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Host"] == server.url.removeprefix("http://")
    assert len(ctx.lines) == 1
    assert re.fullmatch(rf"POST {server.url}/hook -> 204 in \d\.\d s", ctx.texts()[0])


def test_its_signature_can_be_verified(receiver, call):
    server = receiver(lambda handler: handler.reply(200))
    run(call(server.url))
    (request,) = server.requests
    stamp = request.headers["X-Gs2admin-Timestamp"]
    assert abs(int(stamp) - time.time()) < 5
    assert request.headers["X-Gs2admin-Signature"] == signature(signing_key("tokyo-7", 1), stamp, request.body)
    assert request.headers["X-Gs2admin-Signature"] != signature(signing_key("tokyo-7", 2), stamp, request.body)


def test_a_step_without_a_key_is_not_called(receiver, call):
    server = receiver(lambda handler: handler.reply(200))
    ctx = call(server.url)
    del ctx.config["signing"]
    assert "no signing key" in failure(ctx, StepBroken)
    assert server.requests == []


def test_a_202_is_polled_until_it_is_done(receiver, call):
    answers = iter([202, 202, 200])

    def answer(handler):
        if handler.command == "POST":
            handler.reply(202, Location="/jobs/7?part=1")
        else:
            handler.reply(next(answers))

    server = receiver(answer)
    ctx = call(f"{server.url}/hook", poll_interval_s=1)
    run(ctx)
    assert [(r.command, r.path) for r in server.requests] == [("POST", "/hook")] + [("GET", "/jobs/7?part=1")] * 3
    assert ctx.remembered == [{"location": f"{server.url}/jobs/7?part=1"}]
    poll = server.requests[1]
    stamp = poll.headers["X-Gs2admin-Timestamp"]
    assert poll.headers["X-Gs2admin-Signature"] == signature(signing_key("tokyo-7", 1), stamp, b"")
    assert ctx.texts()[-1].startswith(f"GET {server.url}/jobs/7 -> 200 in ")
    assert len(ctx.lines) == 4 and ctx.longest_silence() < 2


def test_a_202_without_a_location_is_done(receiver, call):
    server = receiver(lambda handler: handler.reply(202))
    run(call(server.url))
    assert len(server.requests) == 1


def test_another_attempt_asks_on_and_does_not_post_again(receiver, call):
    server = receiver(lambda handler: handler.reply(200))
    ctx = call(f"{server.url}/hook", memo={"location": f"{server.url}/jobs/7"})
    assert KINDS["http"].repeatable(ctx.config, ctx.memo)
    run(ctx)
    assert [(r.command, r.path) for r in server.requests] == [("GET", "/jobs/7")]


def test_the_place_is_remembered_before_anything_else_can_happen(receiver, call):
    server = receiver(lambda handler: handler.reply(202, Location="/jobs/7"))
    ctx = call(server.url)

    def die():
        if ctx.remembered:
            raise LeaseLost

    ctx.on_tick = die
    with pytest.raises(LeaseLost):
        run(ctx)
    assert len(server.requests) == 1 and ctx.memo == {"location": f"{server.url}/jobs/7"}


@pytest.mark.parametrize("status", [400, 401, 404, 409, 500, 503])
def test_a_refusal_is_a_failure_with_status_and_reason(receiver, call, status):
    body = b"\n  \x1b[31mno such\x00 service\x1b[0m\r\nask <b>ops</b>\n\n3\n4\n"
    server = receiver(lambda handler: handler.reply(status, body))
    assert failure(call(f"{server.url}/hook?token=abc")) == (
        f"POST {server.url}/hook answered {status}: no such service / ask <b>ops</b> / 3"
    )


def test_a_refusal_while_polling_is_a_failure_too(receiver, call):
    def answer(handler):
        if handler.command == "POST":
            handler.reply(202, Location="jobs/7")
        else:
            handler.reply(500, b"disk full")

    server = receiver(answer)
    assert failure(call(f"{server.url}/hooks/a", poll_interval_s=1)) == (f"GET {server.url}/hooks/jobs/7 answered 500: disk full")


def test_what_is_not_http_is_a_failure(receiver, call):
    server = receiver(lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n"))
    assert "not HTTP" in failure(call(server.url))
    silent = receiver(lambda handler: None)
    assert "closed without an answer" in failure(call(silent.url))


@pytest.mark.parametrize("part", [b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX-Cut: ", b"HTTP/1.1 202 Go\r\nA: b\r\n"])
def test_an_answer_cut_within_its_headers_is_no_success(receiver, call, part):
    server = receiver(lambda handler: handler.wfile.write(part))
    assert "closed without an answer" in failure(call(server.url))


def test_a_hiccup_while_polling_is_survived_and_at_the_end_not_hidden(receiver, call):
    def answer(handler):
        if handler.command == "POST":
            handler.reply(202, Location="/jobs/7")
        elif len(server.requests) > 2 and recovers:
            handler.reply(200)

    server, recovers = receiver(answer), True
    ctx = call(server.url, poll_interval_s=1)
    run(ctx)
    assert "closed without an answer" in ctx.texts()[1]
    recovers = False
    said = failure(call(server.url, timeout_s=2, poll_interval_s=1))
    assert said.endswith("The last time it was asked: the connection was closed without an answer.")


def test_a_key_that_is_no_header_can_not_become_one(receiver, call):
    server = receiver(lambda handler: handler.reply(200))
    ctx = call(server.url)
    ctx.key = "dé\r\nX-Evil: 1/415/12"
    run(ctx)
    assert server.requests[0].headers["Idempotency-Key"] == "d%C3%A9%0D%0AX-Evil:%201/415/12"
    assert "X-Evil" not in server.requests[0].headers
