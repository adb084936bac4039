"""Where the http kind may go: addresses, names, redirects, proxies, certificates."""

import http.client
import re
import shutil
import socket
import ssl
import subprocess

import pytest

from stages.steps import KINDS, StepBroken

from .helpers import failure

run = KINDS["http"].run


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
