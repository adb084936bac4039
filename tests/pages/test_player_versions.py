"""Which versions does this player get? A part of the player's page, and a word in its head while a canary is up."""
from __future__ import annotations

from itertools import count

import pytest

from gs2admin.dashboard.player import address
from gs2admin.identity.actors import SYSTEM
from stages.canary.resolve import place_of
from stages.canary.services import reject_canary
from tests.pages.test_queues import page, text_of

pytestmark = pytest.mark.django_db
FRAGMENT = {"HX-Request": "true"}


@pytest.fixture
def desk(sign_in, support):
    """Support at the browser."""
    return sign_in(support)


def someone(world, low: int, high: int) -> str:
    """A player whose place in the canary that is up is from low to high."""
    salt = f"{world.project.pk}/{world.holding.number}"
    return next(user for user in (f"u-{n}" for n in count()) if low <= place_of(salt, user) < high)


def part(client, world, user: str) -> str:
    answer = client.get(address(world.project, user, "player-part", part="versions"), headers=FRAGMENT)
    assert answer.status_code == 200, answer.content.decode()[:500]
    return answer.content.decode()


def test_who_is_in_the_canary_sees_its_versions_marked_and_the_head_says_so(desk, world):
    weight = world.holding.gray_weight * 100
    user = someone(world, 0, weight)
    html = text_of(part(desk, world, user))
    assert "gray, 3 microservices canary" in html and "chat 0.9.0 canary" in html
    assert f"Rollout {world.holding.number} gives its versions to {world.holding.gray_weight} % of the players" in html
    assert f"gets the canary of rollout {world.holding.number} on gray" in text_of(page(desk, address(world.project, user)))


def test_who_is_not_sees_what_everybody_has(desk, world):
    user = someone(world, 9_900, 10_000)
    html = part(desk, world, user)
    words = text_of(html)
    assert "and has the old ones" in words and 'gs-tag--warn">canary' not in html
    assert "live, 3 microservices" in words and "auth 1.0.0" in words
    assert "gets the canary" not in text_of(page(desk, address(world.project, user)))


def test_the_part_moves_when_the_canary_does(desk, world):
    user = someone(world, 0, 100)
    html = page(desk, address(world.project, user))
    url = html.split('data-live="')[1].split('"')[0].replace("&amp;", "&")
    after = html.split('data-after="')[1].split('"')[0]
    ask = lambda: desk.get(url, {"id": user, "after": after})  # noqa: E731
    assert ask().status_code == 204
    reject_canary(actor=SYSTEM, rollout=world.holding)
    answer = ask()
    assert answer.status_code == 200 and 'id="part-versions"' in answer.content.decode()


def test_another_projects_stages_are_not_in_it(desk, world):
    empty = address(world.project, "u-1", "player-part", part="versions")
    assert "isles" in empty and "live" in text_of(desk.get(empty, headers=FRAGMENT).content.decode())
    foreign = desk.get(empty.replace("/isles/", "/nowhere/"), headers=FRAGMENT)
    assert foreign.status_code == 404
