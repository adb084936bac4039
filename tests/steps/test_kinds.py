"""The kinds there are, and what their settings may be."""

import pytest

from gs2admin.errors import Invalid
from stages.steps import KINDS, StepKind
from stages.steps.signing import with_signing

from .helpers import Context


def refusal(kind, config):
    with pytest.raises(Invalid) as caught:
        KINDS[kind].validate(config)
    return caught.value.sentence


def test_every_kind_is_one():
    assert list(KINDS) == ["pin", "command", "http", "storage", "kubernetes"]
    for name, kind in KINDS.items():
        assert isinstance(kind, StepKind) and kind.name == name and kind.label


def test_pin_passes_at_once_and_may_always_be_repeated():
    ctx = Context(KINDS["pin"].validate(None))
    assert ctx.config == {} == KINDS["pin"].validate({})
    assert "pin" in KINDS["pin"].run(ctx)
    assert KINDS["pin"].repeatable({}, {}) is True
    assert ctx.lines == []


def test_pin_takes_no_settings():
    assert "remove it" in refusal("pin", {"url": "http://x"})


def test_command_settings_get_their_defaults(allow):
    allow("deploy", "exit 0")
    config = KINDS["command"].validate({"command": "deploy"})
    assert config == {"command": "deploy", "timeout_s": 600, "repeatable": False}
    assert KINDS["command"].repeatable(config, {}) is False
    assert KINDS["command"].repeatable({**config, "repeatable": True}, {}) is True


def test_without_allowed_commands_the_refusal_says_what_to_set():
    assert "GS2ADMIN_COMMANDS is empty" in refusal("command", {"command": "deploy"})


def test_an_unknown_command_is_refused_with_the_names_there_are(allow):
    allow("deploy", "exit 0")
    allow("check", "exit 0")
    assert refusal("command", {"command": "rm"}) == "There is no command called 'rm': choose one of check, deploy."
    assert "choose one of check, deploy" in refusal("command", {})


def test_an_allowed_command_that_can_not_run_is_refused(allow, settings, tmp_path):
    allow("deploy", "exit 0").chmod(0o644)
    assert "chmod +x" in refusal("command", {"command": "deploy"})
    settings.STEP_COMMANDS = {"gone": str(tmp_path / "gone"), "near": "bin/near", "folder": str(tmp_path)}
    assert "there is no file" in refusal("command", {"command": "gone"})
    assert "absolute path" in refusal("command", {"command": "near"})
    assert "there is no file" in refusal("command", {"command": "folder"})


@pytest.mark.parametrize("value", [0, -1, 21601, 1.5, "600", True])
def test_a_command_timeout_has_limits(allow, value):
    allow("deploy", "exit 0")
    assert "from 1 to 21600" in refusal("command", {"command": "deploy", "timeout_s": value})


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"command": "deploy", "args": ["-rf"]}, "does not know the setting args"),
        ({"command": "deploy", "repeatable": "yes"}, "true or false"),
        ({"command": ["deploy"]}, "choose one of"),
        (["deploy"], "JSON object"),
    ],
)
def test_other_command_settings_are_refused(allow, config, says):
    allow("deploy", "exit 0")
    assert says in refusal("command", config)


def test_http_settings_get_their_defaults():
    config = KINDS["http"].validate({"url": " https://deploy.example.com/hook?team=1 "})
    assert config == {
        "url": "https://deploy.example.com/hook?team=1",
        "timeout_s": 60,
        "request_timeout_s": 10,
        "poll_interval_s": 2,
        "repeatable": False,
    }


def test_http_is_repeatable_as_said_or_once_there_is_a_location():
    kind = KINDS["http"]
    assert kind.repeatable({"repeatable": False}, {}) is False
    assert kind.repeatable({"repeatable": True}, {}) is True
    assert kind.repeatable({"repeatable": False}, {"location": "https://deploy.example.com/1"}) is True


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "url is missing"),
        (None, "url is missing"),
        (7, "url is missing"),
        ("deploy.example.com/hook", "must begin with https://"),
        ("ftp://example.com/", "must begin with https://"),
        ("file:///etc/passwd", "must begin with https://"),
        ("https://user:pass@example.com/", "user name or password"),
        ("https://@example.com/", "user name or password"),
        ("https://example.com/#there", "fragment"),
        ("https://exa mple.com/", "printable ASCII"),
        ("https://example.com/\r\nHost: evil", "printable ASCII"),
        ("https://exämple.com/", "printable ASCII"),
        ("https://example.com\\@evil.example/", "printable ASCII"),
        ("https:///path", "check its host and port"),
        ("https://:443/", "check its host and port"),
        ("https://example.com:0/", "check its host and port"),
        ("https://example.com:99999/", "check its host and port"),
        ("https://example.com:port/", "check its host and port"),
        ("https://[::1/", "check its host and port"),
        ("https://[fe80::1%eth0]/", "check its host and port"),
        ("https://example.com/" + "x" * 2000, "too long"),
        ("http://10.1.2.3/", "is a private address"),
        ("http://[::1]:8000/", "is a loopback address"),
        ("http://169.254.169.254/latest/meta-data", "is a link-local address"),
        ("http://[::ffff:10.0.0.1]/", "is a private address"),
        ("http://localhost:8000/", "is a loopback address"),
        ("http://db.localhost/", "is a loopback address"),
    ],
)
def test_a_url_that_may_not_be_called_is_refused(settings, url, says):
    settings.STEP_HTTP_ALLOW = []
    assert says in refusal("http", {"url": url})


def test_a_private_url_may_be_called_when_its_host_or_network_is_allowed(settings):
    settings.STEP_HTTP_ALLOW = ["localhost", "10.0.0.0/8", "fd00::/8"]
    for url in ("http://LOCALHOST.:8000/x", "http://10.1.2.3/", "http://[::ffff:10.0.0.1]/", "http://[fd00::7]/"):
        KINDS["http"].validate({"url": url})
    assert "loopback" in refusal("http", {"url": "http://127.0.0.1/"})


@pytest.mark.parametrize(("field", "high"), [("timeout_s", 3600), ("request_timeout_s", 10), ("poll_interval_s", 60)])
def test_http_times_have_limits(field, high):
    for value in (0, high + 1, "5", False):
        assert f"from 1 to {high}" in refusal("http", {"url": "https://example.com/", field: value})


def test_nobody_can_choose_the_signing_key_by_hand():
    config = KINDS["http"].validate({"url": "https://example.com/"})
    signed = with_signing(config, target_uid="tokyo-7", rotation=2)
    assert signed["signing"] == {"target_uid": "tokyo-7", "rotation": 2} and "signing" not in config
    assert "does not know the setting signing" in refusal("http", signed)
