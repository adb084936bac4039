"""The live answer: only what is new, rendered once for all, and gone as soon as the right to see it is."""
from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from stages.core import journal
from stages.core.journal import Line
from stages.models import Output, Rollout
from stages.pages import live

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask(world):
    """ask(client, after, seq) asks as the page's script does."""
    url = reverse("rollout-live", kwargs={"project": world.project.name, "number": world.running.number})

    def act(client, after=0, seq=0):
        return client.get(url, {"after": after, "seq": seq}, headers={"HX-Request": "true"})

    return act


def cursor(answer) -> dict[str, int]:
    html = answer.content.decode()
    return {name: int(re.search(rf'data-{name}="(\d+)"', html)[1]) for name in ("after", "seq")}


def numbers(answer) -> list[int]:
    return [int(n) for n in re.findall(r'<div class="ln[^"]*" data-seq="(\d+)"', answer.content.decode())]


def test_first_everything_then_nothing_then_only_what_is_new(world, ask, viewer, sign_in):
    client = sign_in(viewer)
    first = ask(client)
    assert first.status_code == 200 and numbers(first) == [1, 2]
    assert all(f'id="rollout-{part}"' in first.content.decode() for part in ("head", "progress", "steps", "details"))
    assert ask(client, **cursor(first)).status_code == 204
    journal.write(world.claim, [Line("hello <script>", "auth", 1, "stdout")])
    news = ask(client, **cursor(first))
    assert news.status_code == 200 and numbers(news) == [3]
    html = news.content.decode()
    assert "hello &lt;script&gt;" in html and 'hx-swap-oob="beforeend:#lines"' in html
    assert 'id="rollout-head"' not in html, "a part that looks as before is not sent again"
    assert f'data-after="{cursor(first)["after"]}"' in html
    assert ask(client, **cursor(news)).status_code == 204


def test_progress_comes_out_of_band_when_it_moves(world, ask, viewer, sign_in):
    client = sign_in(viewer)
    first = ask(client)
    step = world.running.steps.order_by("position")[0]
    journal.finish_step(world.claim, step, "succeeded", "fine", [Line("pre done", "auth", 1)])
    html = ask(client, **cursor(first)).content.decode()
    assert "1 of 18 steps" in html and re.search(r'<section id="rollout-progress"[^>]*hx-swap-oob="true"', html)


def test_the_end_stops_the_poll(world, ask, viewer, sign_in):
    client = sign_in(viewer)
    first = ask(client)
    journal.finish(world.claim, "R4", error="it broke", consistent=True, lines=[Line("Errored. it broke")])
    answer = ask(client, **cursor(first))
    assert answer.status_code == 286 and "data-done" in answer.content.decode() and "it broke" in answer.content.decode()
    assert all(f'id="rollout-{part}"' in answer.content.decode() for part in ("head", "progress", "steps", "details"))


def test_a_watcher_far_behind_gets_it_in_pieces_without_a_gap(world, ask, viewer, sign_in, monkeypatch):
    monkeypatch.setattr(live, "ANSWER_LINES", 40)
    monkeypatch.setattr(live, "PIECE", 30)
    client = sign_in(viewer)
    at = cursor(ask(client))
    journal.write(world.claim, [Line(f"line {n}") for n in range(100)])
    seen = []
    while (answer := ask(client, **at)).status_code == 200:
        seen += numbers(answer)
        at = cursor(answer)
        assert ('data-pause="0"' in answer.content.decode()) == (at["seq"] < 102)
    assert seen == list(range(3, 103))
    assert numbers(ask(client, after=0, seq=90)) == list(range(91, 103))
    assert numbers(ask(client, after=0, seq=50)) == list(range(51, 91))


def test_no_answer_is_large_however_long_the_lines_are(world, ask, viewer, sign_in):
    worst = ["x" * 16_000, "&" * 16_000, "\u202e" * 16_000, "雪" * 8_000]
    journal.write(world.claim, [Line(worst[n % len(worst)]) for n in range(60)])
    client = sign_in(viewer)
    seen, at = [], {}
    while (answer := ask(client, **at)).status_code == 200:
        assert len(answer.content) < live.ANSWER_BYTES + 250_000  # one line more than fits, and the parts
        seen += numbers(answer)
        at = cursor(answer)
    assert seen == list(range(1, 63))
    page = client.get(reverse("rollout", kwargs={"project": "isles", "number": world.running.number}))
    assert len(page.content) < 1_500_000 and numbers(page) == list(range(63 - len(numbers(page)), 63))


def test_cursors_of_ones_own_choice_are_one_answer(world, ask, viewer, sign_in):
    client = sign_in(viewer)
    first = ask(client, after=world.running.revision, seq=10**14)
    for after in (10**6, 10**15 - 1):
        for seq in (10**6, 10**15 - 1):
            assert ask(client, after=after, seq=seq).status_code == first.status_code
    assert len(live._answers) <= 1
    journal.finish(world.claim, "R4", error="it broke", consistent=True, lines=[Line("Errored. it broke")])
    for after in range(50):
        assert ask(client, after=after, seq=7).status_code == 286
    assert len(live._answers) <= 2


def test_watchers_with_the_same_rights_share_one_rendering(world, ask, viewer, producer, stranger, sign_in, monkeypatch):
    rendered = []
    real = live.render_to_string
    monkeypatch.setattr(live, "render_to_string", lambda name, context: rendered.append(name) or real(name, context))
    client = sign_in(viewer)
    first = ask(client)
    for _ in range(20):
        assert ask(client).content == first.content
    assert rendered.count("stages/_live.html") == 1 and rendered.count("stages/_rollout_head.html") == 1
    journal.write(world.claim, [Line("hello", "auth", 1, "stdout")])
    assert ask(client, **cursor(first)).status_code == 200
    assert rendered.count("stages/_rollout_head.html") == 1, "lines change no part"
    other = ask(sign_in(producer))
    assert rendered.count("stages/_rollout_head.html") == 2, "another class of rights has other buttons"
    assert "Cancel…" in other.content.decode() and "Cancel…" not in first.content.decode()


def test_nothing_new_costs_two_statements(world, ask, viewer, sign_in, statements):
    client = sign_in(viewer)
    at = cursor(ask(client))
    statements.clear()
    with CaptureQueriesContext(connection) as asked:
        assert ask(client, **at).status_code == 204
    assert (len(asked), len(statements)) == (0, 2), "what is there, and who asks"


def test_signed_out_is_401_with_the_way_to_sign_in(world, ask, client):
    answer = ask(client)
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"].startswith("/login?next=/p/isles/rollouts/")


def test_a_stranger_learns_nothing_and_numbers_that_do_not_exist_look_the_same(world, ask, stranger, viewer, sign_in):
    hers = ask(sign_in(stranger))
    none = sign_in(viewer).get(reverse("rollout-live", kwargs={"project": "isles", "number": 999}))
    assert (hers.status_code, hers.content) == (none.status_code, none.content) and hers.status_code == 404


def test_a_deleted_rollout_is_gone(world, ask, viewer, sign_in):
    client = sign_in(viewer)
    ask(client)
    Rollout.objects.filter(pk=world.running.pk).delete()
    assert ask(client, 1, 1).status_code == 404


def test_the_page_shows_the_last_lines_and_earlier_ones_on_request(world, viewer, sign_in):
    journal.write(world.claim, [Line(f"line {n}", stream="stdout") for n in range(1200)])
    client = sign_in(viewer)
    page = reverse("rollout", kwargs={"project": "isles", "number": world.running.number})
    answer = client.get(page)
    assert numbers(answer) == list(range(703, 1203))
    earlier = re.search(r'hx-get="([^"]+)"', answer.content.decode())[1]
    lines = client.get(earlier)
    assert numbers(lines) == list(range(203, 703))
    assert numbers(client.get(page, {"before": 203})) == list(range(1, 203)), "also without script"


def test_the_text_download_has_every_line_in_full(world, viewer, sign_in):
    long = "x" * 20_000
    journal.write(world.claim, [Line(long), *(Line(f"line {n}", "auth") for n in range(1100))])
    client = sign_in(viewer)
    kwargs = {"project": "isles", "number": world.running.number}
    answer = client.get(reverse("rollout-text", kwargs=kwargs))
    text = b"".join(answer.streaming_content).decode()
    assert text.count("\n") == 1103 and long in text and text.endswith(" auth line 1099\n")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    at = Output.objects.get(rollout=world.running, seq=3)
    html = client.get(reverse("rollout", kwargs=kwargs), {"before": at.seq + 1}).content.decode()
    assert "12000 more characters in the text download" in html and long not in html
