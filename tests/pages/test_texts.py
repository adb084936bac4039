"""Arguments, results and printed lines as people read them: shown, found and copied, in the scripts that players write in."""
from __future__ import annotations

import json
import re
from html import unescape

import pytest
from django.db import connection
from django.urls import reverse

from gs2admin.identity.actors import SYSTEM
from gs2admin.text import storable
from jobqueue.execution.attempt import Ended
from jobqueue.models import Job, JobResult
from jobqueue.reads import search as reads
from jobqueue.services import run_next
from tests.pages.queue_pages import at, of_job, page

pytestmark = pytest.mark.django_db
# What a player wrote, and a part of it that somebody looks for.
TEXTS = [
    ("竜の剣を手に入れた", "竜の剣"), ("مرحبا بالعالم", "مرحبا"), ("שלום עולם", "עולם"), ("Съешь ещё булок", "ещё"), ("สวัสดีชาวโลก", "ชาว"), ("नमस्ते दुनिया", "दुनिया"),
    ("안녕하세요 세계", "세계"), ("Γειά σου Κόσμε", "Κόσμε"), ("გამარჯობა", "მარჯ"), ("你好，世界", "世界"), ("Straße é", "Straße"), ("😀👍🏽 ok", "👍🏽"),
    ('say "hi"', 'say "hi"'), ("c:\\dir\\new", "c:\\dir"), ("a/b </i> & 'c'", "b </i> & '"), ("100%_ *.?[x]", "0%_ *.?["), ("one\ntwo\r\n\tthree", "three"),
    ("evil \u202etxt.exe", "\u202etxt"), ("zero\u200bwidth \u0007", "zero\u200bwidth"), ('{"t":"竜の \\"弓\\""}', '"竜の "弓""'),
]  # fmt: skip


def upper(text: str) -> str:
    return re.sub(r"(?<=\\u)[0-9a-f]{4}", lambda found: found[0].upper(), text)


# How encoders write a text: Python's and C#'s default, in capitals, JavaScript's, PHP's.
ENCODERS = {
    "escaped": json.dumps, "capitals": lambda value: upper(json.dumps(value)), "bare": lambda value: json.dumps(value, ensure_ascii=False),
    "slashes": lambda value: json.dumps(value).replace("/", "\\/").replace("&", "\\u0026").replace("<", "\\u003C"),
}  # fmt: skip


@pytest.fixture
def desk(sign_in, support):
    """Support at the browser."""
    return sign_in(support)


@pytest.fixture
def written(job_world, push, attempts):
    """Jobs of one player: each text by each encoder, in turns in the arguments, the result and the printed lines. [(job, text, part, place)]"""
    made = []
    for number, (text, part) in enumerate(TEXTS):
        encode = list(ENCODERS.values())[number % len(ENCODERS)]
        body = f'{{"id":9007199254740993,"rate":1.10,"e":1e3,"k":1,"k":2, "note":{encode(text)}}}'
        for place in ("arguments", "result", "printed lines"):
            script = f"s{number}{place[0]}"
            attempts.on[script] = Ended(200, body if place == "result" else "{}", f"got\n{body}\nend" if place == "printed lines" else "")
            made.append((push(job_world.rewards, script, user="writer", args=body if place == "arguments" else "{}"), text, part, place, body))
            run_next(actor=SYSTEM, namespace=job_world.rewards, user_id="writer")
    return made


def read_of(html: str) -> str:
    """What a person reads in it; the text itself where a mark stands for what cannot be seen."""
    html = re.sub(r'<span class="gs-unseen" data-char="([0-9a-f]+)"[^>]*>.*?</span>', lambda mark: chr(int(mark[1], 16)), html)
    return unescape(re.sub(r"<[^>]+>", "", html))


def texts_in(html: str, label: str) -> list[str]:
    return [read_of(found) for found in re.findall(rf'<pre class="gs-json(?: is-json)?" tabindex="0" aria-label="{label}">(.*?)</pre>', html, re.S)]


def shown_as(text: str) -> str:
    """How a text stands in a page; JSON in it is laid out, and the end of a line has a mark of the stylesheet's."""
    return '{\n    "t": "竜の "弓""\n  }' if text.startswith("{") else text.replace("\r\n", "\n")


LABELS = {"arguments": ("Arguments", "queues-job-args"), "result": ("Result", "queues-job-result"),
          "printed lines": ("Printed output", "queues-job-output")}  # fmt: skip


def test_each_text_is_read_kept_as_it_is_stored_and_downloaded_byte_for_byte(desk, written):
    for job, text, _part, place, body in written:
        label, url = LABELS[place]
        html = page(desk, of_job("queues-job", job))
        stored = f"got\n{body}\nend" if place == "printed lines" else body
        [read], raw = texts_in(html, label), texts_in(html, f"{label} as stored")
        if place == "printed lines":
            assert read == f"got\n{body.replace(body.split(' ' + chr(34) + 'note' + chr(34) + ':')[1], chr(34) + text + chr(34) + '}')}\nend".replace("\r\n", "\n"), text
        else:
            assert read == f'{{\n  "id": 9007199254740993,\n  "rate": 1.10,\n  "e": 1e3,\n  "k": 1,\n  "k": 2,\n  "note": "{shown_as(text)}"\n}}', text
        assert raw == ([stored] if place != "printed lines" or "\\" in stored else []), "where it is read as something else"
        address = of_job(url, job, **({} if place == "arguments" else {"number": 1}))
        assert f'data-copy-from="{address}"' in html
        assert desk.get(address).content == stored.encode(), "byte for byte"
    hidden = next(page(desk, of_job("queues-job", job)) for job, text, *_ in written if "\u202e" in text)
    assert 'data-char="202e" title="U+202E RIGHT-TO-LEFT OVERRIDE"' in hidden and "\u202e" not in hidden


def test_each_text_is_found_in_either_form_where_it_stands(desk, written, project):
    url = reverse("queues-search", kwargs={"project": "isles"})
    for part in dict(TEXTS).values():
        expected = {(job.pk, place) for job, _, wanted, place, _ in written if wanted == part}
        for typed in {part, json.dumps(part)[1:-1], upper(json.dumps(part))[1:-1], json.dumps(part, ensure_ascii=False)[1:-1]}:
            for user in ("", "writer"):
                found = {(job.pk, place) for job in reads.jobs(project, text=typed, user=user).jobs for place in job.found_in}
                assert found == expected, (typed, user)
        html = page(desk, url, text=part)
        assert len(expected) == 3 and all(f">{place}</td>" in html for _, place in expected)


@pytest.mark.parametrize("typed", ["竜の弓矢", 'say  "hi"', "c:\\dirs", "\\u7adc\\u306e\\u5f13\\u77e2", "100__", "%", "_%", "\\", "😁", "hi\\\\\\\\\\\\"])
def test_what_is_nowhere_is_not_found(desk, job_world, push, typed):
    """No sign of the text is a wildcard of LIKE or of an expression."""
    push(job_world.rewards, args='{"a":"竜の","b":"say hi","c":"c:/dir","d":"\\u7adc\\u306e","e":"\\ud83d\\ude00"}')
    html = page(desk, reverse("queues-search", kwargs={"project": "isles"}), text=typed)
    assert "None of them fits" in html if typed != "\\" else str(Job.objects.latest("pk").name) in html


def test_the_pages_of_a_player_read_too(desk, job_world, push, attempts, project):
    attempts.on["bad"] = Ended(500, '[{"component":"x","message":"\\u7adc\\u306e\\u5263 \\"gone\\"","code":"x"}]', "")
    push(job_world.rewards, "bad", user="reader", args='{"name":"\\u9a0e\\u58eb"}', tries=2)
    dead = push(job_world.rewards, "bad", user="reader2", tries=1)
    for user in ("reader", "reader2"):
        run_next(actor=SYSTEM, namespace=job_world.rewards, user_id=user)
    queue = page(desk, at("queues-user", job_world.rewards, "reader"))
    assert '"name": "騎士"' in read_of(queue) and '竜の剣 "gone"' in read_of(queue) and "do-find" in queue
    everything = reverse("player", kwargs={"project": "isles"})
    queues = page(desk, reverse("player-part", kwargs={"project": "isles", "part": "queues"}), id="reader")
    assert '"name": "騎士"' in read_of(queues) and '竜の剣 "gone"' in read_of(queues) and "Find in jobs…" in page(desk, everything, id="reader")
    past = read_of(page(desk, reverse("player-part", kwargs={"project": "isles", "part": "past"}), id="reader2"))
    assert '竜の剣 "gone"' in past and "As stored" in past
    assert '竜の剣 "gone"' in unescape(page(desk, at("queues-given-up", job_world.rewards)))
    found = page(desk, reverse("queues-search", kwargs={"project": "isles"}), id="reader2", text='剣 "gone')
    assert str(dead.name) in found and 'value="reader2"' in found


def test_a_result_of_each_try_is_searched_and_others_projects_are_not(desk, job_world, push, attempts, other_project):
    attempts.on["bad"] = Ended(500, '"\\u7d2b"', "\\u7d2b and more")
    job = push(job_world.rewards, "bad", user="again", tries=3)
    for _ in range(3):
        run_next(actor=SYSTEM, namespace=job_world.rewards, user_id="again")
    found = reads.jobs(job_world.rewards.project, text="紫")
    assert [(each.pk, each.found_in) for each in found.jobs] == [(job.pk, ["result", "printed lines"])]
    assert reads.jobs(other_project, text="紫").jobs == []
    JobResult.objects.filter(try_number__gt=0).update(result="{}", output="")
    JobResult.objects.filter(try_number=0).update(output="")
    assert [each.found_in for each in reads.jobs(job_world.rewards.project, text="紫", user="again").jobs] == [["result"]]
    assert reads.jobs(job_world.rewards.project, text="紫", script="other").jobs == []


def test_a_search_goes_on_where_it_ended_whatever_the_portions_are(job_world, push, monkeypatch):
    made = [push(job_world.rewards, "s", user=f"p{n % 3}", args='"\\u7d2b"' if n % 4 == 0 else "{}").pk for n in range(20)]
    wanted = sorted(made[::4], reverse=True)
    for first, hits in ((3, 50), (3, 2), (64, 3)):
        monkeypatch.setattr(reads, "FIRST", first)
        monkeypatch.setattr(reads, "HITS", hits)
        for ends in (-1, 10):
            monkeypatch.setattr(reads, "READ_S", ends)
            for user, mine in (("", wanted), ("p0", [pk for pk in wanted if made.index(pk) % 3 == 0])):
                seen, before, turns = [], None, 0
                while True:
                    found = reads.jobs(job_world.rewards.project, text="紫", user=user, before=before)
                    assert len(found.jobs) <= hits
                    seen += [job.pk for job in found.jobs]
                    before, turns = found.further, turns + 1
                    if before is None:
                        break
                assert seen == mine, (first, hits, ends, user)
    assert turns < 20


def test_a_page_without_a_hit_goes_on_by_itself(desk, job_world, push, monkeypatch):
    monkeypatch.setattr(reads, "FIRST", 2)
    monkeypatch.setattr(reads, "READ_S", -1)
    for _ in range(6):
        push(job_world.rewards, "s", user="p")
    url = reverse("queues-search", kwargs={"project": "isles"})
    html, turns = page(desk, url, text="itemId"), 0
    while (more := re.search(r'hx-get="([^"]+)" hx-trigger="load" hx-select="#found" hx-target="#found"', html)) and turns < 9:
        html, turns = page(desk, url + unescape(more[1])), turns + 1
    assert str(job_world.head.name) in html and turns == 3 and "looked through 8 jobs" in " ".join(html.split())


def test_upper_and_lower_case_are_as_the_database_has_them(job_world, push):
    push(job_world.rewards, "s", args='"Sword \\u7ADC and \\u0053hield"')
    found = lambda text: len(reads.jobs(job_world.rewards.project, text=text).jobs)  # noqa: E731
    assert found("Sword 竜") == 1 and found("Shield") == 1 and found("\\u7adc") == 1 and found("竜 And") == found("sword") == found("sword 竜")
    assert found("sword") == (connection.vendor == "sqlite")


def test_a_megabyte_is_searched_and_its_beginning_read(desk, job_world):
    long = json.dumps({"rows": ["竜" * 20_000] * 8, "end": "紫の剣"})
    assert len(long) > 900_000 and storable(long)
    Job.objects.filter(pk=job_world.head.pk).update(args=long)
    assert [job.pk for job in reads.jobs(job_world.rewards.project, text="紫の剣").jobs] == [job_world.head.pk]
    html = page(desk, of_job("queues-job", job_world.head))
    assert len(html) < 300_000 and "竜竜竜" in html and "\\u7adc\\u7adc" in html
    assert desk.get(of_job("queues-job-args", job_world.head)).content == long.encode()


def test_a_try_out_is_read(sign_in, developer, job_world, monkeypatch):
    from jobqueue.pages.views import script as views
    from jobqueue.services.scripts import Invoked

    monkeypatch.setattr(views.services, "try_script", lambda **_: Invoked(200, '{"a":"\\"竜\\"","n":5}', ['{"b":"c:\\\\dir"}', "\\u7adc"]))
    url = reverse("scripts-script", kwargs={"project": "isles", "namespace": "default", "script": "grant"})
    html = read_of(sign_in(developer).post(url, {"do": "try", "source": "x", "args": "{}"}).content.decode())
    assert '"a": ""竜"",' in html and '{"b":"c:\\dir"}\n\\u7adc' in html and '{"a":"\\"竜\\"","n":5}' in html


def test_a_text_to_search_for_is_as_long_escaped_as_it_is_read(desk, job_world, push):
    job = push(job_world.rewards, args=json.dumps("竜" * 200))
    url = reverse("queues-search", kwargs={"project": "isles"})
    for typed in ("竜" * 200, "\\u7ADC" * 200):
        assert str(job.name) in page(desk, url, text=typed)
    for typed in ("竜" * 201, "\\u7adc" * 201, "x" * 1201):
        assert "at most" in page(desk, url, 400, text=typed)
