"""Credentials: what programs sign in with. A secret is shown in the answer that made it, and never again."""
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
from gs2admin.identity.models import Credential, Project
from gs2admin.identity.pages.forms import CredentialForm
from gs2admin.identity.services.credentials import create_credential, revoke_credential

PAGE = 50


def credential_of(project: Project, pk: int) -> Credential:
    """The project's credential of that number. Raises NotFound."""
    row = Credential.objects.filter(project=project, pk=pk).first()
    if row is None:
        raise NotFound(f"There is no such credential in {project.name}.", component="credential")
    return row


def base_address(request: HttpRequest) -> str:
    """Where clients reach this server, as the reader of the page does."""
    return request.build_absolute_uri("/").rstrip("/")


@require_GET
@project_page("credential.manage")
def credentials(request: HttpRequest, project: Project) -> HttpResponse:
    """The list, newest first."""
    rows = Credential.objects.filter(project=project).order_by("-id").defer("secret_hash")
    before = number_of(request)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows[: PAGE + 1])
    return render(request, "identity/credentials.html", {
        "credentials": found[:PAGE],
        "older": link(before=found[PAGE - 1].pk) if len(found) > PAGE else "",
        "newer": "?" if before is not None else "",
        "base": base_address(request),
        "client_id": next((row.client_id for row in found if row.revoked_at is None), "gs2a-…"),
    })


@require_http_methods(["GET", "POST"])
@project_page("credential.manage")
def create(request: HttpRequest, project: Project) -> HttpResponse:
    """The form; its answer shows the secret, once."""
    form = CredentialForm(request.POST) if request.method == "POST" else CredentialForm.fresh()
    if request.method == "POST" and form.is_valid():
        sent = form.cleaned_data
        if not first_time(request, str(sent["key"])):
            messages.warning(request, "That form was sent before, so nothing new was made. If its secret was not seen, "
                                      "revoke that credential and make another one.")
            return redirect("credentials", project=project.name)
        made = attempt(form, lambda: create_credential(
            actor=request.actor, project=project, name=sent["name"], role=sent["role"], signs=sent["signs"]
        ))
        if made:
            row, secret = made
            return never_kept(render(request, "identity/credential_made.html", {
                "credential": row, "secret": secret, "base": base_address(request), "client_id": row.client_id,
            }))
        form = form.again()
    listing = reverse("credentials", kwargs={"project": project.name})
    return form_page(
        request, form, title="New credential", button="Create and show the secret", back=listing,
        text="The secret is shown once, on the next page; nobody can look it up later.",
        crumbs=[("Credentials", listing), ("New", "")],
    )


@require_http_methods(["GET", "POST"])
@project_page("credential.manage")
def revoke(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Ask, then end a credential and its tokens."""
    row = credential_of(project, pk)
    listing = reverse("credentials", kwargs={"project": project.name})
    if row.revoked_at is not None and request.method == "GET":
        messages.info(request, f"{row.name} was revoked already.")
        return redirect(listing)
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST" and form.is_valid():
        done = attempt(form, lambda: revoke_credential(
            actor=request.actor, credential=row, reason=form.cleaned_data["reason"]
        ))
        if done:
            messages.success(request, f"{row.name} is revoked. Programs that use it are refused from now on.")
            return redirect(listing)
    return confirm_page(
        request, form, title=f"Revoke {row.name}", button="Revoke", back=listing,
        crumbs=[("Credentials", listing), (f"Revoke {row.name}", "")],
        points=[
            f"Programs that sign in as {row.client_id} are refused at once; tokens they hold end within a second.",
            "What they have done stays in the activity log, under this name.",
            "This cannot be taken back; a new credential has another id and another secret.",
        ],
    )
