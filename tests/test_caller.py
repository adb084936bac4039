"""Who is calling: what trusted proxies wrote counts, from the right, and nothing else."""
from __future__ import annotations

import json
import logging
import subprocess
import sys

import httpx
import pytest
from django.conf import settings as real

from gs2admin.caller import Ambiguous, Caller, find
from gs2admin.env import Env, network_of
from tests.conditions import until
from tests.upgrade.program import free_port

TRUSTED = [network_of(word) for word in ("127.0.0.1", "::1", "10.0.0.0/8", "2001:db8:f::/48")]


def ask(peer: str, plain: str = "", standard: str = "", proto: str = "") -> Caller:
    given = {"HTTP_X_FORWARDED_FOR": plain, "HTTP_FORWARDED": standard, "HTTP_X_FORWARDED_PROTO": proto}
    return find({"REMOTE_ADDR": peer, **{name: value for name, value in given.items() if value}}, TRUSTED)


@pytest.mark.parametrize("peer", ["203.0.113.9", "::ffff:203.0.113.9", "2001:db8::9", "fe80::1%eth0"])
@pytest.mark.parametrize("headers", [
    {"plain": "198.51.100.1"}, {"standard": "for=198.51.100.1"}, {"plain": "rubbish"}, {"standard": 'for="'}, {"proto": "https"},
    {"plain": "198.51.100.1", "standard": "for=198.51.100.2"}, {"plain": "127.0.0.1"}, {"plain": "10.0.0.1, 10.0.0.2"},
], ids=str)
def test_a_peer_that_is_no_trusted_proxy_is_the_client_whatever_it_says(peer, headers):
    assert ask(peer, **headers) == Caller(peer.removeprefix("::ffff:").partition("%")[0])


PLAIN = [
    ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
    ("::1", "198.51.100.1", "198.51.100.1"),
    ("::ffff:10.1.2.3", "198.51.100.1", "198.51.100.1"),
    ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
    ("10.0.0.1", "127.0.0.1, 198.51.100.1", "198.51.100.1"),
    ("10.0.0.1", "rubbish, <script>, 198.51.100.1", "198.51.100.1"),
    ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
    ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2,10.9.9.9", "198.51.100.1"),
    ("10.0.0.1", "6.6.6.6, 198.51.100.1, 2001:db8:f::7", "198.51.100.1"),
    ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
    ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
    ("10.0.0.1", "[2001:db8::9]:4711", "2001:db8::9"),
    ("10.0.0.1", "[2001:db8::9]", "2001:db8::9"),
    ("10.0.0.1", "2001:db8::9", "2001:db8::9"),
    ("10.0.0.1", "2001:DB8:0:0:0:0:0:9", "2001:db8::9"),
    ("10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
    ("10.0.0.1", "[::ffff:c633:6401]:80", "198.51.100.1"),
    ("10.0.0.1", "198.51.100.1, ::ffff:10.0.0.2", "198.51.100.1"),
    ("10.0.0.1", '"198.51.100.1"', "198.51.100.1"),
    ("10.0.0.1", '"[2001:db8::9]:80"', "2001:db8::9"),
    ("10.0.0.1", "fe80::7%eth1", "fe80::7"),
    ("10.0.0.1", "198.51.100.1,,  ,", "198.51.100.1"),
    ("10.0.0.1", " ,, ", "10.0.0.1"),
    ("10.0.0.1", "unknown", "10.0.0.1"),
    ("10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"),
    ("10.0.0.1", "198.51.100.1, _hidden, 10.0.0.2", "10.0.0.2"),
    ("10.0.0.1", "198.51.100.1, Unknown:80", "10.0.0.1"),
    ("10.0.0.1", "", "10.0.0.1"),
    ("", "198.51.100.1", "198.51.100.1"),
    ("", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
    ("", "", ""),
    ("", "_unix", ""),
]


@pytest.mark.parametrize(("peer", "header", "client"), PLAIN)
def test_x_forwarded_for(peer, header, client):
    assert ask(peer, plain=header).address == client


STANDARD = [
    ("10.0.0.1", "for=198.51.100.1", "198.51.100.1"),
    ("10.0.0.1", "For=198.51.100.1;proto=https;by=10.0.0.1", "198.51.100.1"),
    ("10.0.0.1", "for=6.6.6.6, for=198.51.100.1", "198.51.100.1"),
    ("10.0.0.1", "for=6.6.6.6,for=198.51.100.1 , for=10.0.0.2", "198.51.100.1"),
    ("10.0.0.1", 'for="198.51.100.1:4711"', "198.51.100.1"),
    ("10.0.0.1", "for=198.51.100.1:4711", "198.51.100.1"),
    ("10.0.0.1", 'for="[2001:db8::9]"', "2001:db8::9"),
    ("10.0.0.1", 'for="[2001:db8::9]:_port"', "2001:db8::9"),
    ("10.0.0.1", 'for="[2001:db8\\::9]"', "2001:db8::9"),
    ("10.0.0.1", "for=[2001:db8::9]:4711", "2001:db8::9"),
    ("10.0.0.1", 'for="[::ffff:198.51.100.1]:1"', "198.51.100.1"),
    ("10.0.0.1", 'for=6.6.6.6, for=198.51.100.1, for="[2001:db8:f::7]:5"', "198.51.100.1"),
    ("10.0.0.1", "for=unknown", "10.0.0.1"),
    ("10.0.0.1", "for=6.6.6.6, for=_SEVKISEK", "10.0.0.1"),
    ("10.0.0.1", "for=6.6.6.6, proto=https", "10.0.0.1"),
    ("10.0.0.1", 'for="a, for=b", for=198.51.100.1', "198.51.100.1"),
    ("10.0.0.1", 'for="a\\", for=b", for=198.51.100.1', "198.51.100.1"),
    ("10.0.0.1", "for=6.6.6.6;;, ,for=198.51.100.1;", "198.51.100.1"),
    ("10.0.0.1", "host=a;ext=b;for=198.51.100.1", "198.51.100.1"),
    ("", 'for=198.51.100.1, for="10.0.0.2"', "198.51.100.1"),
]


@pytest.mark.parametrize(("peer", "header", "client"), STANDARD)
def test_forwarded(peer, header, client):
    assert ask(peer, standard=header).address == client


@pytest.mark.parametrize("header", [
    'for="6.6.6.6, for=198.51.100.1', 'for="x, for="[2001:db8::9]"', 'x="\\, for="[2001:db8::9]:4"', "for", "for=", "=1.2.3.4",
    "for=a b", "for=1.2.3.4 for=5.6.7.8", 'for=1.2.3.4"', "for=6.6.6.6;for=198.51.100.1", "for=/, for=198.51.100.1",
    "for=198.51.100.256", "for=nobody", 'for="[::g]"', 'for="198.51.100.1:123456"', 'for="[198.51.100.1]x"', 'for="a\x01"',
])  # fmt: skip
def test_a_forwarded_that_cannot_be_read_is_refused(header):
    """Among them every way in which an open quote of the client's would swallow what the proxy wrote behind it."""
    with pytest.raises(Ambiguous):
        ask("10.0.0.1", standard=header)


@pytest.mark.parametrize("header", ["rubbish", "198.51.100.1, 300.1.1.1", "1.2.3", "[2001:db8::9", "a, 10.0.0.1:99999999, 10.0.0.2", "é"])
def test_an_unreadable_entry_of_a_trusted_proxy_is_refused(header):
    with pytest.raises(Ambiguous):
        ask("10.0.0.1", plain=header)


def test_both_headers_count_only_when_they_agree():
    assert ask("10.0.0.1", "6.6.6.6, 198.51.100.1", 'for=7.7.7.7, for="198.51.100.1:3"').address == "198.51.100.1"
    for standard in ("for=198.51.100.2", "for=unknown", "for=10.0.0.2"):
        with pytest.raises(Ambiguous, match="two different clients"):
            ask("10.0.0.1", "198.51.100.1", standard)


@pytest.mark.parametrize(("headers", "scheme"), [
    ({"proto": "https"}, "https"), ({"proto": "HTTPS"}, "https"), ({"proto": "wss"}, "https"), ({"proto": "http"}, "http"),
    ({"proto": "ftp"}, "http"), ({}, ""),
    ({"plain": "198.51.100.1", "proto": "https"}, "https"),
    ({"plain": "198.51.100.1", "proto": "https, http"}, "http"),
    ({"plain": "198.51.100.1, 10.0.0.2", "proto": "https, http"}, "https"),
    ({"plain": "6.6.6.6, 198.51.100.1, 10.0.0.2", "proto": "http, https, http"}, "https"),
    ({"plain": "198.51.100.1, 10.0.0.2", "proto": "https"}, "https"),
    ({"standard": "for=6.6.6.6;proto=https, for=198.51.100.1;proto=http"}, "http"),
    ({"standard": "for=198.51.100.1;proto=https, for=10.0.0.2;proto=http"}, "https"),
    ({"standard": "for=198.51.100.1", "proto": "https"}, "https"),
    ({"standard": "for=198.51.100.1;proto=https", "proto": "https"}, "https"),
], ids=str)
def test_the_scheme_is_what_the_proxy_nearest_to_the_client_says(headers, scheme):
    assert ask("10.0.0.1", **headers).scheme == scheme


def test_two_different_schemes_are_refused():
    with pytest.raises(Ambiguous, match="schemes"):
        ask("10.0.0.1", standard="for=198.51.100.1;proto=https", proto="http")


def test_a_long_chain_is_walked_no_further_than_any_chain_is_long():
    assert ask("10.0.0.1", plain="198.51.100.1, " + ", ".join(["10.0.0.2"] * 4000)).address == "10.0.0.2"
    assert ask("10.0.0.1", standard="for=198.51.100.1, " + ", ".join(["for=10.0.0.2"] * 4000)).address == "10.0.0.2"


@pytest.mark.parametrize(("words", "found"), [
    ("10.0.0.1", ["10.0.0.1/32"]), ("10.1.2.3/8, ::1", ["10.0.0.0/8", "::1/128"]), ("::ffff:10.0.0.0/104", ["10.0.0.0/8"]),
    ("", ["127.0.0.1/32", "::1/128"]), ("fd00::/8", ["fd00::/8"]),
])  # fmt: skip
def test_the_setting_takes_addresses_and_networks(words, found):
    env = Env({"FORWARDED_ALLOW_IPS": words})
    assert [str(one) for one in env.networks("FORWARDED_ALLOW_IPS", ("127.0.0.1", "::1"))] == found and not env.mistakes


@pytest.mark.parametrize("words", ["*", "0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96", "proxy.example.com", "10.0.0.0/33", "10.0.0.1:80"])
def test_the_setting_refuses_everybody_and_names(words):
    env = Env({"FORWARDED_ALLOW_IPS": words})
    env.networks("FORWARDED_ALLOW_IPS", ())
    assert len(env.mistakes) == 1 and words in env.mistakes[0]


def test_the_log_has_the_client_and_nobody_behind_sees_the_headers(client, caplog, settings):
    settings.TRUSTED_PROXIES = TRUSTED
    with caplog.at_level(logging.DEBUG, "gs2admin.access"):
        answer = client.get("/healthz", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="6.6.6.6, 198.51.100.1", HTTP_X_FORWARDED_PROTO="https")
    assert caplog.records[-1].ip == answer.wsgi_request.META["REMOTE_ADDR"] == "198.51.100.1"
    assert answer.wsgi_request.scheme == "https"
    assert not [name for name in answer.wsgi_request.META if "FORWARDED" in name]


def test_a_stranger_cannot_say_that_the_request_came_by_https(client, settings):
    settings.TRUSTED_PROXIES = TRUSTED
    answer = client.get("/healthz", REMOTE_ADDR="203.0.113.9", HTTP_X_FORWARDED_PROTO="https", HTTP_FORWARDED="for=1.1.1.1;proto=https")
    assert not answer.wsgi_request.is_secure() and answer.wsgi_request.META["REMOTE_ADDR"] == "203.0.113.9"
    assert not [name for name in answer.wsgi_request.META if "FORWARDED" in name]


@pytest.mark.parametrize("path", ["/login", "/freeze/stage", "/healthz", "/api/v1/stages", "/sourcedeploy/api/v1/project", "/v2/meshes/x"])
def test_what_cannot_be_told_is_400_at_every_door(path, client, settings):
    settings.TRUSTED_PROXIES = TRUSTED
    answer = client.get(path, REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="1.1.1.1", HTTP_FORWARDED="for=2.2.2.2")
    body = answer.json()
    sentences = {"/api/v1/": lambda: body["error"]["message"], "/source": lambda: body["error"]["details"], "/v2/mesh": lambda: body["errorMsg"]}
    own = next((sentence for start, sentence in sentences.items() if path.startswith(start)), None)
    assert answer.status_code == 400 and "two different clients" in (own() if own else body["sentence"])
    assert own or set(json.loads(body["message"])[0]) == {"component", "message", "code"}


@pytest.mark.processes
def test_gunicorn_has_no_other_opinion(tmp_path, children):
    """The real server, behind a network of proxies: whose address and scheme count is decided here alone."""
    port, log = free_port(), tmp_path / "log"
    env = {"PATH": "/usr/bin:/bin", "GS2ADMIN_DATA_DIR": str(tmp_path), "PORT": str(port), "WEB_WORKERS": "1", "HTTPS": "1",
           "FORWARDED_ALLOW_IPS": "::ffff:127.0.0.0/104, 10.0.0.0/8"}  # fmt: skip
    with log.open("wb") as output:
        server = subprocess.Popen([sys.executable, "-m", "gunicorn"], cwd=real.BASE_DIR, env=env, stdout=output, stderr=output)
    children.append(server)

    def get(path: str, **headers: str) -> httpx.Response | None:
        try:
            return httpx.get(f"http://127.0.0.1:{port}{path}", headers={"Host": "localhost"} | headers, timeout=10, trust_env=False)
        except httpx.TransportError:
            return None

    until(lambda: get("/healthz"), 60, log.read_text)
    chain = {"X-Forwarded-For": "6.6.6.6, 198.51.100.1, 10.0.0.2"}
    assert get("/freeze/nothing", **chain).status_code == 401
    assert get("/theme", **chain).status_code == 301, "by http: to https"
    assert get("/theme", **chain, **{"X-Forwarded-Proto": "https"}).status_code == 405
    assert get("/theme", **chain, **{"X-Forwarded-Ssl": "on"}).status_code == 301
    assert get("/theme", Forwarded="for=198.51.100.1;proto=https").status_code == 405
    assert get("/theme", **chain, Forwarded="for=1.1.1.1").status_code == 400
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    asked = [line["ip"] for line in lines if line.get("logger") == "gs2admin.access"]
    assert asked == ["198.51.100.1"] * 5 + ["127.0.0.1"]
