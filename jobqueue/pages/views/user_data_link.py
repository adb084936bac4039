"""Files by signed links that expire: a link needs no session, and gives the file to everybody who has it."""
from __future__ import annotations

from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from gs2admin.dashboard.errors import errors_for_programs
from gs2admin.dashboard.player import address
from gs2admin.errors import DomainError, Invalid
from gs2admin.identity.models import Project
from gs2admin.wire.unserved import for_programs
from jobqueue.userdata import files
from jobqueue.userdata.services import check_length, receive_upload

# What a browser puts around the file in a form.
FRAME = 4096
_OVER = "This link is not one of ours, or its time is over; ask for a new one."
errors_for_programs("/user-data/")


def _plain(sentence: str, status: int = 200) -> HttpResponse:
    return _closed(HttpResponse(sentence + "\n", status=status, content_type="text/plain; charset=utf-8"))


def _closed(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    response["Referrer-Policy"] = "no-referrer"
    return response


@for_programs
@csrf_exempt  # as for all links: what is wrong with a call is said in words of links
@require_GET
def file(request: HttpRequest, token: str) -> HttpResponse:
    """The zip of a dump."""
    run = files.run_of(token, files.Link.FILE)
    if run is None or not run.file:
        return _plain(_OVER, 404)
    try:
        content = files.storage().open(run.file, "rb")
    except FileNotFoundError:
        return _plain("This file is no longer kept.", 404)
    name = f"user-data-{run.created_at:%Y%m%d-%H%M%S}.zip"
    return _closed(FileResponse(content, as_attachment=True, filename=name, content_type="application/zip"))


@for_programs
@csrf_exempt
@require_GET
def log(request: HttpRequest, token: str) -> HttpResponse:
    """What a run did, line by line."""
    run = files.run_of(token, files.Link.LOG)
    return _plain(_OVER, 404) if run is None else _plain(run.log.rstrip("\n"))


@for_programs
@csrf_exempt
@require_http_methods(["PUT", "POST"])
def upload(request: HttpRequest, token: str) -> HttpResponse:
    """The zip to import, as the body itself; it is written away as it comes."""
    run = files.run_of(token, files.Link.UPLOAD)
    if run is None:
        return _plain(_OVER, 404)
    chunked = "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()
    try:
        length = None if chunked else int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return _plain("The Content-Length is not a number.", 400)
    try:
        receive_upload(run=run, stream=request.META["wsgi.input"], length=length)
    except DomainError as refusal:
        return _plain(refusal.sentence, 400)
    return _plain("Uploaded.")


@csrf_exempt
@require_POST
def form(request: HttpRequest, token: str) -> HttpResponse:
    """The zip to import, as the file of a form; ends at the page of the import, with what went wrong.

    There is no CSRF token: the address itself is the secret, and a check would read the whole body first.
    """
    run = files.run_of(token, files.Link.FORM)
    if run is None:
        return _plain(_OVER, 404)
    try:
        check_length(int(request.META.get("CONTENT_LENGTH") or 0) - FRAME)
        sent = request.FILES.get("file")
        if sent is None:
            raise Invalid("Choose a file first.")
        receive_upload(run=run, stream=sent.file, length=sent.size)
    except ValueError:
        return _plain("The Content-Length is not a number.", 400)
    except DomainError as refusal:
        messages.error(request, refusal.sentence)
    return redirect(address(Project.objects.get(pk=run.project_id), run.user_id, "player-run", pk=run.pk))
