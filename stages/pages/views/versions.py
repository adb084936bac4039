"""The catalogue: microservices, their versions, and the stages that pin them."""
from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from gs2admin.audit.models import Activity
from gs2admin.dashboard.forms import ReasonForm
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import attempt, confirm_page, form_page, link, number_of, status_of, text_of
from gs2admin.errors import NotFound
from gs2admin.identity.models import Project
from gs2admin.identity.rights import can, require
from stages.models import Microservice, Stage, Version
from stages.pages.catalogue import entries, pins, places
from stages.pages.forms.settings import NewVersionForm, VersionForm
from stages.setup.versions import register_version, withdraw_version

PAGE = 50
get_and_post = require_http_methods(["GET", "POST"])


def microservice_of(project: Project, name: str) -> Microservice:
    """The project's microservice of that name. Raises NotFound."""
    row = Microservice.objects.filter(project=project, name=name).first()
    if row is None:
        raise NotFound(f"There is no microservice {name} in {project.name}.", component="microservice")
    return row


@require_GET
@project_page()
def versions(request: HttpRequest, project: Project) -> HttpResponse:
    """All microservices by name; the address holds the filter and the place in the list."""
    query, after = text_of(request, "q"), text_of(request, "after")
    found = entries(project, query=query, after=after, limit=PAGE + 1)
    return render(request, "stages/versions.html", {
        "entries": found[:PAGE],
        "query": query,
        "next": link(q=query, after=found[PAGE - 1].name) if len(found) > PAGE else "",
        "first": link(q=query) if after else "",
        "may_register": can(request.actor, "version.register", project),
    })


@get_and_post
@project_page("version.register")
def register(request: HttpRequest, project: Project) -> HttpResponse:
    """A version of any microservice; a new name creates a microservice."""
    form = NewVersionForm(request.POST) if request.method == "POST" else NewVersionForm()
    if request.method == "POST" and (made := _register(request, project, form)):
        return made
    listing = reverse("versions", kwargs={"project": project.name})
    return form_page(
        request, form, title="Register a version", button="Register", back=listing,
        text="Builds can do this too: with manage.py registerversion, or through the JSON API with a credential.",
        crumbs=[("Versions", listing), ("Register", "")],
    )


@get_and_post
@project_page()
def service(request: HttpRequest, project: Project, service: str) -> HttpResponse:
    """All versions of one microservice, newest first, and the form for the next one."""
    row = microservice_of(project, service)
    form = VersionForm(request.POST or None)
    if request.method == "POST" and (made := _register(request, project, form, row.name)):
        return made
    rows = Version.objects.filter(microservice=row).order_by("-id")
    before = number_of(request)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows[: PAGE + 1])
    where = places(row.name, pins(project))
    why = _withdrawals(project, found)
    newest = Version.objects.filter(microservice=row, withdrawn_at=None).order_by("-id").values_list("pk", flat=True).first()
    known = {version.version for version in found}
    return render(request, "stages/service.html", {
        "service": row,
        "rows": [(version, where.get(version.version, []), why.get(str(version.pk))) for version in found[:PAGE]],
        "elsewhere": [(version, stages) for version, stages in where.items() if version not in known and before is None],
        "newest": newest,
        "older": link(before=found[PAGE - 1].pk) if len(found) > PAGE else "",
        "newer": "?" if before is not None else "",
        "form": form,
        "may_register": can(request.actor, "version.register", project),
        "may_withdraw": can(request.actor, "version.withdraw", project),
    }, status=status_of(form))


def _withdrawals(project: Project, found: list[Version]) -> dict[str, Activity]:
    """The log entries that say who withdrew a version and why: {the version's pk as text: entry}."""
    gone = [str(row.pk) for row in found if row.withdrawn_at]
    if not gone:
        return {}
    entries = Activity.objects.filter(
        project=project, object_type="version", object_id__in=gone, action="version.withdraw"
    )
    return {entry.object_id: entry for entry in entries}


def _register(request: HttpRequest, project: Project, form: VersionForm, microservice: str = "") -> HttpResponse | None:
    """Register what the form holds; None, with the refusal in the form, when it cannot be. microservice: if not in the form."""
    if not form.is_valid():
        require(request.actor, "version.register", project)  # otherwise the service asks
        return None
    sent = form.cleaned_data
    name = microservice or sent["microservice"]
    made = attempt(form, lambda: register_version(
        actor=request.actor, project=project, microservice=name, version=sent["version"], note=sent["note"]
    ))
    if made is None:
        return None
    if made[1]:
        messages.success(request, f"{name} {sent['version']} is registered.")
    else:
        messages.info(request, f"{name} {sent['version']} was registered before; nothing changed.")
    return redirect("version-service", project=project.name, service=name)


@get_and_post
@project_page("version.withdraw")
def withdraw(request: HttpRequest, project: Project, service: str, pk: int) -> HttpResponse:
    """Ask for confirmation, then withdraw a version."""
    row = Version.objects.select_related("microservice").filter(
        pk=pk, microservice__project=project, microservice__name=service
    ).first()
    if row is None:
        raise NotFound(f"There is no such version of {service} in {project.name}.", component="microservice")
    listing = reverse("version-service", kwargs={"project": project.name, "service": service})
    if row.withdrawn_at is not None and request.method == "GET":
        messages.info(request, f"{row} was withdrawn already.")
        return redirect(listing)
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST" and form.is_valid():
        done = attempt(form, lambda: withdraw_version(
            actor=request.actor, version=row, reason=form.cleaned_data["reason"]
        ))
        if done:
            messages.success(request, f"{row} is withdrawn.")
            return redirect(listing)
    return confirm_page(
        request, form, title=f"Withdraw {row}", button="Withdraw", back=listing, points=_consequences(project, row),
        crumbs=[("Versions", reverse("versions", kwargs={"project": project.name})), (service, listing), ("Withdraw", "")],
    )


def _consequences(project: Project, row: Version) -> list[str]:
    name = row.microservice.name
    newest = list(Version.objects.filter(microservice=row.microservice, withdrawn_at=None).order_by("-id")[:2])
    pinned = places(name, pins(project)).get(row.version, [])
    roots = list(Stage.objects.existing(project.pk).filter(source=None).values_list("name", flat=True))
    found = []
    if newest and newest[0].pk == row.pk and roots:
        now = f"take {newest[1].version} instead" if len(newest) > 1 else f"lose {name}, which has no other version"
        found.append(f"It is the newest version: the next promote of {', '.join(roots)} will {now}.")
    else:
        found.append("It is not the newest version, so no promote would take it as the latest.")
    if pinned:
        found.append(f"{', '.join(pinned)} pin{'s' if len(pinned) == 1 else ''} it and keep{'s' if len(pinned) == 1 else ''} it, "
                     "and a stage that takes its versions from there still gets it. Roll back to remove it.")
    else:
        found.append("No stage pins it now.")
    found.append(f"{row.version} cannot be registered again; a repaired build needs a new number.")
    return found
