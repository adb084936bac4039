"""Calls that hang before a step's first tick and later: the step ticks, keeps its limit, and names what hung."""
from __future__ import annotations

import importlib
import json
import socket
import sys
import threading
from types import SimpleNamespace

import pytest

from stages.steps import KINDS, awake, cluster, hanging, places
from stages.steps.awake import Limit
from stages.steps.base import LeaseLost, StepBroken, StepCanceled, StepFailed
from tests.conditions import until
from tests.steps.helpers import Context, running
from tests.steps.kube_steps import KIND, context


@pytest.fixture
def failure(over):
    """failure(ctx, hangs) is what the step says whose time is up once hangs() is true; it ticked all the while."""

    def act(ctx, hangs, kind=KIND) -> str:
        def tick():
            if len(ctx.ticks) > 2 and hangs():
                over()

        ctx.on_tick = tick
        with pytest.raises(StepFailed) as refusal:
            kind.run(ctx)
        assert ctx.longest_silence() < 5
        return str(refusal.value)

    return act


@pytest.fixture
def plugin(api, tmp_path, settings):
    """plugin("script") makes the kubeconfig's credential come from that program."""

    def make(script):
        path = tmp_path / "gs-auth-plugin"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        exec_ = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(path), "interactiveMode": "Never"}
        (tmp_path / "plugged").write_text(json.dumps(api.kubeconfig(exec=exec_)))
        settings.STEP_KUBECONFIGS = {"tokyo": str(tmp_path / "plugged")}

    return make


@pytest.fixture
def slow(tmp_path):
    """The text of a module whose import takes until the test ends; slow.begun: whether somebody imports it."""
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    wait = f"import os, threading\nwhile not os.path.exists({str(ended)!r}):\n    threading.Event().wait(0.01)\n"
    yield SimpleNamespace(text=f"open({str(begun)!r}, 'w').close()\n{wait}", begun=begun.exists)
    ended.touch()
    until(lambda: not any(thread.name == "step-call" for thread in threading.enumerate()), 5)


@pytest.fixture
def no_client(monkeypatch, tmp_path):
    """Let the Kubernetes client be one that was never imported, and whose modules have these texts."""
    for name in [name for name in sys.modules if name == "kubernetes" or name.startswith("kubernetes.")]:
        monkeypatch.delitem(sys.modules, name)

    folder = tmp_path / "kubernetes"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(**modules):
        for name in ("__init__", "config", "client", "late"):
            (folder / f"{name}.py").write_text(modules.get(name, ""))

    return make


@pytest.mark.parametrize("name", ["client", "config", "late"])
def test_a_slow_import_is_named_and_the_step_ticks(api, no_client, slow, failure, name):
    late = "def __getattr__(name):\n    import kubernetes.late"  # as the real one imports its parts when they are asked for
    no_client(**({"client": late} | {name: slow.text}))
    assert failure(context(), slow.begun) == (
        f"The 600 s of this step were over before the Kubernetes client was imported: it hung in the import of kubernetes.{name}."
    )


def test_a_plugin_that_hangs_is_named_and_ended_with_what_it_started(plugin, tmp_path, failure):
    plugin(f"echo $$ > {tmp_path}/pid\nsleep 77 &\necho $! > {tmp_path}/child\nwait")
    child = tmp_path / "child"
    assert failure(context(), lambda: child.exists() and child.read_text()) == (
        "The 600 s of this step were over before the kubeconfig tokyo was read:"
        " it hung in the program gs-auth-plugin, which was ended."
    )
    until(lambda: not any(running((tmp_path / name).read_text()) for name in ("pid", "child")), 5)


def test_a_cancel_ends_a_plugin_too(plugin, tmp_path):
    plugin(f"echo $$ > {tmp_path}/pid\nexec sleep 77")

    def cancel():
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            raise StepCanceled

    with pytest.raises(StepCanceled):
        KIND.run(context(on_tick=cancel))
    assert not running((tmp_path / "pid").read_text())


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo no such profile >&2; exit 3", "can not be used: exec: process returned 3. no such profile."),
        ("echo nonsense", "can not be used: exec: failed to decode process output"),
        ("echo '{}'", "can not be used: exec: malformed response. missing key 'apiVersion'"),
    ],
)
def test_a_plugin_that_gives_nothing_says_why(plugin, api, script, sentence):
    plugin(script)
    with pytest.raises(StepBroken, match="The kubeconfig tokyo "):
        KIND.run(context())
    try:
        KIND.run(context())
    except StepBroken as problem:
        assert sentence in str(problem)
    assert api.calls == []


def test_a_plugin_that_answers_is_used(plugin, api):
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "t"}}
    plugin(f"echo '{json.dumps(credential)}'")
    assert "2 of 2 pods ready" in KIND.run(context())


def test_a_kubeconfig_that_is_none_is_told(api, settings, tmp_path):
    (tmp_path / "text").write_text("no: kubeconfig")
    for path in ("missing", "text"):
        settings.STEP_KUBECONFIGS = {"tokyo": str(tmp_path / path)}
        with pytest.raises(StepBroken, match="The kubeconfig tokyo can not be used: "):
            KIND.run(context())


@pytest.fixture
def silent(monkeypatch):
    """The name server answers nothing; silent() says whether it was asked."""
    asked, released = threading.Event(), threading.Event()

    def lookup(*_, **__):
        asked.set()
        released.wait(10)
        raise socket.gaierror("no")

    monkeypatch.setattr(socket._socket, "getaddrinfo", lookup)
    yield asked.is_set
    released.set()


def test_a_name_server_that_does_not_answer_is_named(api, silent, failure):
    assert failure(context(), silent) == (
        "The 600 s of this step were over before the cluster tokyo answered GET deployments/lottery:"
        " it hung in the name server's answer (DNS)."
    )


def test_a_name_server_that_an_http_step_waits_for_is_named(silent, call):
    ctx = call("http://127.0.0.1:9/", request_timeout_s=1)
    with pytest.raises(StepFailed, match=r"no answer within 1 s: it hung in the name server's answer \(DNS\)\."):
        KINDS["http"].run(ctx)
    assert silent()


def test_an_api_server_that_is_silent_or_away_is_named(api, monkeypatch, failure):
    api.fail = ["hang"]
    assert failure(context(), lambda: not api.fail).endswith(
        "before the cluster tokyo answered GET deployments/lottery: it hung in the server's answer."
    )
    monkeypatch.setattr(cluster, "TIMES_S", (0.05, 0.05))
    api.fail = ["hang"] * 50
    with pytest.raises(StepFailed, match="Kubernetes did not answer GET deployments/lottery: .*timed out"):
        KIND.run(context())
    api.server.server_close()
    with pytest.raises(StepFailed, match="Kubernetes did not answer GET deployments/lottery: .*(Connection refused|timed out)"):
        KIND.run(context())


def test_aws_credentials_and_the_store_s_library_are_named(monkeypatch, settings, tmp_path, slow, silent, failure):
    settings.STEP_STORAGES = {"builds": {"BACKEND": "slow.Store"}, "cdn": {"BACKEND": "slow.Store"}}
    kind = KINDS["storage"]
    config = kind.validate({"source_store": "builds", "source": "a", "store": "cdn", "path": "b"})
    assert config["timeout_s"] == 3600
    (tmp_path / "slow.py").write_text(slow.text + "class Store: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert failure(Context(config), slow.begun, kind) == (
        "The 3600 s of this step were over before the store cdn was opened: it hung in the import of slow."
    )
    (tmp_path / "botocore").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "botocore"))
    (tmp_path / "botocore" / "credentials.py").write_text("import socket\n\ndef load(_):\n    socket.getaddrinfo('h', 1)\n")
    monkeypatch.setattr(places.storages, "create_storage", importlib.import_module("credentials").load)
    assert failure(Context(config), silent, kind).endswith(
        "before the store cdn was opened: it hung in the name server's answer (DNS) for the AWS credentials."
    )
    sys.modules.pop("credentials")


def test_what_an_idle_thread_waits_for_is_not_made_up():
    released = threading.Event()
    thread = threading.Thread(target=released.wait, daemon=True)
    thread.start()
    try:
        assert hanging.waits_for(thread) == "" and hanging.children(thread) == [] == hanging.end_children(thread)
    finally:
        released.set()
        thread.join(5)
    assert hanging.waits_for(thread) == "" and hanging.children(thread) == []


@pytest.mark.parametrize("reason", [StepCanceled, LeaseLost])
def test_a_call_that_is_given_up_is_told_and_gets_a_moment(monkeypatch, reason):
    monkeypatch.setattr(awake, "STOP_S", 0.05)
    released, told = threading.Event(), []

    def stop_now():
        raise reason

    with pytest.raises(reason):
        awake.awake(Context({}, on_tick=stop_now), lambda: released.wait(5), limit=Limit(60), before="x", stop=lambda: told.append(1))
    released.set()
    assert told == [1]
