"""The http kind against a receiver on loopback."""

import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest

from stages.rollout.steps import KINDS, LeaseLost, StepBroken, StepCanceled, StepFailed
from stages.rollout.steps.signing import signature, signing_key

from .helpers import open_fds, wait_until

run = KINDS["http"].run


def failure(ctx, kind=StepFailed):
    with pytest.raises(kind) as caught:
        run(ctx)
    return str(caught.value)


def step_threads():
    return [thread for thread in threading.enumerate() if thread.name == "step-http"]


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


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(receiver, call, status):
    server = receiver(lambda handler: handler.reply(status, Location="/elsewhere"))
    assert "a redirect, which is not followed" in failure(call(server.url))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data",
        "//evil.example/x",
        "https://127.0.0.1/x",
        "http://127.0.0.1:1/x",
        "http://user@127.0.0.1/x",
        "file:///etc/passwd",
        "/a b",
        "/x#y",
    ],
)
def test_a_location_elsewhere_is_not_asked(receiver, call, location):
    server = receiver(lambda handler: handler.reply(202, Location=location))
    ctx = call(server.url)
    assert "named a Location that is not followed" in failure(ctx)
    assert ctx.remembered == [] and len(server.requests) == 1
    ctx.memo = {"location": location}
    assert "named a Location that is not followed" in failure(ctx)
    assert len(server.requests) == 1


def test_a_private_address_is_not_called_unless_it_is_allowed(receiver, call, settings):
    server = receiver(lambda handler: handler.reply(200))
    ctx = call(server.url)
    settings.STEP_HTTP_ALLOW = []
    assert "127.0.0.1 is a loopback address" in failure(ctx, StepBroken)
    assert server.requests == []
    settings.STEP_HTTP_ALLOW = ["127.0.0.0/8"]
    run(ctx)
    assert len(server.requests) == 1


def test_a_name_is_resolved_once_and_the_checked_address_is_called(receiver, call, settings, monkeypatch):
    server = receiver(lambda handler: handler.reply(200))
    settings.STEP_HTTP_ALLOW = ["127.0.0.1"]
    asked, connected = [], []

    def resolver(host, port, *_, **__):
        # The first answer is allowed, every later one would be the victim: DNS rebinding.
        asked.append(host)
        ip = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))]

    real = socket.socket.connect
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    monkeypatch.setattr(socket.socket, "connect", lambda self, to: (connected.append(to), real(self, to))[1])
    ctx = call(f"http://rebind.example:{server.server_port}/")
    run(ctx)
    assert asked == ["rebind.example"] and connected == [("127.0.0.1", server.server_port)]
    assert server.requests[0].headers["Host"] == f"rebind.example:{server.server_port}"
    # The next request asks again, checks again, and refuses.
    assert "rebind.example leads to 127.0.0.2, which is a loopback address" in failure(ctx, StepBroken)
    assert len(connected) == 1


def test_the_next_address_is_tried_when_one_does_not_answer(receiver, call, settings, monkeypatch):
    server = receiver(lambda handler: handler.reply(200))
    settings.STEP_HTTP_ALLOW = ["127.0.0.0/8"]
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, server.server_port)) for ip in ("127.0.0.9", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    run(call(f"http://two.example:{server.server_port}/"))
    assert len(server.requests) == 1


def test_proxies_of_the_environment_are_ignored(receiver, call, monkeypatch):
    server = receiver(lambda handler: handler.reply(200))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    run(call(server.url))


def test_nobody_there_is_a_failure_with_the_reason(call):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        ctx = call(url)
        assert failure(ctx) == f"POST {url}/ failed: Connection refused."
    assert re.fullmatch(rf"POST {url}/ -> Connection refused after \d\.\d s", ctx.texts("note")[0])


def test_an_unknown_name_is_a_failure_with_the_reason(call, monkeypatch):
    def resolver(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    assert "the name nowhere.example is not known" in failure(call("http://nowhere.example/"))


def test_what_is_not_http_is_a_failure(receiver, call):
    server = receiver(lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n"))
    assert "not HTTP" in failure(call(server.url))
    silent = receiver(lambda handler: None)
    assert "closed without an answer" in failure(call(silent.url))


@pytest.mark.parametrize("part", [b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX-Cut: ", b"HTTP/1.1 202 Go\r\nA: b\r\n"])
def test_an_answer_cut_within_its_headers_is_no_success(receiver, call, part):
    server = receiver(lambda handler: handler.wfile.write(part))
    assert "closed without an answer" in failure(call(server.url))


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
    wait_until(lambda: not step_threads(), 3, "the end of the helper thread")


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
    wait_until(lambda: not step_threads(), 2, "the end of the helper thread")
    server.closing.set()
    wait_until(lambda: open_fds() == before, 3, "every socket closed")


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
    wait_until(lambda: not step_threads(), 3, "the end of the helper thread")


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


def test_a_key_that_is_no_header_can_not_become_one(receiver, call):
    server = receiver(lambda handler: handler.reply(200))
    ctx = call(server.url)
    ctx.key = "dé\r\nX-Evil: 1/415/12"
    run(ctx)
    assert server.requests[0].headers["Idempotency-Key"] == "d%C3%A9%0D%0AX-Evil:%201/415/12"
    assert "X-Evil" not in server.requests[0].headers


@pytest.fixture
def tls(tmp_path, receiver, settings, monkeypatch):
    """A receiver with a certificate for deploy.example, which resolves to it."""
    assert shutil.which("openssl"), "these tests make a certificate with the openssl command"
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=deploy.example"]
        + ["-addext", "subjectAltName=DNS:deploy.example", "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    server = receiver(lambda handler: handler.reply(200))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    asked = []
    context.sni_callback = lambda sock, name, _: asked.append(name)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, port, *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))],
    )
    return server, certificate, asked


def test_tls_verifies_the_name_not_the_address(tls, call, monkeypatch):
    server, certificate, asked = tls
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    run(call(f"https://deploy.example:{server.server_port}/"))
    assert asked == ["deploy.example"] and len(server.requests) == 1
    said = failure(call(f"https://other.example:{server.server_port}/"))
    assert "the certificate of other.example was not accepted: Hostname mismatch" in said
    assert len(server.requests) == 1


def test_tls_refuses_an_unknown_certificate(tls, call):
    server, _, _ = tls
    assert "was not accepted: self-signed certificate" in failure(call(f"https://deploy.example:{server.server_port}/"))
    assert server.requests == []


def test_http_client_is_not_asked_to_connect_by_itself(receiver, call, monkeypatch):
    server = receiver(lambda handler: handler.reply(200))
    monkeypatch.setattr(http.client.HTTPConnection, "connect", lambda self: pytest.fail("connected by name"))
    run(call(server.url))
