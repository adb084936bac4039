"""The whole program as a person meets it: `manage.py up` on a free port, and Debian's chromium in front of it."""
from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.conditions import until
from tests.conftest import CHROMIUM, PASSWORD

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--no-sandbox", "--disable-dev-shm-usage", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]
PROJECTS = ("happy", "failing", "stopping", "moved", "twice", "race", "keys", "looks", "quiet", "long", "worker", "queues",
            "care")
PEOPLE = {"mika": "producer", "vera": "viewer", "dan": "developer", "sora": "support"}
# What a target runs: it does what files beside it say, and tells when it wrote each line.
STEP = """#!/bin/sh
here=$(dirname "$0")
echo "$GS2ADMIN_PHASE of $GS2ADMIN_SERVICE at $(date +%s%3N)"
if [ "$GS2ADMIN_PHASE" = deploy ]; then
    n=0
    while [ -e "$here/slow" ] && [ $n -lt 300 ]; do n=$((n+1)); echo "tick $n at $(date +%s%3N)"; sleep 0.2; done
    if [ -e "$here/fail" ]; then echo "no instance became <b>healthy</b>" >&2; exit 3; fi
    if [ -e "$here/many" ]; then seq -f "line %.0f" 20000; fi
fi
echo "$GS2ADMIN_PHASE is fine"
"""
SEED = """
import django, json, sys
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0, skip_checks=True)
from django.contrib.auth.hashers import make_password
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Membership, User
from gs2admin.identity.services.projects import create_project
from stages.worker import executor
from stages.setup.stages import create_stage, set_targets
from stages.rollouts.services import promote_stage
from stages.setup.versions import register_version
password = make_password({password!r})
people = [User.objects.create(username=name, password=password) for name in {people!r}]
phase = {{"command": "deploy", "timeout_s": 60, "repeatable": True}}
for name in {projects!r}:
    project = create_project(actor=SYSTEM, name=name)
    for person, role in zip(people, {roles!r}):
        Membership.objects.create(project=project, user=person, role=role)
    dev = create_stage(actor=SYSTEM, project=project, name="dev", sort_number=0)
    stg = create_stage(actor=SYSTEM, project=project, name="stg", source=dev, sort_number=50)
    create_stage(actor=SYSTEM, project=project, name="live", source=stg, sort_number=100)
    set_targets(actor=SYSTEM, stage=stg, targets=[
        {{"name": "cluster", "kind": "command", "config": {{"pre": phase, "deploy": phase, "post": phase}}}}])
    for service, version in (("auth", "3.2.2"), ("inventory", "5.3.1")):
        register_version(actor=SYSTEM, project=project, microservice=service, version=version)
    executor.run(promote_stage(actor=SYSTEM, stage=dev, reason="Nightly build").pk)
"""


@dataclass
class Server:
    """The running program. slow, fail, many: files that steer what a target's command does, per test."""

    url: str
    folder: Path
    env: dict[str, str]
    pid: int

    def python(self, code: str) -> str:
        """Run code against the same database in another process; returns what it printed."""
        code = "import django; django.setup()\n" + code
        done = subprocess.run([sys.executable, "-c", code], env=self.env, cwd=ROOT, capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def turn(self, switch: str, on: bool = True) -> None:
        """Steer the targets' command."""
        path = self.folder / "steps" / switch
        path.touch() if on else path.unlink(missing_ok=True)

    def rollouts(self, project: str) -> list[dict]:
        """The project's rollouts as [{number, stage, state}], oldest first."""
        return json.loads(self.python(
            "import json; from stages.models import Rollout\n"
            f"print(json.dumps(list(Rollout.objects.filter(project__name={project!r}).order_by('id')"
            ".values('number', 'stage__name', 'state', 'kind'))))"
        ))


@pytest.fixture(scope="package")
def server(tmp_path_factory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("up")
    steps = folder / "steps"
    steps.mkdir()
    command = steps / "deploy"
    command.write_text(STEP)
    command.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG", "DATABASE_URL")}
    env = kept | {
        "DJANGO_SETTINGS_MODULE": "gs2admin.settings", "GS2ADMIN_DATA_DIR": str(folder / "data"), "PORT": str(port),
        "GS2ADMIN_COMMANDS": f"deploy={command}", "GS2ADMIN_DEMO": "0", "PYTHONPATH": str(ROOT), "WORKERS": "2",
        "DATABASE_URL": f"sqlite:///{folder / 'e2e.sqlite3'}",
    }
    (folder / "data").mkdir()
    seed = SEED.format(password=PASSWORD, projects=PROJECTS, people=list(PEOPLE), roles=list(PEOPLE.values()))
    done = subprocess.run([sys.executable, "-c", seed], env=env, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    log = (folder / "up.log").open("wb")
    process = subprocess.Popen([sys.executable, "manage.py", "up"], env=env, cwd=ROOT, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        assert process.poll() is None, (folder / "up.log").read_text()[-3000:]
        return _ready(url)

    try:
        until(ready, 60, lambda: (folder / "up.log").read_text()[-3000:], every_s=0.1)
        yield Server(url, folder, env, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture(autouse=True)
def plain_steps(server):
    """Every test begins with a command that just works."""
    yield
    for switch in ("slow", "fail", "many"):
        server.turn(switch, on=False)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    # Package-wide and no longer: while it is open, Django takes this thread for an asynchronous one.
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture(scope="package")
def signed_in(browser, server) -> dict[str, dict]:
    """{person: browser state after sign-in}."""
    found = {}
    for name in PEOPLE:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{server.url}/login")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/p/*/")
        found[name] = context.storage_state()
        context.close()
    return found


@pytest.fixture
def opened(browser, server, signed_in, request) -> Iterator:
    """opened("mika", width=390, theme="dark") is a page of that person; what it complains about fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []
    request.node.allowed_complaints = []

    def act(person: str | None = "mika", *, width: int = 1440, theme: str = "light", script: bool = True) -> Page:
        context = browser.new_context(
            base_url=server.url, viewport={"width": width, "height": 900 if width > 600 else 844}, color_scheme=theme,
            java_script_enabled=script, storage_state=signed_in[person] if person else None,
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    expect.set_options(timeout=15_000)
    yield act
    for context in contexts:
        context.close()
    allowed = request.node.allowed_complaints
    assert [text for text in complaints if not any(word in text for word in allowed)] == []


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures go, for people to look at: GS2ADMIN_SCREENSHOTS, else var/screenshots."""
    folder = Path(os.environ.get("GS2ADMIN_SCREENSHOTS", "") or ROOT / "var" / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
