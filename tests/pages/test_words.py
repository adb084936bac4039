"""One set of words for how a rollout and a step stand: every state in every place that shows it."""
from __future__ import annotations

import json
import re
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone

from stages.core.versions import digest
from stages.core.words import FILTERS, ROLLOUT, STEP, words_of
from stages.models import Rollout, RolloutCanary, Stage, Step, VersionSet
from stages.models.governance import Approval
from stages.states import FINAL, LIVE, TIMED, RolloutState, StageStatus, StepState, stage_status

pytestmark = pytest.mark.django_db
S = RolloutState
BAD = {S.FAILED, S.ERRORED}


@pytest.fixture
def rollouts(project) -> dict[RolloutState, Rollout]:
    """A rollout in each state, on a stage of its own that has the name of the state."""
    versions = {"auth": "1.0.0"}
    pins = VersionSet.objects.create(project=project, number=1, digest=digest(versions), versions=versions, size=1)
    found, now = {}, timezone.now()
    for number, state in enumerate(RolloutState, 1):
        stage = Stage.objects.create(project=project, name=state.value, sort_number=50, current_set=pins)
        began = None if state in {S.AWAITING_APPROVAL, S.REJECTED} else now
        found[state] = Rollout.objects.create(
            project=project, stage=stage, number=number, kind="promote", state=state, to_set=pins, requested_by_kind="system",
            requested_by="system", started_at=began, ended_at=now if state in FINAL else None,
            consistent=state != S.CANCELED, revision=1, error="it broke" if state in BAD else "",
        )
        if state in TIMED:
            RolloutCanary.objects.create(rollout=found[state])
    Approval.objects.create(rollout=found[S.AWAITING_APPROVAL], digest="0" * 64, sentence="It needs one more approval.")
    return found


@pytest.fixture
def see(project, owner, sign_in):
    """see(name of a route, its arguments, **query): the text of the answer, to an admin."""
    client = sign_in(owner)

    def act(name: str, where: dict | None = None, **query) -> str:
        answer = client.get(reverse(name, kwargs={"project": project.name, **(where or {})}), query, follow=True)
        assert answer.status_code in (200, 286), (name, answer.status_code)
        return b"".join(answer.streaming_content).decode() if answer.streaming else answer.content.decode()

    return act


def badges(html: str) -> list[str]:
    """The texts of the badges, in order."""
    return [unescape(text) for text in re.findall(r'gs-badge--\w+"[^>]*><span class="gs-dot[^>]*></span>([^<]*)</span>', html)]


def row_of(html: str, number: int) -> str:
    """The row of a list that links to that rollout; empty when there is none."""
    found = re.search(rf'<tr>(?:(?!</tr>).)*/rollouts/{number}"(?:(?!</tr>).)*</tr>', html, re.S)
    return found[0] if found else ""


def test_a_state_has_the_same_label_in_the_list_the_filter_and_the_export(rollouts, see):
    everything, exported = see("rollouts"), json.loads(see("rollout-export", {"kind": "json"}))
    labels = {one["number"]: (one["state"], one["state_label"]) for one in exported}
    for state, row in rollouts.items():
        assert badges(row_of(everything, row.number)) == [words_of(state).label], state
        assert labels[row.number] == (state, words_of(state).label)
    assert '"state","state_label"' in see("rollout-export", {"kind": "csv"})
    for key, choice in FILTERS.items():
        html = see("rollouts", state=key)
        assert re.search(rf'<option value="{key}" selected>{choice.label}</option>', html), key
        assert {state for state, row in rollouts.items() if row_of(html, row.number)} == set(choice.states), key
    for state in FINAL:
        assert [choice.label for choice in FILTERS.values() if state in choice.states] == [words_of(state).label]


@pytest.mark.parametrize("state", list(RolloutState))
def test_a_state_has_the_same_label_on_its_own_pages(rollouts, see, state):
    row, words, where = rollouts[state], words_of(state), {"number": rollouts[state].number}
    page = see("rollout", where)
    assert badges(page)[0] == words.label
    assert f'data-say="{words.label}. ' in see("rollout-live", where)
    assert re.search(rf">State<.*?>\s*{words.label}\s*<", see("rollout-compare", a=row.number, b=row.number % 15 + 1), re.S)
    assert words.label in badges(see("stage", {"stage": state.value}).partition("history-title")[2])
    if state in FINAL - {S.SUCCEEDED}:
        sentence = re.sub(r"<svg.*?</svg>", "", re.search(r'id="now-title">(.*?)</h2>', page, re.S)[1], flags=re.S).strip()
        # The headline of a failure is what failed first; its badge has the word.
        assert sentence == "it broke" if state in BAD else sentence.startswith(words.label) and words.reason in sentence
    if state in FINAL:
        said = unescape(see("rollout-cancel", where))
        assert f"Rollout {row.number} {words.phrase}; there is nothing to cancel." in said


def test_a_failure_has_the_same_word_on_the_card_the_badge_and_the_line(rollouts, see):
    board = see("board")
    for state, row in rollouts.items():
        card = board[board.index(f'<a href="{reverse("stage", kwargs={"project": "isles", "stage": state.value})}">'):]
        lines = re.findall(rf"Rollout {row.number}</a> on <b>{state.value}</b>\s*(.*?)</li>", board, re.S)
        status = stage_status(state, row.consistent)
        if status != StageStatus.UPDATE_FAILED:
            assert badges(card)[0] == status.label and not any(line.startswith("failed") for line in lines), state
            continue
        words, stage = words_of(state), see("stage", {"stage": state.value})
        assert badges(card)[0] == badges(stage)[0] == words.label
        assert re.search(rf"Rollout {row.number}</a>\s*{words.phrase}\.", stage)
        assert len(lines) == 1 and lines[0].startswith(words.phrase)
        assert ("it broke" if state in BAD else "may run other versions than are pinned") in lines[0]
    assert "gs2admin or a worker broke" not in board, "an undo may have broken, or a metrics server"


def test_every_state_of_a_step_has_the_same_label_in_its_cell(rollouts, see):
    row = rollouts[S.FAILED]
    Step.objects.bulk_create(
        Step(rollout=row, position=position, phase="deploy", kind="command", microservice=f"s-{state.value}", state=state,
             old_version="1", new_version="2")
        for position, state in enumerate(StepState)
    )
    html = see("rollout", {"number": row.number})
    for state in StepState:
        cell = re.search(rf'<td\s+class="is-{state.value}"\s+title="([^":]*)"(.*?)</td>', html, re.S)
        assert cell and cell[1] == STEP[state] and re.search(rf">\s*{STEP[state]}\s*<", cell[2]), state


def test_no_state_is_without_words_and_a_failure_has_one():
    assert set(ROLLOUT) == set(RolloutState) and set(STEP) == set(StepState)
    assert {ROLLOUT[state].label for state in BAD} == {STEP[StepState.FAILED], FILTERS["failed"].label} == {"Failed"}
    assert STEP[StepState.CANCELED] == ROLLOUT[S.CANCELED].label
    assert {state for choice in FILTERS.values() for state in choice.states} == FINAL | LIVE | {S.AWAITING_APPROVAL}
