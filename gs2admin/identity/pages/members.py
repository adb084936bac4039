"""Members: who may do what in the project."""
from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from gs2admin.dashboard.forms import ReasonForm
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import attempt, confirm_page, form_page, link, number_of, status_of
from gs2admin.errors import NotFound
from gs2admin.identity.models import Membership, Project
from gs2admin.identity.pages.forms import MEMBER_CHOICES, ROLE_WORDS, MemberForm, RoleForm
from gs2admin.identity.rights import can
from gs2admin.identity.services.members import add_member, change_member_role, remove_member

PAGE = 100
get_and_post = require_http_methods(["GET", "POST"])


def member_of(project: Project, pk: int) -> Membership:
    """The project's member of that number. Raises NotFound."""
    row = Membership.objects.select_related("user").filter(project=project, pk=pk).first()
    if row is None:
        raise NotFound(f"That person is not a member of {project.name} any more.", component="member")
    return row


@get_and_post
@project_page(post="member.manage")
def members(request: HttpRequest, project: Project) -> HttpResponse:
    """The list, for everybody in the project; admins add people here."""
    form = MemberForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        sent = form.cleaned_data
        row = attempt(form, lambda: add_member(
            actor=request.actor, project=project, username=sent["username"], role=sent["role"]
        ))
        if row:
            messages.success(request, f"{sent['username']} is now {sent['role']} of {project.name}.")
            return redirect("members", project=project.name)
    after = number_of(request, "after")
    rows = Membership.objects.filter(project=project).select_related("user").order_by("id")
    if after is not None:
        rows = rows.filter(pk__gt=after)
    found = list(rows[: PAGE + 1])
    return render(request, "identity/members.html", {
        "members": found[:PAGE],
        "next": link(after=found[PAGE - 1].pk) if len(found) > PAGE else "",
        "first": "?" if after is not None else "",
        "form": form,
        "may_manage": can(request.actor, "member.manage", project),
        "roles": [(label, ROLE_WORDS[value]) for value, label in MEMBER_CHOICES],
    }, status=status_of(form))


@get_and_post
@project_page("member.manage")
def role(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Another role for one person."""
    row = member_of(project, pk)
    name = row.user.get_username()
    listing = reverse("members", kwargs={"project": project.name})
    form = RoleForm(request.POST) if request.method == "POST" else RoleForm(initial={"role": row.role})
    if request.method == "POST" and form.is_valid():
        sent = form.cleaned_data
        done = attempt(form, lambda: change_member_role(actor=request.actor, membership=row, **sent))
        if done:
            messages.success(request, f"{name} is now {done.role} of {project.name}.")
            return redirect(listing)
    return form_page(
        request, form, title=f"Role of {name}", button="Save", back=listing, text=f"Now {row.role} of {project.name}.",
        crumbs=[("Members", listing), (name, "")],
    )


@get_and_post
@project_page("member.manage")
def remove(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Ask, then take a person's role away."""
    row = member_of(project, pk)
    name = row.user.get_username()
    listing = reverse("members", kwargs={"project": project.name})
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST" and form.is_valid():
        refused = attempt(form, lambda: remove_member(
            actor=request.actor, membership=row, reason=form.cleaned_data["reason"]
        ) or True) is None
        if not refused:
            messages.success(request, f"{name} is no longer a member of {project.name}.")
            myself = str(row.user_id) == request.actor.id
            return redirect("projects") if myself and not request.actor.superuser else redirect(listing)
    return confirm_page(
        request, form, title=f"Remove {name}", button="Remove", back=listing,
        crumbs=[("Members", listing), (f"Remove {name}", "")],
        points=[
            f"{name}, who is {row.role}, no longer sees {project.name}, from the next click on.",
            "The account and its roles in other projects stay; what the person has done stays in the activity log.",
        ],
    )
