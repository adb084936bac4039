"""The pages of locks: what is held and what never is, who held it, and taking it from somebody."""
from __future__ import annotations

import re
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone

from gs2admin.audit.models import Activity
from gs2admin.dashboard import attention
from gs2admin.errors import Conflict, NotFound
from gs2admin.identity.actors import SYSTEM
from gs2admin.spans import span_of
from locks import reads, stats
from locks.models import Holding, LockNamespace, LockTally, Mutex
from locks.pages.views import mutex as mutex_views
from locks.pages.views import namespaces as namespace_views
from locks.services.namespaces import create_namespace
from tests.pages.locks import GRN, hold, let_go, run_out
from tests.pages.test_queues import page, text_of

pytestmark = pytest.mark.django_db


def at(name: str, namespace: LockNamespace, **words) -> str:
    return reverse(name, kwargs={"project": namespace.project.name, "namespace": namespace.name, **words})


def held_list(html: str) -> str:
    return html.split('id="lock-held"')[1].split("</section>")[0]


@pytest.fixture
def namespace(lock_world):
    return lock_world.namespace


@pytest.fixture
def desk(sign_in, support):
    """Support at the browser."""
    return sign_in(support)


def test_the_list_has_every_namespace_with_its_numbers(desk, project, namespace):
    create_namespace(actor=SYSTEM, project=project, name="trades")
    html = page(desk, reverse("locks", kwargs={"project": "isles"}))
    row = text_of(html.split(">inventory</a>")[1].split("</tr>")[0])
    # What has run out is held no more, whether a cleaner has noted it or not.
    assert re.match(r"1 \S+( s)? 2 3 0$", row), f"held, longest, acquired, denied, expired: {row}"
    assert "trades" in html and "New namespace" not in html


def test_held_mutexes_are_listed_with_all_that_support_asks_for(desk, namespace, lock_world):
    html = page(desk, at("locks-namespace", namespace))
    words = text_of(held_list(html))
    assert re.search(r"gacha u-1 tx-1 2 2 [\d.]+ s 9 min \d+ s 3 0 Release…", words), words
    assert re.search(r'data-left="(59\d|600)\.\d"', html), "for the script that counts down"
    assert "gate" not in held_list(html) and "日本" not in held_list(html), "free, and run out"
    assert "Held at most, per minute: at most 1 at once." in html
    assert "Denied and expired, per minute: 3 denied, 0 expired without unlock." in html


def test_an_expired_mutex_is_never_shown_as_held(desk, namespace, lock_world):
    run_out(lock_world.mutex)
    assert "Nothing is held" in page(desk, at("locks-namespace", namespace))
    shown = text_of(page(desk, at("locks-mutex", namespace, pk=lock_world.mutex.pk)))
    assert "gacha Free" in shown and "expired without unlock" in shown and "Release…" not in shown
    assert desk.get(at("locks-release", namespace, pk=lock_world.mutex.pk)).status_code == 302


def test_filters_stand_in_the_address_and_take_ids_as_they_are(desk, namespace):
    hold(namespace, GRN + "x", "tx-7", user=" a/b?<i> ")
    hold(namespace, "gacha", "tx-8", user="u-2")
    user = page(desk, at("locks-namespace", namespace), user=" a/b?<i> ")
    assert "tx-7" in held_list(user) and "tx-8" not in held_list(user) and "<i>" not in user
    front = page(desk, at("locks-namespace", namespace), property=GRN[:40])
    assert "tx-7" in held_list(front) and "tx-1" not in held_list(front)
    assert "Nothing that fits" in page(desk, at("locks-namespace", namespace), property="GACHA")
    assert "tx-1" in held_list(page(desk, at("locks-namespace", namespace), place="nonsense~1")), "the first page"


def test_every_held_mutex_is_on_exactly_one_page(desk, namespace, monkeypatch):
    monkeypatch.setattr(namespace_views, "PAGE", 4)
    for n in range(10):
        hold(namespace, f"p-{n:02d}")
    Mutex.objects.filter(property_id__in=[f"p-{n:02d}" for n in range(7)]).update(acquired_ms=1_000)
    seen, url = [], at("locks-namespace", namespace)
    html = page(desk, url, property="p-")
    for _ in range(5):
        seen += re.findall(r"<bdi>(p-\d+)</bdi>", held_list(html))
        following = re.search(r'href="([^"]+)" rel="next"', html)
        if not following:
            break
        html = page(desk, url + unescape(following[1]))
    assert sorted(seen) == [f"p-{n:02d}" for n in range(10)]


def test_the_live_list_says_nothing_while_nothing_is_new(desk, namespace, lock_world, monkeypatch):
    now_ms = reads.now_ms()
    monkeypatch.setattr(reads, "now_ms", lambda: now_ms)  # the charts move on with the minute
    html = page(desk, at("locks-namespace", namespace))
    live, after = unescape(re.search(r'data-live="([^"]+)"', html)[1]), re.search(r'data-after="(\d+)"', html)[1]
    assert desk.get(live, {"after": after}).status_code == 204
    let_go(namespace), let_go(namespace)
    answer = desk.get(live, {"after": after})
    assert answer.status_code == 200 and "Nothing is held" in answer.content.decode()


def test_a_mutex_shows_who_held_it_and_how_that_ended(desk, namespace, lock_world, monkeypatch):
    html = page(desk, at("locks-mutex", namespace, pk=lock_world.mutex.pk))
    assert re.search(r"tx-0 1 .*Unlocked", text_of(html.split('id="mutex-past"')[1].split("</table>")[0]))
    details = text_of(html.split('id="mutex-details"')[1])
    assert "Transaction tx-1 Counter 2 Revision 2 fencing token" in details and "Denied tries 3" in details
    monkeypatch.setattr(mutex_views, "PAGE", 1)
    for n in range(3):
        hold(namespace, "gate", f"tx-{n}"), let_go(namespace, "gate", f"tx-{n}")
    url, seen = at("locks-mutex", namespace, pk=lock_world.free.pk), []
    html = page(desk, url)
    for _ in range(6):
        seen += [int(number) for number in re.findall(r'data-label="revision">(\d+)<', html)]
        following = re.search(r'href="([^"]+)" rel="next"', html)
        if not following:
            break
        html = page(desk, url + unescape(following[1]))
    assert seen == [4, 3, 2, 1]


def test_release_by_force_asks_for_a_reason_and_beats_the_old_holder(desk, namespace, lock_world):
    mutex = lock_world.mutex
    url = at("locks-release", namespace, pk=mutex.pk)
    asked = page(desk, url)
    assert "The transaction tx-1 loses it at once, whatever its counter (2)" in asked
    revision = re.search(r'name="revision" value="(\d+)"', asked)[1]
    assert desk.post(url, {"revision": revision}).status_code == 400
    mutex.refresh_from_db()
    assert mutex.counter == 2, "no reason, no release"
    answer = desk.post(url, {"revision": revision, "reason": "ticket 8812"}, follow=True)
    assert "tx-1 holds it no more" in answer.content.decode()
    line = Activity.objects.get(action="mutex.force_release")
    assert (line.actor_name, line.reason, line.player, line.door) == ("sora", "ticket 8812", "u-1", "browser")
    assert Holding.objects.get(mutex=mutex, revision=revision).ended_by == "sora"
    with pytest.raises((NotFound, Conflict)):
        let_go(namespace)
    assert hold(namespace, transaction="tx-5").revision > int(revision)
    assert "released it by force" in page(desk, at("locks-mutex", namespace, pk=mutex.pk))


def test_a_release_that_comes_too_late_takes_nothing_from_the_next_holder(desk, namespace, lock_world):
    url = at("locks-release", namespace, pk=lock_world.mutex.pk)
    let_go(namespace), let_go(namespace)
    hold(namespace, transaction="tx-6")
    answer = desk.post(url, {"revision": lock_world.mutex.revision, "reason": "late"})
    assert answer.status_code == 409 and "Somebody else holds this mutex by now" in answer.content.decode()
    lock_world.mutex.refresh_from_db()
    assert lock_world.mutex.transaction_id == "tx-6" and lock_world.mutex.counter == 1


def test_developers_make_change_and_delete_namespaces(sign_in, developer, project, namespace, lock_world):
    desk = sign_in(developer)
    new = reverse("locks-new", kwargs={"project": "isles"})
    assert desk.post(new, {"name": "trades", "description": "x"}).status_code == 302
    made = LockNamespace.objects.get(project=project, name="trades")
    assert desk.post(new, {"name": "trades"}).status_code == 409
    assert desk.post(at("locks-edit", made), {"description": "", "log_setting": '{"loggingNamespaceId": "grn:x"}'}).status_code == 302
    made.refresh_from_db()
    assert (made.description, made.log_setting) == ("", {"loggingNamespaceId": "grn:x"})
    assert "1 mutex is held in it and released by this" in page(desk, at("locks-delete", namespace))
    assert desk.post(at("locks-delete", namespace), {"reason": "season over"}).status_code == 302
    assert not Mutex.objects.filter(namespace_id=namespace.pk).exists()


def test_another_projects_mutex_is_not_there(sign_in, stranger, other_project, lock_world):
    theirs = create_namespace(actor=SYSTEM, project=other_project, name="inventory")
    desk = sign_in(stranger)
    for name in ("locks-mutex", "locks-mutex-live", "locks-release"):
        assert desk.get(at(name, theirs, pk=lock_world.mutex.pk)).status_code == 404


def test_the_board_tells_of_long_holdings_and_contention(project, namespace, lock_world):
    attention.forget()
    assert not [need for need in attention.needs(project) if need.icon == "lock"], "seconds are no news"
    mutex = lock_world.mutex
    Mutex.objects.filter(pk=mutex.pk).update(acquired_ms=mutex.acquired_ms - 26 * 60_000, until_ms=mutex.until_ms - 400_000)
    minute = span_of(timezone.now(), 60)
    LockTally.objects.create(namespace=namespace, at=minute, shard=stats.SHARDS, denied=1_204)
    attention.forget()
    long, denied = [need for need in attention.needs(project) if need.icon == "lock"]
    assert long.text.startswith("Mutex gacha of u-1 held 26 min") and long.text.endswith("by tx-1") and "expires in 3 min" in long.small
    assert denied.text == "1,207 tries to lock in inventory denied within 10 minutes"
