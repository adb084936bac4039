"""Stamp keys: what a game's own servers sign stamp sheets with. A secret is shown in the answer that made it, and never again."""
from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from gs2admin.dashboard.forms import ReasonForm
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import attempt, confirm_page, first_time, form_page, link, never_kept, number_of
from gs2admin.errors import NotFound
from gs2admin.identity.models import Project, StampKey
from gs2admin.identity.pages.forms import StampKeyForm
from gs2admin.identity.services.stamp_keys import create_stamp_key, revoke_stamp_key

PAGE = 50


def key_of(project: Project, pk: int) -> StampKey:
    """The project's stamp key of that number. Raises NotFound."""
    row = StampKey.objects.filter(project=project, pk=pk).first()
    if row is None:
        raise NotFound(f"There is no such stamp key in {project.name}.", component="key")
    return row


@require_GET
@project_page("credential.manage")
def stamp_keys(request: HttpRequest, project: Project) -> HttpResponse:
    """The list, newest first."""
    rows = StampKey.objects.filter(project=project).order_by("-id").defer("sealed_secret")
    before = number_of(request)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows[: PAGE + 1])
    for row in found:
        row.project = project
    return render(request, "identity/stamp_keys.html", {
        "keys": found[:PAGE],
        "older": link(before=found[PAGE - 1].pk) if len(found) > PAGE else "",
        "newer": "?" if before is not None else "",
        "key_id": next((row.key_id for row in found if row.revoked_at is None), ""),
    })


@require_http_methods(["GET", "POST"])
@project_page("credential.manage")
def create(request: HttpRequest, project: Project) -> HttpResponse:
    """The form; its answer shows the secret, once."""
    form = StampKeyForm(request.POST) if request.method == "POST" else StampKeyForm.fresh()
    if request.method == "POST" and form.is_valid():
        sent = form.cleaned_data
        if not first_time(request, str(sent["key"])):
            messages.warning(request, "That form was sent before, so nothing new was made. If its secret was not seen, "
                                      "revoke that key and make another one.")
            return redirect("stampkeys", project=project.name)
        made = attempt(form, lambda: create_stamp_key(
            actor=request.actor, project=project, namespace=sent["namespace"], name=sent["name"]
        ))
        if made:
            row, secret = made
            return never_kept(render(request, "identity/stamp_key_made.html", {
                "key": row, "secret": secret, "key_id": row.key_id,
            }))
        form = form.again()
    listing = reverse("stampkeys", kwargs={"project": project.name})
    return form_page(
        request, form, title="New stamp key", button="Create and show the secret", back=listing,
        text="The secret is shown once, on the next page; nobody can look it up later.",
        crumbs=[*_crumbs(project), ("New", "")],
    )


@require_http_methods(["GET", "POST"])
@project_page("credential.manage")
def revoke(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Ask, then end a key."""
    row = key_of(project, pk)
    row.project = project
    listing = reverse("stampkeys", kwargs={"project": project.name})
    if row.revoked_at is not None and request.method == "GET":
        messages.info(request, f"{row} was revoked already.")
        return redirect(listing)
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST" and form.is_valid():
        done = attempt(form, lambda: revoke_stamp_key(actor=request.actor, key=row, reason=form.cleaned_data["reason"]))
        if done:
            messages.success(request, f"{row} is revoked. Sheets that it signed are refused from now on.")
            return redirect(listing)
    return confirm_page(
        request, form, title=f"Revoke {row}", button="Revoke", back=listing,
        crumbs=[*_crumbs(project), (f"Revoke {row}", "")],
        points=[
            f"Sheets signed with {row.key_id} are refused at once, also those that players' devices hold already.",
            "What they have done stays, as do the lines in the activity log.",
            "This cannot be taken back; a new key may have the same name, but has another secret.",
        ],
    )


def _crumbs(project: Project) -> list[tuple[str, str]]:
    of = {"project": project.name}
    return [("Credentials", reverse("credentials", kwargs=of)), ("Stamp keys", reverse("stampkeys", kwargs=of))]
