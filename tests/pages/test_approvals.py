"""Approval in the browser: asking, the board's line, deciding, and the rule of a stage."""
from __future__ import annotations

import pytest

from gs2admin.identity.actors import SYSTEM
from stages.approval.services import save_rule
from stages.models import Rollout
from stages.models.governance import ApprovalRule
from stages.setup.versions import register_version
from tests.pages.test_moves import at, fields

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(world, producer, sign_in):
    """A promote of dev that mika requested in the browser, under a rule."""
    save_rule(actor=SYSTEM, stage=world.dev, needed=1, roles=["admin", "producer"])
    client = sign_in(producer)
    url = at("stage-promote", world, stage="dev")
    html = client.get(url).content.decode()
    assert "needs 1 approval by admin or producer" in html and "Request approval" in html and "other people have approved" in html
    answer = client.post(url, fields(html) | {"reason": ["quest <fix>"]}, follow=True)
    page = answer.content.decode()
    assert "Waiting for approval" in page and "nobody has approved" in page and "Approve…" not in page and "Cancel…" in page, "who asked decides nothing"
    return Rollout.objects.latest("id")


def test_others_are_offered_to_decide_in_the_page_and_in_its_live_answer_and_who_asked_is_not(world, asked, owner, producer, sign_in):
    page = at("rollout", world, number=asked.number)
    for person, offered in ((owner, True), (producer, False)):
        client = sign_in(person)
        for html in (client.get(page).content.decode(), client.get(page + "/live?after=0&seq=0").content.decode()):
            assert ("Approve…" in html, "Reject…" in html, "Cancel…" in html) == (offered, offered, True)


def test_it_is_on_the_board_and_in_the_list(world, asked, owner, sign_in):
    client = sign_in(owner)
    board = client.get(at("board", world)).content.decode()
    assert f"Rollout {asked.number}</a> on <b>dev</b> waits for approval," in board and "requested by mika." in board
    html = client.get(at("rollouts", world) + "?state=awaiting").content.decode()
    for number in (asked.number, world.waiting.number):
        assert at("rollout", world, number=number) in html
    assert at("rollout", world, number=world.done.number) not in html


def test_another_approves_exactly_what_was_shown(world, asked, owner, sign_in):
    client = sign_in(owner)
    url = at("rollout-approve", world, number=asked.number)
    html = client.get(url).content.decode()
    assert "quest &lt;fix&gt;" in html and "1.0.1" in html and "1 approval by admin or producer" in html
    page = client.post(url, fields(html) | {"reason": "fine"}, follow=True).content.decode()
    assert f"Rollout {asked.number} is approved and starts." in page and "<q>fine</q>" in page
    again = client.get(url, follow=True).content.decode()
    assert "it does not wait for approval" in again


def test_who_asked_is_told_to_leave_it_to_others_and_may_withdraw(world, asked, producer, sign_in):
    client = sign_in(producer)
    url = at("rollout-approve", world, number=asked.number)
    answer = client.post(url, fields(client.get(url).content.decode()))
    assert answer.status_code == 403 and "somebody else has to approve or reject it" in answer.content.decode()
    cancel = at("rollout-cancel", world, number=asked.number)
    assert "Approvals that were given no longer count" in client.get(cancel).content.decode()
    page = client.post(cancel, {}, follow=True).content.decode()
    assert "Canceled before it began; nothing was changed" in page


def test_rejecting_needs_a_reason(world, asked, owner, sign_in):
    client = sign_in(owner)
    url = at("rollout-reject", world, number=asked.number)
    sent = fields(client.get(url).content.decode())
    refused = client.post(url, sent | {"reason": " "})
    assert refused.status_code == 400 and "Say why: the requester reads it." in refused.content.decode()
    page = client.post(url, sent | {"reason": "not today"}, follow=True).content.decode()
    assert "Rejected by olga: not today" in page and "See the current preview" in page
    assert at("rollout", world, number=asked.number) in client.get(at("rollouts", world) + "?state=rejected").content.decode()


def test_approving_what_has_moved_says_so(world, asked, owner, sign_in):
    client = sign_in(owner)
    url = at("rollout-approve", world, number=asked.number)
    sent = fields(client.get(url).content.decode())
    register_version(actor=SYSTEM, project=world.project, microservice="auth", version="1.3.0")
    page = client.post(url, sent, follow=True).content.decode()
    assert "was canceled" in page and "no longer what was requested" in page


def test_the_rule_of_a_stage(world, owner, sign_in):
    client = sign_in(owner)
    url = at("stage-approval", world, stage="live")
    assert "0: no approval is needed" in client.get(url).content.decode()
    nobody = client.post(url, {"needed": "2", "roles": []})
    assert nobody.status_code == 400 and "Choose the roles" in nobody.content.decode()
    assert client.post(url, {"needed": "2", "roles": ["admin", "support"], "covers_rollbacks": "on"}).status_code == 302
    rule = ApprovalRule.objects.get(stage=world.live)
    assert (rule.needed, rule.roles, rule.covers_rollbacks) == (2, ["admin", "support"], True)
    assert "2 approvals by admin or support" in client.get(at("stage", world, stage="live")).content.decode()
    assert client.post(url, {"needed": "0"}).status_code == 302
    assert not ApprovalRule.objects.filter(stage=world.live).exists()
    warned = client.get(at("stage-approval", world, stage="stg")).content.decode()
    assert f"Rollout {world.waiting.number} waits for approval. The new rule applies to it at once" in warned
