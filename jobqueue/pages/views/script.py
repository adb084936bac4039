"""One script: its text, trying it, its versions."""
from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from gs2admin.dashboard.forms import ReasonForm
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import attempt, confirm_page, number_of, status_of
from gs2admin.errors import Unavailable
from gs2admin.identity.models import Project
from gs2admin.text import shortened
from jobqueue.models import Script, ScriptNamespace
from jobqueue.pages.forms import NewScriptForm, ScriptForm
from jobqueue.pages.pretty import Shown, shown, shown_lines
from jobqueue.pages.views.common import get_and_post, rights
from jobqueue.pages.views.scripts import at, trail
from jobqueue.reads import scripts as reads
from jobqueue.services import scripts as services
from jobqueue.services.jobs import check_args

PAGE = 50
OUTPUT_SHOWN = 100_000
# Ends the program before its first statement, on the first line: what follows is parsed and not run.
PARSED_ONLY = "do return end "
FIRST = 'result = {\n  greeting = "hello",\n  from = args\n}\n'
_LINE = re.compile(r"(?:line |:)(\d{1,6})")


@dataclass(frozen=True)
class Tried:
    """How a try-out ended. line: where it failed, 0 where that is not known; at: that line's text."""

    outcome: services.Invoked
    result: Shown
    printed: Shown
    line: int
    at: str

    @property
    def ok(self) -> bool:
        return 200 <= self.outcome.status_code < 300

    @property
    def memory(self) -> str:
        """For people."""
        return f"{self.outcome.memory_bytes / 1024:,.0f} KB"


def _tried(outcome: services.Invoked, source: str) -> Tried:
    line = 0 if 200 <= outcome.status_code < 300 else line_of(outcome.result)
    lines = source.split("\n")
    output = "\n".join(outcome.output)
    at = shortened(lines[line - 1].strip(), 200) if 0 < line <= len(lines) else ""
    return Tried(outcome, shown(outcome.result[:OUTPUT_SHOWN], len(outcome.result)),
                 shown_lines(output[:OUTPUT_SHOWN], len(output)), line, at)


def line_of(errors: str) -> int:
    """The line that a list of errors speaks of, 0 when it names none."""
    try:
        found = json.loads(errors)
        text = str(found[0].get("message", "")) if isinstance(found, list) and found else ""
    except (ValueError, AttributeError):
        return 0
    match = _LINE.search(text)
    return int(match[1]) if match else 0


def _try(request: HttpRequest, project: Project, form: ScriptForm) -> Tried | None:
    """Run what is in the form; what is refused is shown beside the field."""
    sent = form.cleaned_data
    try:
        outcome = attempt(form, lambda: _run(request, project, sent))
    except Unavailable as away:
        form.add_error(None, away.sentence)
        form.status = 503
        return None
    return _tried(outcome, sent["source"]) if outcome else None


def _run(request: HttpRequest, project: Project, sent: dict[str, Any]) -> services.Invoked:
    args = sent["args"].strip() or "{}"
    check_args(args)
    return services.try_script(
        actor=request.actor, project=project, source=sent["source"], user_id=sent["user_id"] or None, args=args,
        disable_string_number_to_number=sent["disable_string_number_to_number"],
        keep_whole_floats=sent["keep_whole_floats"],
    )


def _warn(request: HttpRequest, project: Project, source: str) -> None:
    """Say what is wrong with a text that was saved: it is kept all the same, and refused when it is run."""
    try:
        outcome = services.try_script(actor=request.actor, project=project, source=PARSED_ONLY + source)
    except Exception:  # noqa: BLE001  the save has succeeded; a runner that is away is no reason to deny that
        return
    if not 200 <= outcome.status_code < 300:
        found = json.loads(outcome.result)
        text = str(found[0].get("message", "")) if isinstance(found, list) and found else "It does not parse."
        messages.warning(request, f"It is saved, but it does not parse, so jobs that name it fail: {text}")


@get_and_post
@project_page("script.edit")
def create(request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
    """A new script; it can be tried before it is stored."""
    row = reads.namespace_of(project, namespace)
    form = NewScriptForm(request.POST if request.method == "POST" else None, initial={"source": FIRST})
    tried = None
    if request.method == "POST" and request.POST.get("do") == "try":
        form.fields["name"].required = False
    if request.method == "POST" and form.is_valid():
        if request.POST.get("do") == "try":
            tried = _try(request, project, form)
            form.fields["name"].required = True  # to be saved it needs one, and the label says so
        else:
            sent = form.cleaned_data
            made = attempt(form, lambda: services.create_script(
                actor=request.actor, namespace=row, name=sent["name"], source=sent["source"], description=sent["description"],
                disable_string_number_to_number=sent["disable_string_number_to_number"],
                keep_whole_floats=sent["keep_whole_floats"],
            ))
            if made:
                messages.success(request, f"{made.name} is saved; jobs can name it now.")
                _warn(request, project, sent["source"])
                return redirect("scripts-script", project=project.name, namespace=row.name, script=made.name)
    return render(request, "jobqueue/script.html", {
        "namespace": row, "script": None, "form": form, "tried": tried, "may_edit": True, "may_run": True,
        "crumbs": trail(project, (row.name, at("scripts-namespace", row)), ("New script", "")),
    }, status=status_of(form))


@get_and_post
@project_page(post="script.edit")
def script(request: HttpRequest, project: Project, namespace: str, script: str) -> HttpResponse:
    """The text with its editor; POST do=try runs what is in the editor, do=save stores it."""
    parent = reads.namespace_of(project, namespace)
    row = reads.script_of(parent, script)
    long = row.size > reads.EDITABLE
    form = ScriptForm(request.POST if request.method == "POST" else None, initial={
        "source": row.head, "description": row.description, "args": "{}",
        "disable_string_number_to_number": row.disable_string_number_to_number, "keep_whole_floats": row.keep_whole_floats,
    })
    tried = None
    if request.method == "POST":
        if form.is_valid() and request.POST.get("do") == "try":
            tried = _try(request, project, form)
        elif form.is_valid() and not long:
            saved = attempt(form, lambda: _save(request, row, form.cleaned_data))
            if saved:
                if saved.revision == row.revision:
                    messages.info(request, "Nothing was changed.")
                else:
                    messages.success(request, f"{saved.name} is saved as revision {saved.revision}.")
                _warn(request, project, form.cleaned_data["source"])
                return redirect("scripts-script", project=project.name, namespace=parent.name, script=saved.name)
    return render(request, "jobqueue/script.html", {
        "namespace": parent, "script": row, "form": form, "tried": tried, "long": long, "beginning": row.head[: reads.BEGINNING],
        "uses": reads.uses(row), "ids": reads.ids_of(row),
        **rights(request, project, "script.edit", "script.run"),
        "crumbs": trail(project, (parent.name, at("scripts-namespace", parent)), (row.name, "")),
    }, status=status_of(form))


def _save(request: HttpRequest, row: Script, sent: dict[str, Any]) -> Script:
    return services.update_script(
        actor=request.actor, script=row, reason=sent["reason"], source=sent["source"], description=sent["description"],
        disable_string_number_to_number=sent["disable_string_number_to_number"],
        keep_whole_floats=sent["keep_whole_floats"],
    )


@require_GET
@project_page()
def text(request: HttpRequest, project: Project, namespace: str, script: str) -> HttpResponse:
    """The whole text, to keep."""
    row = reads.script_of(reads.namespace_of(project, namespace), script)
    source = Script.objects.values_list("source", flat=True).get(pk=row.pk)
    return HttpResponse(source, content_type="text/plain; charset=utf-8", headers={
        "Content-Disposition": f'attachment; filename="{row.name}.lua"', "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    })


@require_GET
@project_page()
def versions(request: HttpRequest, project: Project, namespace: str, script: str) -> HttpResponse:
    """All versions, and what one changed: ?revision=5, against the one before it or ?against=2."""
    parent = reads.namespace_of(project, namespace)
    row = reads.script_of(parent, script)
    before = number_of(request)
    found = reads.versions(row, before=before, limit=PAGE + 1)
    revision = number_of(request, "revision") or row.revision
    new = reads.version_of(row, revision)
    against = number_of(request, "against") or revision - 1
    old = reads.version_of(row, against).source if against else ""
    return render(request, "jobqueue/versions.html", {
        "namespace": parent, "script": row, "rows": found[:PAGE], "new": new, "against": against,
        "lines": reads.difference(old, new.source),
        "older": f"?before={found[PAGE - 1].revision}" if len(found) > PAGE else "", "newer": "?" if before is not None else "",
        **rights(request, project, "script.edit"),
        "crumbs": _trail(project, parent, row, ("Versions", "")),
    })


def _trail(project: Project, parent: ScriptNamespace, row: Script, *more: tuple[str, str]) -> list[tuple[str, str]]:
    return trail(
        project, (parent.name, at("scripts-namespace", parent)), (row.name, at("scripts-script", parent, script=row.name)), *more
    )


@get_and_post
@project_page("script.edit")
def restore(request: HttpRequest, project: Project, namespace: str, script: str, revision: int) -> HttpResponse:
    """Ask, then make an old text the present one again."""
    parent = reads.namespace_of(project, namespace)
    row = reads.script_of(parent, script)
    old = reads.version_of(row, revision)
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST" and form.is_valid():
        saved = attempt(form, lambda: services.update_script(
            actor=request.actor, script=row, source=old.source, reason=form.cleaned_data["reason"]
        ))
        if saved:
            messages.success(request, f"{row.name} has the text of revision {revision} again.")
            return redirect("scripts-script", project=project.name, namespace=parent.name, script=row.name)
    return confirm_page(
        request, form, title=f"Go back to revision {revision} of {row.name}", button="Go back to it",
        back=at("scripts-versions", parent, script=row.name), crumbs=_trail(project, parent, row, ("Go back", "")),
        points=[f"Its text becomes that of revision {revision} again, as a new revision; nothing is lost.",
                "Jobs that run from now on use it; one that is running now goes on with the text it began with."],
    )


@get_and_post
@project_page("script.edit")
def delete(request: HttpRequest, project: Project, namespace: str, script: str) -> HttpResponse:
    """Ask, then delete a script."""
    parent = reads.namespace_of(project, namespace)
    row = reads.script_of(parent, script)
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST" and form.is_valid():
        done = attempt(form, lambda: services.delete_script(
            actor=request.actor, script=Script.objects.select_related("namespace").get(pk=row.pk),
            reason=form.cleaned_data["reason"],
        ))
        if done:
            messages.success(request, f"{row.name} is deleted.")
            return redirect("scripts-namespace", project=project.name, namespace=parent.name)
    ran = sum(use.attempts for use in reads.uses(row))
    return confirm_page(
        request, form, title=f"Delete {row.name}", button="Delete script", back=at("scripts-script", parent, script=row.name),
        crumbs=_trail(project, parent, row, ("Delete", "")),
        points=[
            f"Its {row.revision:,} version{'' if row.revision == 1 else 's'} go with it.",
            f"It was tried {ran:,} times in the last 24 hours; jobs that name it fail from then on, with status 404." if ran else
            "Nothing ran it in the last 24 hours; jobs that name it fail from then on, with status 404.",
            "This cannot be taken back.",
        ],
    )
