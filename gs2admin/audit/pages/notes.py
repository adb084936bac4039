"""Notes of people: the form below a list, and the page that asks before one is taken away."""
from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from gs2admin.audit import notes
from gs2admin.audit.models import Note
from gs2admin.dashboard.forms import PageForm
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.player import LONGEST, Part, Revision, address, part
from gs2admin.dashboard.posting import attempt, confirm_page, form_page
from gs2admin.errors import NotFound
from gs2admin.identity.models import Project
from gs2admin.identity.rights import can
from gs2admin.text import without_nul

get_and_post = require_http_methods(["GET", "POST"])


class NoteForm(PageForm):
    """One note."""

    text = forms.CharField(label="Note", max_length=notes.LONGEST, widget=forms.Textarea(attrs={"rows": 2}))


def note_page(request: HttpRequest, project: Project, *, about: str, about_id: str, back: str, title: str) -> HttpResponse:
    """Add the note that was sent and go back; what is refused is shown on a page of its own, and nothing typed is lost."""
    form = NoteForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        made = attempt(form, lambda: notes.add_note(
            actor=request.actor, project=project, about=about, about_id=about_id, text=form.cleaned_data["text"]))
        if made:
            return redirect(back)
    return form_page(request, form, title=title, button="Add note", back=back, crumbs=[(title, "")])


@get_and_post
@project_page("note.write")
def of_player(request: HttpRequest, project: Project) -> HttpResponse:
    """A note about the player in ?id=."""
    user_id = without_nul(request.GET.get("id", ""))
    if not 0 < len(user_id) <= LONGEST:
        raise NotFound("No player has such an id.")
    return note_page(request, project, about=notes.PLAYER, about_id=user_id, back=address(project, user_id),
                     title=f"Note on {user_id}")


@get_and_post
@project_page("note.write")
def remove(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Ask, then take a note away."""
    row = Note.objects.filter(project=project, pk=pk).first()
    if row is None:
        raise NotFound("This note is gone.", component="note")
    back = _address_of(project, row)
    form = PageForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        notes.remove_note(actor=request.actor, note=row)
        messages.success(request, "The note is removed.")
        return redirect(back)
    return confirm_page(request, form, title="Remove this note?", button="Remove", back=back, crumbs=[("Note", "")],
                        points=[f"{row.by_name} wrote: {row.text}", "It is gone for everybody; the log says who removed it."])


def _address_of(project: Project, row: Note) -> str:
    if row.about == notes.PLAYER:
        return address(project, row.about_id)
    if not row.about_id.isdecimal():
        return reverse("rollouts", kwargs={"project": project.name})
    return reverse("rollout", kwargs={"project": project.name, "number": int(row.about_id)})


def with_rights(request: HttpRequest, project: Project, found: list[Note]) -> dict[str, object]:
    """The context of templates/audit/_notes.html: every note with whether this person may remove it."""
    return {"people_notes": [(note, notes.may_remove(request.actor, note)) for note in found],
            "may_note": can(request.actor, "note.write", project)}


def _revision(project: Project, user_id: str) -> Revision:
    rows = Note.objects.filter(project=project, about=notes.PLAYER, about_id=user_id)
    return Revision(rows.order_by("-pk").values_list("pk", flat=True).first())


def about_player(request: HttpRequest, project: Project, user_id: str) -> dict[str, object]:
    """The part of a player's page."""
    found = notes.notes_about(project.pk, notes.PLAYER, user_id)
    return {**with_rights(request, project, found), "note_url": address(project, user_id, "player-note"), "project": project}


part(Part("notes", "Notes by staff", "audit/_part_notes.html", about_player, 25, _revision, side=True))
