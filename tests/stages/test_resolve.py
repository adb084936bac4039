"""Who gets which version: the same players for ever, nested sets, ETag, one query; by the API and on its page."""
from __future__ import annotations

import base64
from functools import cache

import pytest
from django.test import Client

from gs2admin import cache as caches
from gs2admin.identity.actors import SYSTEM
from stages.canary import resolve
from stages.canary.resolve import EMPTY, PLACES, Resolution, Split, load_sets, place_of, read, read_all, resolve_in, splits
from stages.canary.services import accept_canary, advance_canary, reject_canary
from stages.models import Rollout
from stages.rollouts.services import cancel_rollout, promote_stage
from tests.stages.kinds import scenario

pytestmark = pytest.mark.django_db
WEIGHTS = [{"percent": 5}, {"percent": 20}, {"percent": 50}]


@pytest.fixture(autouse=True)
def _fresh():
    splits.clear()
    yield
    splits.clear()


@pytest.fixture
def canary(dev, register, kind, promote, run):
    """dev pins auth 1 and chat 1; a canary with auth 2 is up at 5 %."""
    register(auth="1", chat="1")
    promote(dev)
    scenario(dev, phases=("canary", "deploy"), strategy="canary", canary={"weights": WEIGHTS})
    register(auth="2", mail="1")
    return run(promote_stage(actor=SYSTEM, stage=dev))


@pytest.fixture
def ask(credential, client):
    """ask(user, etag="", stage="dev") by the JSON API, with the project's credential."""
    row, secret = credential
    auth = "Basic " + base64.b64encode(f"{row.client_id}:{secret}".encode()).decode()

    def act(user: str, etag: str = "", stage: str = "dev", auth: str = auth):
        splits.clear()
        more = {"HTTP_IF_NONE_MATCH": etag} if etag else {}
        return Client().get(f"/api/v1/stages/{stage}/resolve", {"userId": user}, HTTP_AUTHORIZATION=auth, **more)

    return act


def gray(stage, players) -> set[str]:
    splits.clear()
    split = splits.get(stage.project_id, stage.name)
    return {player for player in players if resolve_in(split, player).gray}


def test_a_higher_weight_only_adds_players_and_shares_are_fair(dev, canary):
    players = [f"user-{n:06d}" for n in range(20_000)]
    sets = [gray(dev, players)]
    for _ in range(2):
        advance_canary(actor=SYSTEM, rollout=canary)
        sets.append(gray(dev, players))
    assert sets[0] < sets[1] < sets[2] and sets[0] == gray(dev, players) & sets[0]
    for share, found in zip((5, 20, 50), sets, strict=True):
        assert abs(100 * len(found) / len(players) - share) < 1
    assert {place_of("1/1", p) < 500 for p in players[:50]} != {place_of("1/2", p) for p in players[:50]}


def test_the_api_answers_every_microservice_for_one_player(dev, canary, ask):
    answers = {user: ask(user).json() for user in (f"u{n}" for n in range(60))}
    new = {user for user, answer in answers.items() if answer["gray"]}
    assert new and new != set(answers)
    for user, answer in answers.items():
        assert (answer["userId"], answer["stage"], answer["rollout"]) == (user, "dev", canary.number)
        assert answer["versions"] == (
            {"auth": "2", "chat": "1", "mail": "1"} if user in new else {"auth": "1", "chat": "1"}
        )


@pytest.mark.parametrize("how", ["reject", "cancel", "accept"])
def test_when_the_canary_is_over_its_players_follow_at_once(dev, canary, ask, run, how):
    player = next(f"u{n}" for n in range(500) if ask(f"u{n}").json()["gray"])
    if how == "accept":
        accept_canary(actor=SYSTEM, rollout=canary)
        assert ask(player).json()["gray"], "nobody falls back while everybody follows"
        run(canary)
        assert ask(player).json()["versions"]["auth"] == ask("u-any").json()["versions"]["auth"] == "2"
    else:
        (reject_canary if how == "reject" else cancel_rollout)(actor=SYSTEM, rollout=canary)
        assert ask(player).json() == {
            "stage": "dev", "userId": player, "versions": {"auth": "1", "chat": "1"}, "gray": False, "rollout": None,
        }


def test_an_etag_stands_for_exactly_this_answer(dev, canary, ask):
    players = [f"u{n}" for n in range(200)]
    old = next(player for player in players if not ask(player).json()["gray"])
    first = ask(old)
    again = ask(old, first["ETag"])
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert first["Cache-Control"] == "no-store"
    late = next(p for p in players if 2000 <= place_of(f"{dev.project_id}/{canary.number}", p) < 5000)
    before = ask(late)["ETag"]
    advance_canary(actor=SYSTEM, rollout=canary)
    assert ask(late, before).status_code == 304, "20 % is not its turn yet"
    advance_canary(actor=SYSTEM, rollout=canary)
    after = ask(late, before)
    assert after.status_code == 200 and after["ETag"] != before and after.json()["gray"]


def test_it_costs_one_query_and_mostly_none(dev, canary, django_assert_num_queries, monkeypatch):
    monkeypatch.setattr(resolve, "KEEP_S", 60.0)
    splits.clear()
    with django_assert_num_queries(3):  # the stage, and its two sets, which are never read again
        for n in range(100):
            resolve_in(splits.get(dev.project_id, "dev"), f"u{n}")


def test_a_stranger_and_a_wrong_name_learn_nothing(dev, canary, ask, foreign_credential):
    row, secret = foreign_credential
    foreign = "Basic " + base64.b64encode(f"{row.client_id}:{secret}".encode()).decode()
    assert ask("u1", stage="nope").status_code == 404
    assert ask("u1", auth=foreign).status_code == 404
    assert ask("u1", auth="").status_code == 401
    assert ask("").status_code == 400


def test_the_page_says_which_versions_and_why(dev, canary, client, viewer, project):
    client.force_login(viewer)
    url = f"/p/{project.name}/resolve"

    def text(user: str) -> str:
        return " ".join(client.get(url, {"userId": user}).content.decode().split())

    assert "No player yet" in client.get(url).content.decode()
    new = next(f"u{n}" for n in range(500) if place_of(f"{project.pk}/{canary.number}", f"u{n}") < 500)
    page = text(new)
    assert "below 5: the player has the new versions" in page and f"Rollout {canary.number}" in page and "new versions" in page
    old = next(f"u{n}" for n in range(500) if place_of(f"{project.pk}/{canary.number}", f"u{n}") >= 500)
    assert "not below 5: the player has the old versions" in text(old)
    Rollout.objects.filter(pk=canary.pk).update(state="canary_rejecting")
    assert "No canary is up" in text(new)
    assert "&lt;b&gt;" in client.get(url, {"userId": "<b>"}).content.decode()


@cache
def player_at() -> dict[int, str]:
    """{place: player} in rollout 7 of project 1, one for each place."""
    return {place_of("1/7", user): user for user in (f"u{n}" for n in range(200_000))}


@pytest.mark.parametrize("weight", [0, 1, 5, 50, 99, 100])
def test_a_weight_takes_exactly_the_places_below_it(weight):
    """Also the first place past the weight, which one player in ten thousand has; at weight 0 that is place 0."""
    split, first_past = Split(stage_id=1, project_id=1, set_id=None, rollout=7, weight=weight), weight * PLACES // 100
    wanted = {0, first_past - 1, first_past, PLACES - 1} & set(range(PLACES))
    players = {place: player_at()[place] for place in wanted}
    answers = {place: resolve_in(split, user) for place, user in players.items()}
    assert {place: (answer.place, answer.gray) for place, answer in answers.items()} == {
        place: (place, place < first_past) for place in wanted
    }


def test_the_split_is_what_the_stage_has_at_this_moment(dev, stg, project, register, promote, kind):
    assert read(project.pk, "dev") == Split(dev.pk, project.pk, None) and read(project.pk, "nope") is None
    register(auth="1")
    promote(dev)
    dev.refresh_from_db()
    assert read_all(project.pk) == [
        ("dev", Split(dev.pk, project.pk, dev.current_set_id, 0, None, 0)), ("stg", Split(stg.pk, project.pk, None, 0, None, 0))]


def test_a_canary_that_is_up_is_part_of_the_split_and_one_that_is_over_is_not(dev, canary, project):
    dev.refresh_from_db()
    plain, up = Split(dev.pk, project.pk, dev.current_set_id), Split(
        dev.pk, project.pk, dev.current_set_id, canary.number, canary.to_set_id, 5)
    rows = Rollout.objects.filter(pk=canary.pk)
    for state, leg, expected in (
        ("canary_hold", "canary", up), ("canary_analyzing", "canary", up), ("running", "full", up), ("running", "canary", plain),
        ("canary_rejecting", "canary", plain), ("canceling", "full", plain),
    ):
        rows.update(state=state, leg=leg)
        assert read(project.pk, "dev") == expected, (state, leg)


def test_a_split_and_its_sets_are_cached_and_forgotten(dev, canary, project, django_assert_num_queries):
    dev.refresh_from_db()
    with django_assert_num_queries(1):
        found = load_sets([dev.current_set_id, canary.to_set_id, None])
    assert found[None] == EMPTY == ({}, "0" * 24)
    assert found[dev.current_set_id] == (dev.current_set.versions, dev.current_set.digest)
    with django_assert_num_queries(0):
        assert load_sets([dev.current_set_id, None]) == {key: found[key] for key in (dev.current_set_id, None)}
    splits.clear()
    with django_assert_num_queries(2):
        splits.get(project.pk, "dev")
        load_sets([dev.current_set_id])


def test_a_place_is_the_same_for_ever_and_any_text_has_one():
    assert [place_of("1/7", user) for user in ("u1", "u2", "\ud800", "")] == [7161, 227, 9287, 1228]
    assert place_of("1/7", "u1") != place_of("1/8", "u1")


def test_the_entity_tag_has_the_versions_the_canary_and_the_side():
    split = Split(1, 1, None, rollout=7)
    tags = [Resolution({}, {}, side, 1, split, "0123456789" * 4).etag for side in (False, True)]
    assert tags == ['"012345678901234567890123-7-0"', '"012345678901234567890123-7-1"']
    assert resolve_in(Split(1, 1, None), "u1") == Resolution({}, {}, False, None, Split(1, 1, None), "0" * 24)


def test_a_split_is_at_most_a_fifth_of_a_second_old(dev, project, monkeypatch):
    class Clock:
        now = 100.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(caches, "time", clock)
    assert splits.get(project.pk, "dev").weight == 0
    asked = []
    monkeypatch.setattr(resolve, "read", lambda *of: asked.append(of))
    for moment, times in ((100.19, 0), (100.21, 1)):
        clock.now = moment
        splits.get(project.pk, "dev")
        assert len(asked) == times


def test_what_a_set_takes_of_the_memory_is_counted_by_its_text_and_its_entries(canary):
    versions = canary.to_set.versions
    assert versions and resolve._sets._size_of((versions, "digest")) == sum(map(len, [*versions, *versions.values()])) + 200 * len(versions)
