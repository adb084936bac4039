"""One set of words for how a rollout and a step stand: every state in every place that shows it."""
from __future__ import annotations

import json
import re
from html import unescape

import pytest
from django.utils import timezone

from stages.core.words import FILTERS, ROLLOUT, STEP, words_of
from stages.models import Rollout, Step
from stages.pages.board_html import boards
from stages.pages.live import watches
from stages.states import FINAL, RolloutState, StepState
from tests.pages.test_moves import at

pytestmark = pytest.mark.django_db
BAD = {RolloutState.FAILED, RolloutState.ERRORED}


def badges(html: str) -> list[str]:
    """The texts of the badges, in order."""
    return [unescape(text) for text in re.findall(r'gs-badge--\w+"[^>]*><span class="gs-dot[^>]*></span>([^<]*)</span>', html)]


def body(answer) -> str:
    assert answer.status_code in (200, 286), answer.status_code
    return b"".join(answer.streaming_content).decode() if answer.streaming else answer.content.decode()


@pytest.fixture
def rollout_in(world):
    """rollout_in(state): a rollout in that state, as if it had come there; what processes keep is forgotten."""

    def act(state: RolloutState) -> Rollout:
        row = world.waiting if state == RolloutState.AWAITING_APPROVAL else world.failed
        ended = timezone.now() if state in FINAL else None
        Rollout.objects.filter(pk=row.pk).update(state=state, ended_at=ended, consistent=state != RolloutState.CANCELED)
        boards.clear()
        watches.clear()
        return Rollout.objects.select_related("stage").get(pk=row.pk)

    return act


def test_every_state_of_a_rollout_is_called_the_same_in_every_place(world, owner, sign_in, rollout_in):
    client, wrong = sign_in(owner), []

    def expect(state: RolloutState, place: str, found: bool) -> None:
        if not found:
            wrong.append(f"{state.value} on {place}")

    for state in RolloutState:
        row, words = rollout_in(state), words_of(state)
        get = lambda name, row=row, **more: body(client.get(at(name, world, number=row.number), more))  # noqa: E731
        page = get("rollout")
        expect(state, "the rollout's page", badges(page)[0] == words.label)
        expect(state, "the live answer", f'data-say="{words.label}. ' in get("rollout-live"))
        everything = body(client.get(at("rollouts", world)))
        listed = re.search(rf'/rollouts/{row.number}">.*?</tr>', everything, re.S)[0]
        expect(state, "the list", badges(listed) == [words.label])
        for key, choice in FILTERS.items():
            found = body(client.get(at("rollouts", world), {"state": key}))
            expect(state, f"the filter {key}", (f'/rollouts/{row.number}"' in found) == (state in choice.states))
        if state in FINAL:
            choices = [choice for choice in FILTERS.values() if state in choice.states]
            expect(state, "the filter's choices", [choice.label for choice in choices] == [words.label])
            expect(state, "the filter's form", f">{words.label}</option>" in everything)
        if state in FINAL - {RolloutState.SUCCEEDED}:
            expect(state, "the sentence of the page", re.search(rf'id="now-title">[^A-Z]*(<svg.*?</svg>\s*)?{words.label}', page, re.S))
        compared = body(client.get(at("rollout-compare", world), {"a": world.done.number, "b": row.number}))
        expect(state, "the comparison", re.search(rf"State.*?>\s*{words.label}\s*<", compared, re.S))
        rows = json.loads(body(client.get(at("rollout-export", world, kind="json"))))
        exported = next(one for one in rows if one["number"] == row.number)
        expect(state, "the export", (exported["state"], exported["state_label"]) == (state, words.label))
        stage = body(client.get(at("stage", world, stage=row.stage.name)))
        expect(state, "the stage's history", words.label in badges(stage.partition("history-title")[2]))
        board = body(client.get(at("board", world)))
        if state in BAD | {RolloutState.CANCELED}:
            expect(state, "the stage's badge", badges(stage)[0] == words.label)
            expect(state, "the stage's line", re.search(rf"Rollout {row.number}</a>\s*{words.phrase}\.", stage))
            line = re.search(rf"Rollout {row.number}</a> on <b>{row.stage.name}</b>\s*(.*?)</li>", board, re.S)[1]
            expect(state, "the board's line", line.startswith(words.phrase) and words.reason in line)
            card = board.partition(f'/stages/{row.stage.name}">')[2]
            expect(state, "the card", badges(card)[0] == words.label)
        if state in FINAL:
            said = body(client.get(at("rollout-cancel", world, number=row.number), follow=True))
            expect(state, "a refusal", f"Rollout {row.number} {words.phrase}; there is nothing to cancel." in said)
    assert not wrong, "\n".join(wrong)


def test_every_state_of_a_step_is_called_the_same_in_the_table_of_steps(world, viewer, sign_in):
    client = sign_in(viewer)
    step = Step.objects.filter(rollout=world.failed).order_by("position").first()
    for state in StepState:
        Step.objects.filter(pk=step.pk).update(state=state, started_at=timezone.now(), ended_at=None)
        html = body(client.get(at("rollout", world, number=world.failed.number)))
        cell = re.search(rf'<td\s+class="is-{state.value}"\s+title="([^":]*).*?</td>', html, re.S)
        assert cell and cell[1] == STEP[state] and f"{STEP[state]}\n" in cell[0], state


def test_no_state_is_without_words_and_a_failure_has_one_word():
    assert set(ROLLOUT) == set(RolloutState) and set(STEP) == set(StepState)
    assert {ROLLOUT[state].label for state in BAD} == {STEP[StepState.FAILED]} == {FILTERS["failed"].label} == {"Failed"}
    assert {ROLLOUT[state].phrase for state in BAD} == {"failed"}
    assert STEP[StepState.CANCELED] == ROLLOUT[RolloutState.CANCELED].label
    same = [words.label for words in ROLLOUT.values()]
    assert all(words.reason for words in ROLLOUT.values() if same.count(words.label) > 1 and words != ROLLOUT[RolloutState.FAILED]
               and words != ROLLOUT[RolloutState.CANARY_REJECTED])
