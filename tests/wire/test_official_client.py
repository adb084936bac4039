"""The official Python client, unmodified, against the running server."""

from __future__ import annotations

import pytest
from gs2 import auth, core, freeze, identifier

from gs2admin import __version__
from tests.official import connected
from tests.wire.players import session_of


@pytest.fixture(scope="module")
def session(server):
    return session_of(server)


@pytest.fixture
def client(session):
    return freeze.Gs2FreezeRestClient(session)


def test_describe_stages_gives_all_in_display_order(client):
    result = client.describe_stages(freeze.DescribeStagesRequest())
    assert [item.name for item in result.items] == ["dev", "stg", "fresh", "live"]
    live = result.items[-1]
    assert live.stage_id == "grn:gs2:ap-northeast-1:isles-owner:freeze:live"
    assert (live.source_stage_name, live.sort_number) == ("stg", 100)
    assert result.items[0].source_stage_name is None
    assert live.created_at > 1_700_000_000_000


def test_get_stage_gives_source_and_current_by_name(client):
    result = client.get_stage(freeze.GetStageRequest().with_stage_name("stg"))
    assert result.item.name == "stg"
    names = [item.name for item in result.current]
    assert names == sorted(names) and len(names) == 8
    dev = client.get_stage(freeze.GetStageRequest().with_stage_name("dev"))
    assert [m.to_dict() for m in result.source] == [m.to_dict() for m in dev.current]


def test_promote_follow_and_roll_back(client, server):
    fresh = freeze.PromoteStageRequest().with_stage_name("fresh")
    assert client.promote_stage(fresh).item.status == "Updating"
    with pytest.raises(core.ConflictException) as refused:
        client.promote_stage(fresh)
    error = refused.value.errors[0]
    assert (error.component, error.message, error.code) == (
        "stage",
        "freeze.stage.stage.error.conflict",
        "freeze.stage.updating",
    )
    server.finish_rollouts()
    stage = client.get_stage(freeze.GetStageRequest().with_stage_name("fresh"))
    assert stage.item.status == "Active"
    assert [m.to_dict() for m in stage.current] == [m.to_dict() for m in stage.source]

    seen, page_token = [], None
    while True:
        page = client.describe_outputs(
            freeze.DescribeOutputsRequest().with_stage_name("fresh").with_limit(3).with_page_token(page_token)
        )
        assert len(page.items) <= 3
        seen += page.items
        page_token = page.next_page_token
        if page_token is None:
            break
    assert len({item.name for item in seen}) == len(seen) > 3
    assert [item.created_at for item in seen] == sorted(item.created_at for item in seen)
    one = client.get_output(freeze.GetOutputRequest().with_stage_name("fresh").with_output_name(seen[1].name))
    assert one.item.to_dict() == seen[1].to_dict()
    assert one.item.output_id == f"grn:gs2:ap-northeast-1:isles-owner:freeze:fresh:output:{one.item.name}"

    resumed = client.describe_outputs(
        freeze.DescribeOutputsRequest().with_stage_name("fresh").with_limit(1000).with_page_token(seen[1].name)
    )
    assert [item.name for item in resumed.items] == [item.name for item in seen[2:]]
    assert resumed.next_page_token is None

    with pytest.raises(core.BadRequestException) as nothing:
        client.rollback_stage(freeze.RollbackStageRequest().with_stage_name("fresh"))
    assert nothing.value.errors[0].code == "freeze.stage.noPreviousVersions"
    before = client.get_stage(freeze.GetStageRequest().with_stage_name("stg"))
    assert client.rollback_stage(freeze.RollbackStageRequest().with_stage_name("stg")).item.status == "Updating"
    server.finish_rollouts()
    after = client.get_stage(freeze.GetStageRequest().with_stage_name("stg"))
    assert after.item.status == "Active"
    assert [m.to_dict() for m in after.current] != [m.to_dict() for m in before.current]


def test_an_unknown_stage_is_not_found_with_component_stage(client):
    for call in (
        lambda: client.get_stage(freeze.GetStageRequest().with_stage_name("nowhere")),
        lambda: client.promote_stage(freeze.PromoteStageRequest().with_stage_name("nowhere")),
        lambda: client.rollback_stage(freeze.RollbackStageRequest().with_stage_name("nowhere")),
        lambda: client.describe_outputs(freeze.DescribeOutputsRequest().with_stage_name("nowhere")),
        lambda: client.get_output(
            freeze.GetOutputRequest().with_stage_name("nowhere").with_output_name("a2b4d0c8-9bb8-4a64-8a8a-0a3ff4e3f4c5")
        ),
    ):
        with pytest.raises(core.NotFoundException) as missing:
            call()
        assert missing.value.errors[0].component == "stage"
        assert missing.value.errors[0].message == "freeze.stage.stage.error.notFound"


def test_an_unknown_output_is_not_found_with_component_output(client):
    for name in ("a2b4d0c8-9bb8-4a64-8a8a-0a3ff4e3f4c5", "output-0001"):
        with pytest.raises(core.NotFoundException) as missing:
            client.get_output(freeze.GetOutputRequest().with_stage_name("dev").with_output_name(name))
        assert missing.value.errors[0].component == "output"


def test_a_missing_name_is_a_bad_request_and_makes_nothing(client):
    with pytest.raises(core.BadRequestException) as refused:
        client.promote_stage(freeze.PromoteStageRequest())
    assert refused.value.errors[0].message == "freeze.stage.name.error.require"


def test_limits_are_told_in_the_contracts_words(client):
    for request, message in (
        (freeze.DescribeOutputsRequest().with_stage_name("dev").with_limit(0), "freeze.output.limit.error.invalid"),
        (freeze.DescribeOutputsRequest().with_stage_name("dev").with_limit(1001), "freeze.output.limit.error.invalid"),
        (freeze.DescribeOutputsRequest().with_stage_name("x" * 129), "freeze.stage.name.error.tooLong"),
        (freeze.DescribeOutputsRequest().with_stage_name("dev").with_page_token("?"), "freeze.output.pageToken.error.invalid"),
    ):
        with pytest.raises(core.BadRequestException) as refused:
            client.describe_outputs(request)
        assert refused.value.errors[0].message == message


def test_another_projects_stage_does_not_exist(server):
    client = freeze.Gs2FreezeRestClient(session_of(server, "theirs"))
    assert [item.name for item in client.describe_stages(freeze.DescribeStagesRequest()).items] == ["theirs"]
    with pytest.raises(core.NotFoundException):
        client.get_stage(freeze.GetStageRequest().with_stage_name("dev"))


def test_a_missing_right_is_unauthorized(server):
    client = freeze.Gs2FreezeRestClient(session_of(server, "viewer"))
    assert client.describe_stages(freeze.DescribeStagesRequest()).items
    with pytest.raises(core.UnauthorizedException):
        client.promote_stage(freeze.PromoteStageRequest().with_stage_name("live"))


def test_sign_in_by_the_identifier_client_and_refusals(server, session):
    client = identifier.Gs2IdentifierRestClient(session)
    ours = server.credentials["ours"]
    result = client.login(identifier.LoginRequest().with_client_id(ours["clientId"]).with_client_secret(ours["clientSecret"]))
    assert (result.token_type, result.expires_in, result.owner_id) == ("Bearer", 3600, "isles-owner")
    refusals = []
    for client_id, secret in ((ours["clientId"], "wrong"), ("unknown", ours["clientSecret"])):
        with pytest.raises(core.UnauthorizedException) as refused:
            client.login(identifier.LoginRequest().with_client_id(client_id).with_client_secret(secret))
        refusals.append([(error.component, error.message, error.code) for error in refused.value.errors])
    assert refusals[0] == refusals[1]
    assert refusals[0][0][1] == "identifier.identifier.clientSecret.error.invalid"


def test_service_versions(session):
    assert (
        identifier.Gs2IdentifierRestClient(session).get_service_version(identifier.GetServiceVersionRequest()).status
        == __version__
    )
    assert auth.Gs2AuthRestClient(session).get_service_version(auth.GetServiceVersionRequest()).item == __version__


def test_players_sign_in_and_shift_their_clocks(session):
    client = auth.Gs2AuthRestClient(session)
    result = client.login(auth.LoginRequest().with_user_id("user-0001").with_time_offset(3600))
    assert result.user_id == "user-0001" and len(result.token) <= 128
    token = client.issue_time_offset_token_by_user_id(
        auth.IssueTimeOffsetTokenByUserIdRequest().with_user_id("user-0001").with_time_offset(86_400)
    )
    assert len(token.token) <= 1024 and token.expire == pytest.approx(result.expire, abs=10_000)
    assert client.login(auth.LoginRequest().with_user_id("user-0001").with_time_offset_token(token.token)).token
    with pytest.raises(core.UnauthorizedException):
        client.login(auth.LoginRequest().with_user_id("somebody-else").with_time_offset_token(token.token))


def test_a_token_is_enough_without_signing_in(server):
    session = connected(server.url, core.ProjectTokenGs2Credential("isles-owner", server.token()))
    client = freeze.Gs2FreezeRestClient(session)
    assert client.get_stage(freeze.GetStageRequest().with_stage_name("dev")).item.name == "dev"
