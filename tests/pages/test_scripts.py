"""The pages of scripts: write, try, compare, and see who uses them. Try-outs go through the real sandbox."""
from __future__ import annotations

import re
from html import unescape

import pytest
from django.urls import reverse

from gs2admin.audit.models import Activity
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.services.credentials import create_credential
from jobqueue.execution import scripts
from jobqueue.models import Script, ScriptNamespace
from jobqueue.pages.views import scripts as list_views
from jobqueue.reads import scripts as reads
from jobqueue.services import run_next
from jobqueue.services.scripts import create_script, invoke_script, update_script

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(sign_in, developer):
    """A developer at the browser."""
    return sign_in(developer)


@pytest.fixture
def namespace(job_world):
    return job_world.namespace


@pytest.fixture
def grant(job_world):
    return job_world.script


def at(name: str, namespace: ScriptNamespace, **words) -> str:
    return reverse(name, kwargs={"project": namespace.project.name, "namespace": namespace.name, **words})


def page(client, url: str, **words) -> str:
    answer = client.get(url, words or None)
    assert answer.status_code == 200
    return answer.content.decode()


def send(client, url: str, do: str, expect: int = 200, **sent) -> str:
    answer = client.post(url, {"do": do, "args": "{}", **sent}, follow=True)
    assert answer.status_code == expect
    return unescape(answer.content.decode())


def tried(html: str) -> str:
    """What the try-out says, as people read it."""
    part = re.sub(r"<svg.*?</svg>", " ", html.split('id="tried"')[1].split("</section>")[0], flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", part).split())


def test_a_script_is_written_saved_and_listed(desk, namespace):
    html = send(desk, at("scripts-script-new", namespace), "save", name="mine", source="result = { a = 1 }\r\n", description="d")
    assert "mine is saved; jobs can name it now." in html and "does not parse" not in html
    row = Script.objects.get(name="mine")
    assert (row.source, row.revision) == ("result = { a = 1 }\n", 1)
    listing = at("scripts-namespace", namespace)
    link = at("scripts-script", namespace, script="mine")
    assert f'"{link}"' in page(desk, listing) and f'"{link}"' not in page(desk, listing, q="gr")
    assert Activity.objects.filter(action="script.create").latest("id").actor_name == "dan"


def test_every_save_is_a_version_and_saving_nothing_is_none(desk, namespace, grant):
    url = at("scripts-script", namespace, script="grant")
    assert "saved as revision 2" in send(desk, url, "save", source="result = { b = 2 }\n", reason="ticket 9")
    assert "Nothing was changed" in send(desk, url, "save", source="result = { b = 2 }\n")
    assert Activity.objects.get(action="script.update").reason == "ticket 9"
    html = page(desk, at("scripts-versions", namespace, script="grant"))
    assert "Revision 1 → 2" in html and html.count('class="is-removed"') == 2 and html.count('class="is-added"') == 1


def test_a_text_that_does_not_parse_is_saved_with_a_warning_that_names_the_line(desk, namespace, grant):
    html = send(desk, at("scripts-script", namespace, script="grant"), "save", source="local a = 1\nif a the\nend\n")
    assert "saved as revision 2" in html and "It is saved, but it does not parse" in html and "line 2" in html
    assert Script.objects.get(pk=grant.pk).source == "local a = 1\nif a the\nend\n"


def test_the_check_of_a_saved_text_runs_nothing(desk, namespace, grant):
    source = 'gs2("job_queue").push_by_user_id({ namespaceName = "rewards", userId = "x", jobs = { { scriptId = "s" } } })\n'
    before = Activity.objects.count()
    send(desk, at("scripts-script", namespace, script="grant"), "save", source=source + "return 1")
    assert Activity.objects.count() == before + 1, "the save alone"


def test_a_try_out_shows_result_output_time_and_memory_and_stores_nothing(desk, namespace, grant):
    source = 'print("id", args.id)\nresult = { id = args.id, who = userId }\n'
    sent = {"source": source, "args": '{"id": 9007199254740993}', "user_id": "u/9"}
    html = send(desk, at("scripts-script", namespace, script="grant"), "try", **sent)
    said = tried(html)
    assert "It ended well 200" in said and "9007199254740993" in said and '"who": "u/9"' in said and "id 9007199254740993" in said
    assert re.search(r"\d+ ms · [\d,]+ KB of memory", said)
    assert Script.objects.get(pk=grant.pk).revision == 1 and unescape(html).count(source.splitlines()[1]) >= 1


def test_a_script_can_be_tried_before_it_has_a_name(desk, namespace):
    html = send(desk, at("scripts-script-new", namespace), "try", source="result = {}")
    assert "It ended well" in tried(html) and "Name optional" not in " ".join(re.sub(r"<[^>]+>", " ", html).split())
    assert not Script.objects.exclude(name="grant").exists()


@pytest.mark.parametrize(
    ("source", "status", "line"),
    [("local a\na.b = 1\n", 500, 2), ("\n\nif x the", 400, 3), ('fail(418, "teapot")', 418, 0)],
)
def test_an_error_names_its_line_and_marks_it(desk, namespace, grant, source, status, line):
    html = send(desk, at("scripts-script", namespace, script="grant"), "try", source=source)
    said = tried(html)
    assert f"It failed {status}" in said
    assert (f'data-line="{line}"' in html) == bool(line)
    if line:
        assert f"line {line} {source.splitlines()[line - 1]}" in said


def test_arguments_that_are_not_json_are_refused_and_the_text_is_kept(desk, namespace, grant):
    html = send(desk, at("scripts-script", namespace, script="grant"), "try", 400, source="-- keep me", args="{oops")
    assert "not JSON" in html and "-- keep me" in html and 'id="tried"' not in html


def test_support_reads_a_script_but_neither_tries_nor_changes_it(sign_in, support, namespace, grant):
    client = sign_in(support)
    url = at("scripts-script", namespace, script="grant")
    html = page(client, url)
    assert "result = { ok = true }" in html and "<textarea" not in html and 'value="try"' not in html
    for do in ("save", "try"):
        assert client.post(url, {"do": do, "source": "x"}).status_code == 403


def test_versions_compare_and_go_back(desk, namespace, grant):
    for text in ("two\n", "three\n"):
        update_script(actor=SYSTEM, script=grant, source=text)
    url = at("scripts-versions", namespace, script="grant")
    assert "Revision 1 → 3" in page(desk, url, revision=3, against=1)
    assert desk.get(url, {"revision": 9}).status_code == 404
    send(desk, at("scripts-restore", namespace, script="grant", revision=1), "", reason="it was better")
    row = Script.objects.get(pk=grant.pk)
    assert (row.source, row.revision) == ("local a = 1\nresult = { ok = true }\n", 4)


def test_a_difference_shows_lines_around_it_and_gaps():
    old = "\n".join(f"line {n}" for n in range(40))
    found = reads.difference(old, old.replace("line 20", "line twenty"))
    assert [line.kind for line in found] == ["gap", *["same"] * 3, "removed", "added", *["same"] * 3]
    assert (found[4].old, found[5].new, found[5].text) == (21, 21, "line twenty")
    assert reads.difference("x\n" * 9_000, "y\n" * 9_000) is None


def test_a_script_too_long_for_a_browser_is_shown_by_its_beginning(desk, namespace):
    create_script(actor=SYSTEM, namespace=namespace, name="long", source="-- x\n" * 200_000)
    html = page(desk, at("scripts-script", namespace, script="long"))
    assert len(html) < 100_000 and "too long to be edited" in html and "<textarea" not in html
    assert len(desk.get(at("scripts-text", namespace, script="long")).content) == 1_000_000


def test_it_says_which_jobs_use_it_under_both_its_names(desk, namespace, grant, job_world, push):
    grn = "grn:gs2:ap-northeast-1:isles-owner:script:default:script:grant"
    push(job_world.rewards, "grant", user="a"), push(job_world.rewards, grn, user="b")
    for user in "ab":
        run_next(actor=SYSTEM, namespace=job_world.rewards, user_id=user)
    html = page(desk, at("scripts-script", namespace, script="grant"))
    assert html.count("1 attempt, 0 failed") == 2 and grn in html


def test_lists_have_pages(desk, project, namespace, monkeypatch):
    monkeypatch.setattr(list_views, "PAGE", 2)
    for n in range(4):
        create_script(actor=SYSTEM, namespace=namespace, name=f"s{n}", source="")
    seen, html = [], page(desk, at("scripts-namespace", namespace))
    for _ in range(4):
        seen += re.findall(r"/script/([^\"/]+)\">", html)
        further = re.search(r'href="([^"]+)" rel="next"', html)
        html = page(desk, at("scripts-namespace", namespace) + unescape(further[1])) if further else html
        if not further:
            break
    assert seen == ["grant", "s0", "s1", "s2", "s3"]


def test_a_script_and_its_namespace_are_deleted_after_a_warning(desk, namespace, grant):
    assert "jobs that name it fail from then on" in page(desk, at("scripts-script-delete", namespace, script="grant"))
    assert "grant is deleted" in send(desk, at("scripts-script-delete", namespace, script="grant"), "", reason="old")
    assert "default is deleted" in send(desk, at("scripts-delete", namespace), "")
    assert not ScriptNamespace.objects.exists()


def test_whole_floats_keep_their_point_where_the_script_says_so(desk, namespace, grant, project, client):
    """In its row, its form, its versions, what runs it and what a method changes of it."""
    source = 'print(10/2) result = { n = 10/2, back = gs2("freeze").describe_stages{ limit = 10/2 }.isError }'
    url = at("scripts-script", namespace, script="grant")
    assert '{"back":false,"n":5}' in (html := send(desk, url, "try", source=source)) and ">5</pre>" in html
    html = send(desk, url, "try", source=source, keep_whole_floats="on")
    assert '{"back":false,"n":5.0}' in html and ">5.0</pre>" in html and re.search('name="keep_whole_floats"[^>]* checked', html)
    for sent, kept in (({"keep_whole_floats": "on"}, True), ({}, False), ({"keep_whole_floats": "on"}, True)):
        assert "is saved as revision" in send(desk, url, "save", source=source, **sent)
        row = Script.objects.get(pk=grant.pk)
        assert row.keep_whole_floats is kept and Activity.objects.latest("id").after["keep_whole_floats"] is kept
        scripts.forget()  # what a commit does
        assert invoke_script(actor=SYSTEM, project=project, script_id="grant").output == ["5.0" if kept else "5"]
        assert bool(re.search('name="keep_whole_floats"[^>]* checked', page(desk, url))) is kept
    desk.post(at("scripts-restore", namespace, script="grant", revision=1), {})
    assert Script.objects.get(pk=grant.pk).keep_whole_floats, "an old text keeps the script's settings"
    program, secret = create_credential(actor=SYSTEM, project=project, name="game")
    sent = {"client_id": program.client_id, "client_secret": secret}
    token = client.post("/identifier/projectToken/login", sent, content_type="application/json").json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "X-GS2-CLIENT-ID": program.client_id}
    found = client.put(f"/script/{namespace.name}/script/grant", {"script": "result = {}"}, content_type="application/json", headers=headers)
    assert found.status_code == 200 and "float" not in found.content.decode().lower()
    row = Script.objects.get(pk=grant.pk)
    assert row.source == "result = {}" and row.keep_whole_floats
    assert create_script(actor=SYSTEM, namespace=namespace, name="fresh", source="").keep_whole_floats is False
