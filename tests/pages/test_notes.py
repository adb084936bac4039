"""Notes of people about rollouts and players: written, shown, linked to lines, removed, limited, and erased with the player."""
from __future__ import annotations

import pytest
from django.urls import reverse

from gs2admin.audit import notes
from gs2admin.audit.models import Activity, Note
from gs2admin.audit.notes import PLAYER, ROLLOUT, add_note, forget_player
from gs2admin.dashboard.player import address
from gs2admin.dashboard.templatetags.gs import note_text
from gs2admin.errors import Denied, Invalid, NotFound, Quota
from gs2admin.identity.actors import SYSTEM

pytestmark = pytest.mark.django_db


def at(name: str, **more) -> str:
    return reverse(name, kwargs={"project": "isles", **more})


def test_a_note_on_a_rollout_is_seen_by_all_and_links_to_its_line(world, producer, viewer, sign_in):
    number = world.failed.number
    text = "The <b>cause</b> is in #L3; see ticket 4711.\nMika looks."
    answer = sign_in(producer).post(at("rollout-note", number=number), {"text": text})
    assert answer.status_code == 302 and answer.headers["Location"] == at("rollout", number=number)
    html = sign_in(viewer).get(at("rollout", number=number)).content.decode()
    assert "The &lt;b&gt;cause&lt;/b&gt; is in <a" in html and f'{at("rollout", number=number)}?before=103#L3">#L3</a>' in html
    assert 'id="L1"' in html and "Remove…" not in html and "Add note" not in html, "a viewer reads"
    line = Activity.objects.filter(action="note.add").latest("id")
    assert line.after == {"text": text} and line.object_name == f"rollout {number}"


def test_a_note_on_a_player_is_on_the_page_and_its_text_not_in_the_log(project, support, sign_in):
    desk, user = sign_in(support), "佐藤@jp"
    answer = desk.post(address("isles", user, "player-note"), {"text": "Called: the bonus is missing."})
    assert answer.headers["Location"] == address("isles", user)
    part = desk.get(address("isles", user, "player-part", part="notes"), headers={"HX-Request": "true"}).content.decode()
    assert "Called: the bonus is missing." in part and "sora" in part and "Remove…" in part
    line = Activity.objects.get(action="note.add")
    assert line.player == user and "bonus" not in f"{line.before}{line.after}{line.object_name}"
    forget_player(project.pk, user)
    assert not Note.objects.exists()


def test_only_who_wrote_it_or_an_admin_removes_a_note(project, support, producer, owner, sign_in, actor_of):
    note = add_note(actor=actor_of(support), project=project, about=PLAYER, about_id="u-1", text="mine")
    url = at("note-remove", pk=note.pk)
    assert sign_in(producer).post(url).status_code == 403 and Note.objects.filter(pk=note.pk).exists()
    assert "sora wrote: mine" in sign_in(owner).get(url).content.decode()
    assert sign_in(owner).post(url).status_code == 302 and not Note.objects.exists()
    assert sign_in(owner).post(url).status_code == 404
    again = add_note(actor=actor_of(support), project=project, about=PLAYER, about_id="u-1", text="mine")
    assert sign_in(support).post(at("note-remove", pk=again.pk)).status_code == 302


def test_a_note_of_another_project_is_not_there(project, other_project, owner, sign_in):
    note = add_note(actor=SYSTEM, project=other_project, about=ROLLOUT, about_id="1", text="theirs")
    assert sign_in(owner).post(at("note-remove", pk=note.pk)).status_code == 404 and Note.objects.exists()


def test_what_is_refused(project, viewer, stranger, producer, actor_of, sign_in, world, monkeypatch):
    write = lambda actor, text: add_note(actor=actor, project=project, about=ROLLOUT, about_id="1", text=text)  # noqa: E731
    with pytest.raises(Denied):
        write(actor_of(viewer), "x")
    with pytest.raises(NotFound):
        write(actor_of(stranger), "x")
    for text in ("", "  \n", "x" * 2001):
        with pytest.raises(Invalid):
            write(actor_of(producer), text)
    kept = "y" * 3000
    answer = sign_in(producer).post(at("rollout-note", number=world.done.number), {"text": kept})
    assert kept in answer.content.decode() and Note.objects.get() == world.note, "nothing typed is lost"
    monkeypatch.setattr(notes, "MOST", 2)
    write(actor_of(producer), "1"), write(actor_of(producer), "2")
    with pytest.raises(Quota):
        write(actor_of(producer), "3")


@pytest.mark.parametrize(("text", "html"), [
    ("a\nb", "a<br>b"), ("#L12x #L 3 #l4", "#L12x #L 3 #l4"), ("<#L1>", '&lt;<a href="/r?before=101#L1">#L1</a>&gt;'),
    ("#L" + "9" * 12, "#L" + "9" * 12),
])
def test_note_text(text, html):
    assert note_text(text, "/r") == html
    assert "<a" not in note_text(text)
