"""History detail, byte for byte, for all four types; the list and its pages; the envelope."""
from __future__ import annotations

import json

import pytest

from stages.api.sourcedeploy.shapes import STATUS
from stages.models import Stage
from stages.states import RolloutState
from tests.published.conftest import T0, sd_error

pytestmark = pytest.mark.django_db
MS = int(T0.timestamp()) * 1000 + 123
DONE = [("a", "auth", phase, "succeeded") for phase in ("pre", "deploy", "post")]
FAILED = [*DONE, ("b", "auth", "pre", "succeeded"), ("b", "auth", "deploy", "failed"), ("b", "auth", "post", "no_progress"),
          *(("c", "auth", phase, "no_progress") for phase in ("pre", "deploy", "post"))]  # fmt: skip


def target(no: int, name: str, status: str, **steps: str) -> str:
    """A server's bytes; its first step began no*3 + 1 seconds after T0, each next one a second later."""
    time = ",".join(f'"{phase}":{MS + (3 * (no - 700) + 1 + n) * 1000}' for n, phase in enumerate(steps))
    step = ",".join(f'"{phase}":"{word}"' for phase, word in steps.items())
    return f'{{"server":{{"no":{no},"name":"{name}"}},"status":"{status}","time":{{{time}}},"step":{{{step}}}}}'


SERVERS = ",".join([
    target(700, "a", "success", pre="success", deploy="success", post="success"),
    target(701, "b", "fail", pre="success", deploy="fail"),
    target(702, "c", "no progress"),
])  # fmt: skip
FILE = '"file":{"selected":"auth 1.2.0","type":"later"}'
TOGETHER = f'"targets":{{"time":{{"pre":{MS + 1000},"deploy":{MS + 2000}}},"step":{{"pre":"success","deploy":"fail"}}}}'
CONFIGS = {
    "Server": f'[{{"strategy":"normal",{FILE},"targets":[{SERVERS}]}}]',
    "AutoScalingGroup": f'{{"strategy":"blueGreen","autoScalingGroup":{{"no":31,"name":"front"}},{FILE},"targets":[{SERVERS}]}}',
    "KubernetesService": f'{{"strategy":"blueGreen",{TOGETHER}}}',
    "ObjectStorage": f'{{{FILE},{TOGETHER},"backupFile":"kept/auth.1.1"}}',
}


def of_type(stage: Stage, kind: str) -> Stage:
    stage.type, stage.config = kind, {"autoScalingGroupNo": 31, "autoScalingGroupName": "front"}
    stage.save()
    return stage


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_detail_of_each_type_byte_for_byte(caller, stage, record, kind):
    row = record(of_type(stage, kind), "failed", FAILED, strategy="blueGreen")
    row.steps.filter(position=2).update(memo={"backup": "kept/auth.1.1"})
    answer = caller().sd("GET", f"/project/{row.project_id}/history/{row.number}")
    expected = (
        f'{{"project":{{"id":{row.project_id},"name":"isles"}},"stage":{{"id":{stage.pk},"name":"live"}},'
        f'"scenario":{{"id":0,"name":"default"}},"id":{row.number},"status":"fail","executor":"mika",'
        f'"startTime":{MS},"endTime":{MS + 60_000},"type":"{kind}","config":{CONFIGS[kind]}}}'
    )
    assert answer.status_code == 200
    assert answer.content.decode() == expected


@pytest.mark.parametrize("kind", CONFIGS)
def test_inside_result_it_is_the_same_bytes_and_safe_for_the_sdk(caller, stage, record, kind, settings):
    row = record(of_type(stage, kind), "failed", FAILED)
    path = f"/project/{row.project_id}/history/{row.number}"
    flat = caller().sd("GET", path).content
    asked = caller().sd("GET", path + "?envelope=result").content
    assert asked == b'{"result":' + flat + b"}"
    assert not asked.endswith(b"\n") and b'{"error"' not in asked and list(json.loads(asked)) == ["result"]
    settings.SOURCEDEPLOY_ENVELOPE = "result"
    assert caller().sd("GET", path).content == asked
    assert caller().sd("GET", path + "?envelope=flat").content == flat
    assert sd_error(caller().sd("GET", path + "9"), 404, "300")  # errors are the same in both


@pytest.mark.parametrize("state", sorted(RolloutState))
def test_every_state_has_its_word(caller, stage, record, state):
    row = record(stage, state)
    found = json.loads(caller().sd("GET", f"/project/{row.project_id}/history/{row.number}").content)
    listed = json.loads(caller().sd("GET", f"/project/{row.project_id}/history").content)
    assert found["status"] == listed["historyList"][0]["status"] == STATUS[state]
    assert ("endTime" in found) == (row.ended_at is not None)
    if state in {"awaiting_approval", "queued", "rejected"}:
        assert all(part["targets"] == [] for part in found["config"])


def test_all_fourteen_words_are_used_once_but_inprogress():
    words = list(STATUS.values())
    assert len(words) == 15 and len(set(words)) == 14 and words.count("inprogress") == 2
    assert set(STATUS) == set(RolloutState)


RUNNING = [
    (["pending", "pending", "pending"], "pending", {}),
    (["running", "pending", "pending"], "pre", {"pre": "inprogress"}),
    (["succeeded", "pending", "pending"], "deploy", {"pre": "success", "deploy": "inprogress"}),
    (["succeeded", "running", "pending"], "deploy", {"pre": "success", "deploy": "inprogress"}),
    (["succeeded", "succeeded", "running"], "post", {"pre": "success", "deploy": "success", "post": "inprogress"}),
    (["failed", "pending", "pending"], "fail", {"pre": "fail"}),
]


@pytest.mark.parametrize("states, status, step", RUNNING)
def test_a_target_under_way_has_the_steps_that_its_status_allows(caller, stage, record, states, status, step):
    row = record(stage, "running", [("a", "auth", p, s) for p, s in zip(("pre", "deploy", "post"), states, strict=True)])
    found = json.loads(caller().sd("GET", f"/project/{row.project_id}/history/{row.number}").content)
    target = found["config"][0]["targets"][0]
    assert (target["status"], target["step"]) == (status, step)
    assert target["time"].keys() == target["step"].keys()
    assert "endTime" not in found


def test_each_microservice_is_a_file_of_its_own_on_servers_and_named_together_elsewhere(caller, stage, record):
    steps = [("a", service, phase, "succeeded") for service in ("auth", "chat") for phase in ("pre", "deploy", "post")]
    row = record(stage, "succeeded", steps)
    path = f"/project/{row.project_id}/history/{row.number}"
    parts = json.loads(caller().sd("GET", path).content)["config"]
    assert [part["file"]["selected"] for part in parts] == ["auth 1.2.0", "chat 1.2.0"]
    assert [list(part) for part in parts] == [["strategy", "file", "targets"]] * 2
    of_type(stage, "ObjectStorage")
    assert json.loads(caller().sd("GET", path).content)["config"]["file"]["selected"] == "auth 1.2.0, chat 1.2.0"


@pytest.mark.parametrize("state, step", [
    ("canary_hold", {"pre": "inprogress"}), ("canary_analyzing", {"pre": "inprogress"}), ("canary_rejected", {"pre": "fail"}),
])  # fmt: skip
def test_a_canary_that_nobody_accepted_has_its_preparation_under_way(caller, stage, record, state, step):
    steps = [("k", "auth", p, "succeeded", "canary") for p in ("pre", "deploy", "post")]
    left = "no_progress" if state == "canary_rejected" else "pending"
    steps += [("k", "auth", p, left, "full") for p in ("pre", "deploy", "post")]
    row = record(of_type(stage, "KubernetesService"), state, steps, strategy="canary")
    found = json.loads(caller().sd("GET", f"/project/{row.project_id}/history/{row.number}").content)
    assert found["config"]["strategy"] == "canary"
    assert found["config"]["targets"]["step"] == step


def test_the_list_is_newest_first_and_paged(caller, stage, record):
    rows = [record(stage) for _ in range(5)]
    base = f"/project/{stage.project_id}/history"
    listed = json.loads(caller().sd("GET", base).content)["historyList"]
    assert [item["id"] for item in listed] == [str(row.number) for row in reversed(rows)]
    assert list(listed[0]) == ["project", "stage", "scenario", "id", "startTime", "status"]
    pages = [json.loads(caller().sd("GET", f"{base}?pageNo={n}&pageSize=2").content)["historyList"] for n in (1, 2, 3, 4)]
    assert [item for page in pages for item in page] == listed and [len(page) for page in pages] == [2, 2, 1, 0]


@pytest.mark.parametrize("query", ["pageNo=0", "pageNo=-1", "pageNo=x", "pageNo=1.5", "pageSize=0", "pageSize=101", "pageSize=１",
                                   "pageNo=99999999999999999999", "pageNo=%00"])  # fmt: skip
def test_pages_that_are_none_are_refused(caller, stage, query):
    sd_error(caller().sd("GET", f"/project/{stage.project_id}/history?{query}"), 400, "100")


def test_a_deep_page_is_empty(caller, stage, record):
    record(stage)
    answer = caller().sd("GET", f"/project/{stage.project_id}/history?pageNo=999999999&pageSize=100")
    assert json.loads(answer.content) == {"historyList": []}


def test_what_is_foreign_does_not_exist(caller, foreign, stage, record):
    row = record(stage)
    for path in (f"/project/{row.project_id}/history/{row.number}", f"/project/{row.project_id}/history",
                 f"/project/{foreign.row.project_id}/history/{row.number}"):  # fmt: skip
        sd_error(foreign.sd("GET", path), 404, "300") if path.startswith(f"/project/{row.project_id}") else None
    assert json.loads(foreign.sd("GET", f"/project/{foreign.row.project_id}/history").content) == {"historyList": []}
    sd_error(caller().sd("GET", f"/project/{foreign.row.project_id}/history"), 404, "300")
    assert json.loads(foreign.sd("GET", "/project").content)["projectList"][0]["name"] == "other"


@pytest.mark.parametrize("number", ["0", "01", "-1", "x", "999", "1%2F2", "%EF%BC%91", "9" * 40, "null"])
def test_ids_that_name_nothing_are_not_found(caller, stage, record, number):
    record(stage)
    sd_error(caller().sd("GET", f"/project/{stage.project_id}/history/{number}"), 404, "300")
    sd_error(caller().sd("GET", f"/project/{number}/history"), 404, "300")


def test_a_rollout_from_before_its_targets_were_written_down_is_readable(caller, stage, record):
    row = record(stage, "failed", FAILED)
    row.targets.all().delete()
    found = json.loads(caller().sd("GET", f"/project/{row.project_id}/history/{row.number}").content)
    assert [target["server"] for target in found["config"][0]["targets"]] == [{"no": 0, "name": n} for n in "abc"]


@pytest.mark.parametrize("how", ["signature", "go", "token"])
def test_each_way_of_showing_who_asks(caller, stage, record, how):
    """The Go client reads nothing but what is enveloped; everybody else gets the flat form, unless they ask."""
    row = record(stage)
    path = f"/project/{row.project_id}/history/{row.number}"
    answer = caller(how=how).sd("GET", path)
    assert answer.status_code == 200
    body = answer.content
    if how == "go":  # as it cuts: from the second brace on, without the last byte
        body = body[body.strip(b"{").index(b"{") + 1 : -1]
    assert json.loads(body)["id"] == row.number
    assert "id" in json.loads(caller(how=how).sd("GET", path + "?envelope=flat").content)
    sd_error(caller(how=how).sd("GET", path + "0000"), 404, "300")


def test_everybody_may_read_and_an_answer_costs_few_queries(caller, stage, record, django_assert_max_num_queries):
    row = record(stage, "failed", FAILED)
    viewer = caller("viewer")
    with django_assert_max_num_queries(4):
        assert viewer.sd("GET", f"/project/{row.project_id}/history/{row.number}").status_code == 200
    for _ in range(30):
        record(stage)
    with django_assert_max_num_queries(2):
        assert viewer.sd("GET", f"/project/{row.project_id}/history").status_code == 200


