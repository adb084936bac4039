"""How long the http kind may take, whatever the other side does, and that it lets go at once when it is told to."""

import socket
import threading
import time

import pytest

from stages.steps import KINDS, LeaseLost, StepCanceled
from stages.steps.exchange import Exchange
from stages.steps.urls import parse
from tests.conditions import until

from .helpers import failure, open_fds

run = KINDS["http"].run


def step_threads():
    return [thread for thread in threading.enumerate() if thread.name == "step-http"]


def hang(handler):
    handler.hang()


def drip_headers(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    handler.drip()


def drip_continues(handler):
    handler.drip(b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize("answer", [hang, drip_headers, drip_continues])
def test_no_answer_ends_at_the_request_s_time(receiver, call, answer):
    server = receiver(answer)
    ctx = call(f"{server.url}/hook", request_timeout_s=1)
    began = time.monotonic()
    assert failure(ctx) == f"POST {server.url}/hook failed: no answer within 1 s."
    assert time.monotonic() - began < 4
    assert len(ctx.ticks) >= 5 and ctx.longest_silence() < 2
    until(lambda: not step_threads(), 3, "the end of the helper thread")


def test_our_own_hanging_up_is_no_error_of_the_other_side(receiver, settings):
    server = receiver(hang)
    url = parse(f"{server.url}/hook")
    asked = Exchange("GET", url, headers={}, body=b"", allow=settings.STEP_HTTP_ALLOW, timeout_s=5)
    until(lambda: server.requests, 3, "the request")
    asked.abort()
    assert asked.wait(3)
    assert asked.answer is None and asked.error is None


@pytest.mark.parametrize("status", [200, 500])
def test_a_dripping_body_ends_at_the_request_s_time_with_the_real_status(receiver, call, status):
    def answer(handler):
        handler.wfile.write(f"HTTP/1.1 {status} Whatever\r\n\r\nno space\n".encode())
        handler.drip()

    server = receiver(answer)
    began = time.monotonic()
    said = failure(call(server.url, request_timeout_s=1))
    assert time.monotonic() - began < 4
    if status == 200:
        assert said == f"POST {server.url}/ answered 200 but did not finish its answer in time."
    else:
        assert said.startswith(f"POST {server.url}/ answered 500: no space / xxx")


def test_the_whole_step_ends_at_its_time_whatever_a_request_may_take(receiver, call):
    server = receiver(hang)
    began = time.monotonic()
    assert "no answer within 1 s" in failure(call(server.url, timeout_s=1, request_timeout_s=10))
    assert time.monotonic() - began < 4


def test_polling_ends_at_the_step_s_time(receiver, call):
    server = receiver(lambda handler: handler.reply(202, Location="/jobs/7"))
    ctx = call(server.url, timeout_s=2, poll_interval_s=1)
    began = time.monotonic()
    assert failure(ctx) == f"{server.url}/jobs/7 was still at work when the 2 s of this step were over."
    assert 2 <= time.monotonic() - began < 4


@pytest.mark.parametrize("error", [StepCanceled, LeaseLost])
@pytest.mark.parametrize("answer", [hang, drip_headers])
def test_a_hanging_request_is_dropped_at_once_when_told_to_stop(receiver, call, answer, error):
    server = receiver(answer)
    ctx, before = call(server.url), open_fds()

    def stop():
        if server.requests:
            raise error

    ctx.on_tick = stop
    with pytest.raises(error):
        run(ctx)
    assert time.monotonic() - ctx.ticks[-1] < 2
    until(lambda: not step_threads(), 2, "the end of the helper thread")
    server.closing.set()
    until(lambda: open_fds() == before, 3, "every socket closed")


def test_waiting_between_polls_is_dropped_at_once_too(receiver, call):
    server = receiver(lambda handler: handler.reply(202, Location="/jobs/7"))
    ctx = call(server.url, poll_interval_s=60)

    def stop():
        if ctx.remembered:
            raise StepCanceled

    ctx.on_tick = stop
    with pytest.raises(StepCanceled):
        run(ctx)
    assert time.monotonic() - ctx.ticks[0] < 2


def test_a_hanging_name_server_does_not_hold_the_worker(call, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(30) and [])
    ctx = call("http://slow.example/", request_timeout_s=1)
    try:
        assert "no answer within 1 s" in failure(ctx)
        assert ctx.longest_silence() < 2
    finally:
        release.set()
    until(lambda: not step_threads(), 3, "the end of the helper thread")


@pytest.mark.parametrize("status", [200, 500])
def test_an_endless_body_is_read_only_in_part(receiver, call, status):
    sent = []

    def answer(handler):
        handler.wfile.write(f"HTTP/1.1 {status} Whatever\r\n\r\nfirst line\n".encode())
        try:
            while not handler.server.closing.is_set():
                handler.wfile.write(b"x" * 65536)
                sent.append(65536)
        except OSError:
            pass

    server = receiver(answer)
    ctx = call(server.url)
    began = time.monotonic()
    if status == 200:
        run(ctx)
    else:
        assert failure(ctx).startswith(f"POST {server.url}/ answered 500: first line / xxx")
    assert time.monotonic() - began < 5
    assert sum(sent) < 20_000_000  # what two socket buffers hold
