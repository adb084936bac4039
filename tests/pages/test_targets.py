"""Targets of a stage: added, changed, moved, removed; the signing key of an HTTP target is shown once."""
from __future__ import annotations

import pytest
from django.urls import reverse

from gs2admin.audit.models import Activity
from gs2admin.identity.actors import SYSTEM
from stages.models import Stage, Target
from stages.setup.stages import create_stage
from stages.setup.targets import move_target, save_target
from stages.steps.signing import signing_key

pytestmark = pytest.mark.django_db
HOOK = "https://deploy.example.com/hook"


@pytest.fixture
def stage(project) -> Stage:
    return create_stage(actor=SYSTEM, project=project, name="stg")


@pytest.fixture
def page(project, stage):
    return lambda name="stage-targets", **more: reverse(name, kwargs={"project": project.name, "stage": stage.name, **more})


@pytest.fixture
def mika(client, producer):
    client.force_login(producer)
    return client


@pytest.fixture
def command(settings, tmp_path):
    path = tmp_path / "deploy"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    settings.STEP_COMMANDS = {"deploy": str(path), "check": str(path)}


@pytest.fixture
def hook(stage):
    return save_target(actor=SYSTEM, stage=stage, name="tokyo", kind="http", config={"deploy": {"url": HOOK}})


def names(stage) -> list[str]:
    return list(Target.objects.filter(stage=stage).values_list("name", flat=True))


def test_a_command_target_is_added_with_what_each_phase_does(mika, page, stage, command):
    form = mika.get(page("target-new") + "?kind=command").content.decode()
    assert '<option value="check">' in form and '<option value="deploy">' in form
    answer = mika.post(page("target-new") + "?kind=command", {
        "name": "osaka", "pre-command": "check", "pre-timeout_s": "30", "pre-repeatable": "on", "deploy-command": "deploy",
        "deploy-timeout_s": "", "post-command": "", "reason": "second region",
    }, follow=True)
    assert "osaka is saved" in answer.content.decode() and "check, at most 30 s" in answer.content.decode()
    config = Target.objects.get(stage=stage).config
    assert config["pre"] == {"command": "check", "timeout_s": 30, "repeatable": True}
    assert config["deploy"]["timeout_s"] == 600 and config["post"] is None
    assert Activity.objects.get(action="stage.targets").reason == "second region"


def test_only_commands_of_the_allow_list_can_be_chosen(mika, page, stage, command):
    answer = mika.post(page("target-new") + "?kind=command", {"name": "osaka", "deploy-command": "/bin/sh"})
    assert answer.status_code == 400 and names(stage) == []


def test_without_any_allowed_command_the_page_says_what_to_do(mika, page, settings):
    settings.STEP_COMMANDS = {}
    for url in (page(), page("target-new") + "?kind=command"):
        html = mika.get(url).content.decode()
        assert "No command is allowed on this server yet" in html and "GS2ADMIN_COMMANDS" in html


def test_a_command_that_is_no_longer_allowed_is_marked(mika, page, stage, command, settings):
    save_target(actor=SYSTEM, stage=stage, name="osaka", kind="command", config={"deploy": {"command": "deploy"}})
    settings.STEP_COMMANDS = {"check": settings.STEP_COMMANDS["check"]}
    url = page("target-edit", target="osaka")
    assert "deploy (no longer allowed)" in mika.get(url).content.decode()
    refused = mika.post(url, {"name": "osaka", "deploy-command": "deploy"})
    assert refused.status_code == 400 and "There is no command called" in refused.content.decode()


@pytest.mark.parametrize(("field", "value", "words"), [
    ("deploy-url", "ftp://x", "must begin with https:// or http://"),
    ("deploy-url", "http://127.0.0.1/", ""),
    ("deploy-url", "https://user:pass@example.com/", "must not hold a user name"),
    ("deploy-timeout_s", "99999", "whole number of seconds"),
    ("deploy-poll_interval_s", "x", "whole number"),
    ("name", "a b", "letters, digits"),
])
def test_what_a_step_could_not_do_is_refused_beside_its_field(mika, page, stage, field, value, words):
    data = {"name": "tokyo", "deploy-url": HOOK, field: value}
    answer = mika.post(page("target-new") + "?kind=http", data)
    html = answer.content.decode()
    assert answer.status_code == 400 and words in html and names(stage) == []
    if field != "name":
        assert f'id="id_{field}_error"' in html


def test_the_signing_key_is_shown_once_after_the_target_was_made(mika, page, stage):
    answer = mika.post(page("target-new") + "?kind=http", {"name": "tokyo", "deploy-url": HOOK}, follow=True)
    target = Target.objects.get(stage=stage)
    key = signing_key(str(target.uid), target.rotation)
    assert key in answer.content.decode() and answer.headers["Cache-Control"] == "no-store, private"
    assert key not in mika.get(page("target-edit", target="tokyo")).content.decode()
    assert key not in str(dict(mika.session)) and key not in str(list(Activity.objects.values()))


def test_a_new_key_is_asked_for_made_and_shown_once(mika, page, hook):
    url = page("target-rotate", target="tokyo")
    assert "refuses them" in mika.get(url).content.decode()
    answer = mika.post(url, {"reason": "leaked"}, follow=True).content.decode()
    assert signing_key(str(hook.uid), 2) in answer and signing_key(str(hook.uid), 1) not in answer
    assert signing_key(str(hook.uid), 2) not in mika.get(page("target-edit", target="tokyo")).content.decode()
    assert Activity.objects.get(action="target.rotate_key").reason == "leaked"


def test_another_persons_session_does_not_see_the_key(client, mika, page, hook, owner):
    mika.post(page("target-rotate", target="tokyo"), {"reason": ""})
    other = type(client)()
    other.force_login(owner)
    assert signing_key(str(hook.uid), 2) not in other.get(page("target-edit", target="tokyo")).content.decode()


def test_saving_keeps_the_key_and_a_new_name_gets_another(mika, page, stage, hook):
    mika.post(page("target-edit", target="tokyo"), {"name": "tokyo", "deploy-url": HOOK + "2", "reason": ""})
    assert Target.objects.get(name="tokyo").uid == hook.uid
    answer = mika.post(page("target-edit", target="tokyo"), {"name": "kyoto", "deploy-url": HOOK, "reason": ""}, follow=True)
    new = Target.objects.get(stage=stage)
    assert new.name == "kyoto" and new.uid != hook.uid and signing_key(str(new.uid), 1) in answer.content.decode()


def test_targets_take_their_turn_in_the_order_that_was_chosen(mika, page, stage, hook):
    for name in ("osaka", "nara"):
        save_target(actor=SYSTEM, stage=stage, name=name, kind="http", config={"deploy": {"url": HOOK}})
    assert names(stage) == ["tokyo", "osaka", "nara"]
    mika.post(page("target-move", target="nara"), {"by": "-1"})
    assert names(stage) == ["tokyo", "nara", "osaka"]
    mika.post(page("target-move", target="tokyo"), {"by": "1"})
    assert names(stage) == ["nara", "tokyo", "osaka"]
    mika.post(page("target-move", target="nara"), {"by": "-1"})
    assert names(stage) == ["nara", "tokyo", "osaka"]
    assert Target.objects.get(name="tokyo").uid == hook.uid


def test_two_editors_of_different_targets_lose_nothing(stage, hook):
    save_target(actor=SYSTEM, stage=stage, name="osaka", kind="http", config={"deploy": {"url": HOOK}})
    save_target(actor=SYSTEM, stage=stage, name="tokyo", was="tokyo", kind="http", config={"deploy": {"url": HOOK + "/a"}})
    save_target(actor=SYSTEM, stage=stage, name="osaka", was="osaka", kind="http", config={"deploy": {"url": HOOK + "/b"}})
    move_target(actor=SYSTEM, stage=stage, name="osaka", by=-1)
    found = {row.name: row.config["deploy"]["url"] for row in Target.objects.filter(stage=stage)}
    assert found == {"tokyo": HOOK + "/a", "osaka": HOOK + "/b"} and names(stage) == ["osaka", "tokyo"]


def test_removing_asks_first_and_keeps_the_reason(mika, page, stage, hook):
    url = page("target-delete", target="tokyo")
    assert "It is the only target" in mika.get(url).content.decode() and names(stage) == ["tokyo"]
    mika.post(url, {"reason": "region closed"})
    assert names(stage) == [] and Activity.objects.filter(action="stage.targets", reason="region closed").count() == 1
    assert mika.get(url).status_code == 404 and mika.post(page("target-move", target="tokyo"), {"by": "1"}).status_code == 404


def test_a_name_that_is_taken_is_refused(mika, page, stage, hook):
    answer = mika.post(page("target-new") + "?kind=http", {"name": "tokyo", "deploy-url": HOOK})
    assert answer.status_code == 400 and "Two targets are called tokyo" in answer.content.decode() and len(names(stage)) == 1


def test_a_command_target_has_no_key_to_renew(mika, page, stage, command):
    save_target(actor=SYSTEM, stage=stage, name="osaka", kind="command", config={"deploy": {"command": "deploy"}})
    assert mika.get(page("target-rotate", target="osaka")).status_code == 404


def test_a_file_target_and_a_kubernetes_target_are_added(mika, page, stage, settings, tmp_path):
    settings.STEP_STORAGES = {"builds": {}, "live": {}}
    settings.STEP_KUBECONFIGS = {"tokyo": str(tmp_path / "tokyo.yaml")}
    listing = mika.get(page()).content.decode()
    assert "New file target" in listing and "New Kubernetes target" in listing
    mika.post(page("target-new") + "?kind=storage", {
        "name": "cdn", "deploy-path": "{service}.zip", "deploy-store": "live", "deploy-source_store": "builds",
        "deploy-source": "{service}/{version}.zip",
    })
    mika.post(page("target-new") + "?kind=kubernetes", {
        "name": "cluster", **{f"{phase}-{name}": value for phase in ("deploy", "canary") for name, value in {
            "image": "registry.example.com/{service}", "kubeconfig": "tokyo", "namespace": "game", "deployment": "{service}",
            "container": "", "follow": "migrate,warm-up", "service": "", "gray_replicas": "2", "timeout_s": "",
        }.items()},
    })
    cdn, cluster = Target.objects.filter(stage=stage)
    assert cdn.config == {"pre": None, "post": None, "deploy": {
        "path": "{service}.zip", "store": "live", "source_store": "builds", "source": "{service}/{version}.zip",
        "timeout_s": 3600,
    }}
    assert cluster.config["deploy"]["follow"] == "migrate, warm-up"
    assert cluster.config["canary"]["gray_replicas"] == 2 and cluster.config["deploy"]["container"] == "{service}"
    listing = mika.get(page()).content.decode()
    assert "{service}/{version}.zip from builds as {service}.zip in live" in listing and "{service} in game of tokyo" in listing
    assert mika.get(page("target-edit", target="cluster")).status_code == 200
