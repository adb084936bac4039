"""The whole main job by an unmodified GS2 client against the running server: web, worker and real steps."""
from __future__ import annotations

import pytest
from gs2 import core, freeze

from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Project
from gs2admin.identity.services.credentials import create_credential
from stages.setup.stages import create_stage, set_targets
from stages.setup.versions import register_version
from tests.conditions import until
from tests.official import signed_in

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]


def test_promote_watch_and_roll_back(serve, environ):
    project = Project.objects.create(name="isles", owner_id="isles-owner")
    row, secret = create_credential(actor=SYSTEM, project=project, name="game")
    dev = create_stage(actor=SYSTEM, project=project, name="dev")
    stg = create_stage(actor=SYSTEM, project=project, name="stg", source=dev, sort_number=50)
    phase = {"command": "talking", "timeout_s": 30, "repeatable": True}
    set_targets(actor=SYSTEM, stage=stg, targets=[{"name": "a", "kind": "command", "config": {"deploy": phase}}])
    server = serve()
    client = freeze.Gs2FreezeRestClient(signed_in(server.url, row.client_id, secret))

    def status(name):
        return client.get_stage(freeze.GetStageRequest().with_stage_name(name)).item.status

    def ended(name):
        until(lambda: status(name) != "Updating", 60, f"the end of {name}'s rollout")
        return status(name)

    def promote(name):
        return client.promote_stage(freeze.PromoteStageRequest().with_stage_name(name)).item

    for version in ("1.0", "1.1"):
        register_version(actor=SYSTEM, project=project, microservice="auth", version=version)
        assert promote("dev").status == "Updating"
        assert ended("dev") == "Active"
        promote("stg")
        with pytest.raises(core.ConflictException):
            promote("stg")
        assert ended("stg") == "Active"
    found = client.get_stage(freeze.GetStageRequest().with_stage_name("stg"))
    assert [(m.name, m.version) for m in found.current] == [("auth", "1.1")] == [(m.name, m.version) for m in found.source]
    client.rollback_stage(freeze.RollbackStageRequest().with_stage_name("stg"))
    assert ended("stg") == "Active"
    found = client.get_stage(freeze.GetStageRequest().with_stage_name("stg"))
    assert [m.version for m in found.current] == ["1.0"] and [m.version for m in found.source] == ["1.1"]
    texts, token = [], None
    while True:
        request = freeze.DescribeOutputsRequest().with_stage_name("stg").with_limit(4).with_page_token(token)
        page = client.describe_outputs(request)
        texts += [item.text for item in page.items]
        last, token = page.items[-1], page.next_page_token
        if token is None:
            break
    assert sum(text.startswith("Succeeded") for text in texts) == 3
    one = client.get_output(freeze.GetOutputRequest().with_stage_name("stg").with_output_name(last.name))
    assert one.item.text == last.text == texts[-1]
    assert [s.name for s in client.describe_stages(freeze.DescribeStagesRequest()).items] == ["dev", "stg"]
    with pytest.raises(core.BadRequestException) as refusal:
        client.rollback_stage(freeze.RollbackStageRequest().with_stage_name("stg"))
    assert refusal.value.errors[0].code == "freeze.stage.noPreviousVersions"
