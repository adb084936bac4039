"""The decision about a rollout that waits for approval: pure, as a table."""
from __future__ import annotations

import pytest

from stages.approval.decision import CountedVote, Facts, Requirement, Start, Void, Wait, decide, missing

P, A = frozenset({"producer"}), frozenset({"admin"})
MIKA, OLGA, GONE = CountedVote("person:mika", "mika", "producer"), CountedVote("person:olga", "olga", "admin"), CountedVote("person:x", "x", None)


@pytest.mark.parametrize("needs, votes, facts, decision, sentence", [
    ([], [], Facts(), Start, "No approval is needed any more."),
    ([Requirement(1, P)], [], Facts(), Wait, "It needs 1 approval by producer."),
    ([Requirement(1, P)], [OLGA], Facts(), Wait, "needs 1 approval by producer"),
    ([Requirement(1, P)], [MIKA], Facts(), Start, "Approved by mika."),
    ([Requirement(2, P | A)], [MIKA], Facts(), Wait, "It has 1 of 2 approvals by admin or producer."),
    ([Requirement(2, P | A)], [MIKA, MIKA], Facts(), Wait, "has 1 of 2"),
    ([Requirement(2, P | A)], [MIKA, OLGA, GONE], Facts(), Start, "Approved by mika, olga."),
    ([Requirement(1, P), Requirement(1, A)], [MIKA], Facts(), Wait, "needs 1 approval by admin"),
    ([Requirement(1, P), Requirement(1, A)], [MIKA, OLGA], Facts(), Start, "Approved by mika, olga."),
    ([Requirement(1, frozenset(), frozenset({"olga"}))], [OLGA], Facts(), Start, "olga"),
    ([Requirement(1, A)], [GONE], Facts(), Wait, "needs 1"),
    ([Requirement(1, P)], [MIKA], Facts(moved=True), Void, "no longer what was requested"),
    ([], [], Facts(moved=True), Void, "no longer what was requested"),
    ([Requirement(1, P)], [MIKA], Facts(ended="dev was deleted."), Void, "dev was deleted."),
    ([Requirement(1, P)], [MIKA], Facts(live=7), Wait, "waits for the end of rollout 7"),
    ([Requirement(1, P)], [MIKA], Facts(gates=["Promotions are stopped."]), Wait, "Promotions are stopped."),
    ([], [], Facts(gates=["Promotions are stopped."]), Wait, "Promotions are stopped."),
])
def test_the_decision(needs, votes, facts, decision, sentence):
    found = decide(needs, votes, facts)
    assert isinstance(found, decision) and sentence in found.sentence


@pytest.mark.parametrize(("need", "words"), [
    (Requirement(1, P), "1 approval by producer"), (Requirement(2, P), "2 approvals by producer"),
    (Requirement(1, P | A, frozenset({"mika", "dan"})), "1 approval by dan, mika, admin or producer"),
    (Requirement(3, frozenset(), frozenset({"mika"})), "3 approvals by mika"),
    (Requirement(1, A, frozenset({"mika"})), "1 approval by mika or admin"),
])  # fmt: skip
def test_a_requirement_in_words(need, words):
    assert need.words == words


def test_what_is_missing_is_one_sentence_over_all_requirements():
    needs = [Requirement(2, P), Requirement(1, A), Requirement(1, P)]
    assert missing(needs, [MIKA]) == "It has 1 of 2 approvals by producer and needs 1 approval by admin."
    assert missing([Requirement(1, P)], [MIKA]) == missing([], []) == ""


def test_more_than_is_needed_is_enough_and_counts_each_voter_once():
    assert missing([Requirement(1, P | A)], [MIKA, OLGA]) == ""
    assert missing([Requirement(2, P)], [MIKA, CountedVote("person:mika", "mika", "producer")]).startswith("It has 1 of 2")


def test_who_is_named_may_approve_only_with_a_role_in_the_project():
    named = Requirement(1, A, frozenset({"mika", "x"}))
    assert named.allows("producer", "mika") and named.allows("admin", "olga")
    assert not named.allows("producer", "dan") and not named.allows(None, "x") and not named.allows(None, "olga")


def test_whose_approval_counts_no_more_is_not_named():
    assert decide([Requirement(1, P)], [MIKA, OLGA, GONE], Facts()).sentence == "Approved by mika."


def test_each_reason_stands_before_the_next():
    need, all_of_it = [Requirement(1, A)], Facts(ended="It is over.", moved=True, live=0, gates=["Closed.", "Frozen."])
    assert decide(need, [], all_of_it) == Void("It is over.")
    assert decide(need, [], Facts(moved=True, live=1)) == Void(
        "What it would change is no longer what was requested, so the request ended. Look at the new preview and request it again.")
    assert decide(need, [], Facts(live=1, gates=["Closed."])) == Wait("It needs 1 approval by admin.")
    assert decide(need, [OLGA], Facts(live=0, gates=["Closed."])) == Wait("Approved; it waits for the end of rollout 0.")
    assert decide(need, [OLGA], Facts(gates=["Closed.", "Frozen."])) == Wait(
        "Approved; it starts when no gate blocks it any more. Closed. Frozen.")
    assert decide(need, [OLGA], Facts()) == Start("Approved by olga.")
