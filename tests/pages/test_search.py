"""The search box: whole names and beginnings of everything that has one, of this project and no other."""
from __future__ import annotations

import re
from html import unescape

import pytest
from django.urls import reverse

from gs2admin.dashboard.search import SHOWN
from gs2admin.identity.actors import SYSTEM
from jobqueue.models import Queue
from jobqueue.services.namespaces import create_namespace
from jobqueue.services.scripts import create_script
from locks.services.namespaces import create_namespace as create_lock_namespace
from stages.setup.stages import create_stage
from stages.setup.versions import register_version
from tests.pages.locks import GRN, hold
from tests.pages.queue_pages import as_stored
from tests.pages.test_queues import ODD_IDS, page, text_of

pytestmark = pytest.mark.django_db
SEARCH = reverse("search", kwargs={"project": "isles"})
BIG = "9223372036854775807"


@pytest.fixture
def desk(sign_in, support):
    """Support at the browser."""
    return sign_in(support)


def groups(html: str) -> dict[str, list[str]]:
    """{title: labels of the hits, in order}."""
    found = {}
    for part in html.split('<h2 id="kind-')[1:]:
        title = text_of("<h2 " + part.split("</h2>")[0])
        found[title] = [as_stored(label) for label in re.findall(r"<li><a [^>]+><bdi>(.*?)</bdi>", part.split("</section>")[0], re.S)]
    return found


def lands(desk, q: str) -> str:
    """Where the one exact hit leads."""
    answer = desk.get(SEARCH, {"q": q})
    assert answer.status_code == 302, answer.content.decode()[:500]
    return answer.headers["Location"]


def test_the_box_is_on_every_page_and_works_as_a_plain_form(desk, project):
    html = page(desk, reverse("members", kwargs={"project": "isles"}))
    form = re.search(r'<form class="gs-search" method="get" action="([^"]+)" role="search">(.*?)</form>', html, re.S)
    assert form[1] == SEARCH and 'name="q"' in form[2] and 'aria-keyshortcuts="/"' in form[2]


def test_one_page_has_every_kind_that_begins_so(desk, project, push, job_world):
    create_stage(actor=SYSTEM, project=project, name="gold")
    register_version(actor=SYSTEM, project=project, microservice="gate", version="1.0.0")
    create_script(actor=SYSTEM, namespace=job_world.namespace, name="gift", source="")
    namespace = create_lock_namespace(actor=SYSTEM, project=project, name="inventory")
    hold(namespace, "gacha", user="u-7"), push(job_world.rewards, user="gus"), push(job_world.rewards, user="GUS")
    found = groups(page(desk, SEARCH, q="g"))
    assert found == {"Players": ["gus"], "Mutexes": ["gacha"], "Scripts": ["gift", "grant"], "Stages": ["gold"],
                     "Microservices": ["gate"]}


def test_the_exact_one_comes_first_and_alone_it_is_opened(desk, job_world, push):
    push(job_world.rewards, user=BIG), push(job_world.rewards, user=BIG + "0"), push(job_world.rewards, user=BIG[:-1] + "8")
    html = page(desk, SEARCH, q=BIG)
    assert groups(html) == {"Players": [BIG, BIG + "0"]} and "exactly" in html
    assert lands(desk, BIG + "0") == f"/p/isles/player?id={BIG}0", "to the last digit"
    assert lands(desk, str(job_world.head.name)) == f"/p/isles/jobs/{job_world.head.name}"
    assert groups(page(desk, SEARCH, q=str(job_world.head.name)[:8])) == {"Jobs": [str(job_world.head.name)]}


def test_a_player_known_to_both_domains_is_one_line(desk, project, job_world):
    namespace = create_lock_namespace(actor=SYSTEM, project=project, name="inventory")
    hold(namespace, "gacha", user="u-1"), hold(namespace, "gate", user="u-1"), hold(namespace, "gate", user="u-10")
    html = page(desk, SEARCH, q="u-1")
    assert groups(html)["Players"] == ["u-1", "u-10"]
    assert "mutexes in inventory · 2 jobs waiting in rewards, retrying, 1 failed" in text_of(html)


@pytest.mark.parametrize("user", ODD_IDS)
def test_any_id_is_found_and_any_property(desk, project, job_world, push, user):
    push(job_world.rewards, user=user)
    namespace = create_lock_namespace(actor=SYSTEM, project=project, name="inventory")
    mutex = hold(namespace, user * 4 if len(user) < 100 else user + "y", user="someone")
    answer = desk.get(SEARCH, {"q": user})
    if answer.status_code == 302:
        answer = desk.get(answer.headers["Location"])
        assert as_stored(re.search(r'<bdi class="gs-who">(.*?)</bdi>', answer.content.decode(), re.S)[1]) == user
        return
    found = groups(answer.content.decode())
    assert found["Players"][0] == user and mutex.property_id in found["Mutexes"] and "<b>bold" not in answer.content.decode()


def test_a_property_longer_than_the_index_is_compared_whole(desk, project):
    namespace = create_lock_namespace(actor=SYSTEM, project=project, name="inventory")
    long = GRN + "x" * 800
    hold(namespace, long + "1"), hold(namespace, long + "2")
    assert groups(page(desk, SEARCH, q=long)) == {"Mutexes": [long + "1", long + "2"]}
    assert lands(desk, long + "2").startswith("/p/isles/locks/inventory/mutexes/")


def test_many_are_cut_and_the_list_of_players_goes_on(desk, project, push, job_world):
    other = create_namespace(actor=SYSTEM, project=project, name="mails")
    ids = [f"many-{n:02d}" for n in range(SHOWN + 3)]
    for user in ids:
        push(job_world.rewards, user=user), push(other, user=user)
    html = page(desk, SEARCH, q="many-")
    assert groups(html)["Players"] == ids[:SHOWN]
    more = unescape(re.search(r'<a href="([^"]+)">all of them</a>', html)[1])
    listed = page(desk, more)
    assert re.findall(r"<bdi>(many-\d+)</bdi>", listed) == ids
    assert "2 jobs waiting in mails, rewards" in listed


def test_the_list_of_players_has_everybody_once_by_id(desk, project, push, job_world, monkeypatch):
    from gs2admin.dashboard import player_page

    monkeypatch.setattr(player_page, "PAGE", 3)
    namespace = create_lock_namespace(actor=SYSTEM, project=project, name="inventory")
    for user in ("a", "b", "c/d", "日本", "z"):
        push(job_world.rewards, user=user)
    for user in ("b", "m", "zz"):
        hold(namespace, user=user)
    url, seen = reverse("players", kwargs={"project": "isles"}), []
    html = page(desk, url)
    for _ in range(6):
        seen += re.findall(r"<bdi>([^<]+)</bdi></a>\s*<small", html)
        following = re.search(r'href="([^"]+)" rel="next"', html)
        if not following:
            break
        html = page(desk, url + unescape(following[1]))
    assert seen == ["a", "b", "c/d", "m", "u-1", "z", "zz", "日本"]


def test_rows_on_their_way_in_or_out_are_nobody(desk, push, job_world):
    job = push(job_world.rewards, user="import:abc")
    Queue.objects.filter(pk=job.queue_id).update(user_id="\x7fimport:abc")
    assert "import:abc" not in page(desk, reverse("players", kwargs={"project": "isles"}))


def test_nothing_of_another_project_is_found(desk, sign_in, other_project, job_world, push, stranger):
    theirs = create_namespace(actor=SYSTEM, project=other_project, name="rewards")
    job = push(theirs, user="secret-user")
    hold(create_lock_namespace(actor=SYSTEM, project=other_project, name="inventory"), "secret-property")
    create_stage(actor=SYSTEM, project=other_project, name="secret-stage")
    register_version(actor=SYSTEM, project=other_project, microservice="secret-service", version="1")
    for q in ("secret", str(job.name)):
        assert "Nothing begins like this" in page(desk, SEARCH, q=q)
    html = page(sign_in(stranger), reverse("search", kwargs={"project": "other"}), q="secret")
    assert set(groups(html)) == {"Players", "Mutexes", "Stages", "Microservices"}


@pytest.mark.parametrize("q", ["", "   ", "\x00", "%", "_", "\\", "'; drop table", "0" * 2000, "\ud7ff", "12345678-"])
def test_what_means_nothing_finds_nothing_and_breaks_nothing(desk, job_world, q):
    assert desk.get(SEARCH, {"q": q}).status_code == 200
