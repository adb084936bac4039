"""Everything about one player on one page, each part by itself."""
from __future__ import annotations

import re
from html import unescape
from urllib.parse import quote

import pytest
from django.urls import reverse

from gs2admin.audit.models import Activity
from gs2admin.dashboard.player import address, registry
from gs2admin.identity.actors import SYSTEM
from jobqueue.models import Job
from jobqueue.pages.views import parts
from jobqueue.services import push_jobs, run_next
from jobqueue.services.jobs import Entry
from jobqueue.services.namespaces import create_namespace
from locks.services.namespaces import create_namespace as create_lock_namespace
from tests.pages.locks import hold, let_go, run_out
from tests.pages.queue_pages import as_stored
from tests.pages.test_queues import ODD_IDS, page, text_of

pytestmark = pytest.mark.django_db
FRAGMENT = {"HX-Request": "true"}


def at(name: str = "player", user: str = "u-1", **words) -> str:
    return address("isles", user, name, **words)


def part(client, key: str, user: str = "u-1") -> str:
    answer = client.get(at("player-part", user, part=key), headers=FRAGMENT)
    assert answer.status_code == 200, answer.content.decode()[:1000]
    return answer.content.decode()


@pytest.fixture
def desk(sign_in, support):
    """Support at the browser."""
    return sign_in(support)


def test_each_part_is_loaded_by_itself_and_is_a_link_without_script(desk, job_world, lock_world):
    html = page(desk, at())
    frames = re.findall(r'<section class="card gs-part" id="part-([\w-]+)" hx-get="([^"]+)"[^>]*><div[^>]*><h2><a href="([^"]+)">', html)
    assert [key for key, *_ in frames] == ["queues", "given-up", "past", "mutexes", "versions", "mutexes-before", "data", "notes", "staff"]
    for key, load, link in frames:
        assert load == link
        fragment = desk.get(unescape(load), headers=FRAGMENT).content.decode()
        assert f'id="part-{key}"' in fragment.lstrip()[:200] and "<html" not in fragment
        alone = page(desk, unescape(link))
        assert f'id="part-{key}"' in alone and alone.count("<h1") == 1
    assert "2 jobs waiting · 1 queue retrying" in text_of(html) and "1 mutex held" in text_of(html)


def test_queues_of_all_namespaces_are_together_the_failing_one_first(desk, project, job_world, push):
    mails = create_namespace(actor=SYSTEM, project=project, name="a-mails", enable_auto_run=True)
    create_namespace(actor=SYSTEM, project=project, name="b-empty")
    push(mails, "send_mail")
    html = part(desk, "queues")
    words = text_of(html)
    assert words.index("Waiting in rewards retrying") < words.index("Waiting in a-mails")
    assert "1 bad 1 of 3 tries failed 404 item.notFound" in words and "2 add_entry Waits behind 1" in words
    assert "9007199254740993" in words and "1.10" in words and "2E5" in words, "the head's arguments, exact"
    assert html.count("Run next…") == 1, "where the server runs the jobs, nobody does by hand"


def test_attempts_show_status_and_body_newest_first_and_go_on(desk, job_world, push, attempts, monkeypatch):
    monkeypatch.setattr(parts, "PAST", 2)
    monkeypatch.setattr(parts, "LONG", 2)
    for _ in range(3):
        push(job_world.rewards, "good", user="long")
        run_next(actor=SYSTEM, namespace=job_world.rewards, user_id="long")
    names = lambda html: re.findall(r'<b>(\w+)</b></a>\s*<span class="gs-badge', html)  # noqa: E731
    html = part(desk, "past", "long")
    assert names(html) == ["good", "good"] and '"ok"' in unescape(html) and "200" in html
    older = page(desk, unescape(re.search(r'href="([^"]+)" rel="next"', html)[1]))
    assert names(older) == ["good"] and "Newest" in older
    both = text_of(part(desk, "past"))
    assert both.index("bad Given up 404") < both.index("good Done 200")


def test_given_up_jobs_are_replayed_from_here_and_one_comes_back_here(desk, job_world):
    html = part(desk, "given-up")
    replay = unescape(re.search(r'href="([^"]+/replay[^"]*)"', html)[1])
    assert "from=player" in replay and "Replay" in page(desk, replay)
    desk.post(replay, {"reason": "ticket"})
    assert job_world.dead.replays.count() == 1
    assert "replayed" in part(desk, "given-up")


@pytest.mark.parametrize("name", ["run", "delete"])
def test_actions_end_on_the_players_page(desk, job_world, name, attempts):
    attempts.on["bad"] = 200
    html = part(desk, "queues")
    url = unescape(re.search(rf'href="([^"]+/{name}[^"]*from=player)"', html)[1])
    answer = desk.post(url, {"reason": "ticket 8812"})
    assert answer.headers["Location"] == at()
    staff = text_of(part(desk, "staff"))
    assert staff.startswith("What staff did sora") or "sora" in staff and "ticket 8812" in staff


def test_mutexes_held_and_before_and_a_release_from_here(desk, lock_world):
    words = text_of(part(desk, "mutexes"))
    assert re.search(r"gacha tx-1 · counter 2 · revision 2 · inventory 9 min \d+ s left Release… gacha held for .* 3 tries denied", words), words
    before = text_of(part(desk, "mutexes-before"))
    assert before.index("gate Unlocked") < before.index("Expired without unlock"), "and run out is not held"
    release = unescape(re.search(r'href="([^"]+release\?from=player)"', part(desk, "mutexes"))[1])
    answer = desk.post(release, {"revision": lock_world.mutex.revision, "reason": "stuck"})
    assert answer.headers["Location"] == at() and "holds no mutex" in part(desk, "mutexes")
    assert "stuck" in part(desk, "staff")


def test_what_staff_did_has_every_kind_of_line_of_this_player_alone(desk, sign_in, owner, actor_of, job_world, lock_world, push):
    sora = actor_of(owner)
    push_jobs(actor=sora, namespace=job_world.rewards, user_id="u-1", entries=[Entry("mine", "{}", 3)])
    push_jobs(actor=sora, namespace=job_world.rewards, user_id="u-10", entries=[Entry("hers", "{}", 3)])
    desk.post(at("player-dump"), {"reason": "asked by the player"})
    words = text_of(part(desk, "staff"))
    assert "olga pushed" in words and "sora had the data dumped of" in words and "hers" not in words
    assert Activity.objects.filter(player="u-1").count() == 2 and Activity.objects.filter(player="u-10").count() == 1
    listed = page(desk, reverse("activity", kwargs={"project": "isles"}), player="u-10")
    assert listed.count('id="line-') == 1


def test_who_may_not_act_sees_no_buttons(sign_in, viewer, job_world, lock_world):
    desk = sign_in(viewer)
    html = page(desk, at()) + part(desk, "queues") + part(desk, "past") + part(desk, "mutexes")
    for word in ("Run next", "Delete…", "Replay…", "Release…", "Erase…", "Export…", "Import…"):
        assert word not in html
    assert 'id="part-data"' not in html
    assert desk.get(at("player-part", part="data"), headers=FRAGMENT).status_code == 404


def test_live_says_nothing_until_something_moves(desk, job_world, lock_world, push):
    html = page(desk, at())
    live, after = unescape(re.search(r'data-live="([^"]+)"', html)[1]), re.search(r'data-after="(\d+)"', html)[1]
    assert desk.get(live, {"id": "u-1", "after": after}).status_code == 204
    let_go(lock_world.namespace), let_go(lock_world.namespace)
    answer = desk.get(live, {"id": "u-1", "after": after})
    moved, again = answer.content.decode(), re.search(r'data-after="(\d+)"', answer.content.decode())[1]
    assert answer.status_code == 200 and "holds no mutex" in moved and again != after
    assert moved.count('hx-swap-oob="true"') == len(set(re.findall(r'id="([\w-]+)"[^>]*hx-swap-oob="true"', moved)))
    assert desk.get(live, {"id": "u-1", "after": again}).status_code == 204
    push(job_world.rewards, "new_one")
    assert "new_one" in desk.get(live, {"id": "u-1", "after": again}).content.decode()


def test_a_mutex_that_runs_out_by_itself_is_seen_by_the_live_page(desk, lock_world):
    html = page(desk, at())
    live, after = unescape(re.search(r'data-live="([^"]+)"', html)[1]), re.search(r'data-after="(\d+)"', html)[1]
    run_out(lock_world.mutex)
    assert desk.get(live, {"id": "u-1", "after": after}).status_code == 200


@pytest.mark.parametrize("user", ODD_IDS)
def test_any_id_has_a_page_and_all_its_parts(desk, project, job_world, push, user):
    push(job_world.rewards, user=user)
    namespace = create_lock_namespace(actor=SYSTEM, project=project, name="inventory")
    hold(namespace, user=user)
    html = page(desk, f"/p/isles/player?id={quote(user, safe='')}")
    assert as_stored(re.search(r'<bdi class="gs-who">(.*?)</bdi>', html, re.S)[1]) == user and "<b>bold" not in html
    for each in registry.parts:
        assert "<b>bold" not in part(desk, each.key, user)
    run = unescape(re.search(r'href="([^"]+)" id="do-run-', part(desk, "queues", user))[1])
    assert desk.post(run, {}).headers["Location"] == at(user=user)
    assert Job.objects.get(queue__user_id=user).state == "done"


def test_a_player_nobody_knows_has_a_page_too_and_no_id_has_none(desk, job_world):
    assert "Nothing waits and nothing is held." in page(desk, at(user="nobody"))
    assert "waits in any namespace of this project: none was ever pushed" in part(desk, "queues", "nobody")
    assert "names no player" in page(desk, "/p/isles/player", 404)


@pytest.mark.parametrize("key", [each.key for each in registry.parts])
def test_a_part_costs_the_same_however_much_there_is(desk, project, job_world, lock_world, push, key, django_assert_max_num_queries):
    for n in range(8):
        namespace = create_namespace(actor=SYSTEM, project=project, name=f"namespace-{n}")
        for _ in range(3):
            push(namespace, "good")
        run_next(actor=SYSTEM, namespace=namespace, user_id="u-1")
        hold(lock_world.namespace, f"p-{n}")
    part(desk, key)
    with django_assert_max_num_queries(17):
        part(desk, key)


def test_nothing_of_another_projects_player_is_shown(sign_in, stranger, other_project, job_world, lock_world):
    desk = sign_in(stranger)
    for each in registry.parts:
        html = desk.get(address("other", "u-1", "player-part", part=each.key), headers=FRAGMENT).content.decode()
        assert not re.search(r"rewards|gacha|add_entry|tx-1", html)


def test_an_id_that_is_too_long_is_nobodys_and_is_not_cut_to_another_players(desk, project, job_world):
    url = reverse("player", kwargs={"project": project.name})
    long = "u" * 129
    answer = desk.get(url, {"id": long})
    assert answer.status_code == 404 and "at most 128 characters" in answer.content.decode()
    listed = desk.get(reverse("players", kwargs={"project": project.name}), {"q": "u-1" + "x" * 200})
    assert listed.status_code == 200 and f'{address(project, "u-1")}"' not in listed.content.decode()
    found = desk.get(reverse("search", kwargs={"project": project.name}), {"q": "u-1".ljust(2_000, "1")})
    assert found.status_code == 200 and f'{address(project, "u-1")}"' not in found.content.decode()
