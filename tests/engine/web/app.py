"""What the server of these tests serves: answers of every kind, and what came of a body."""
import hashlib
import os
import tempfile
import time

from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from tests.conditions import until

BIG = b"0123456789abcdef" * (5 * 1024 * 64)


def one(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"one")


def big(request: HttpRequest) -> HttpResponse:
    return HttpResponse(BIG)


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(BIG[at : at + 10_000] for at in range(0, len(BIG), 10_000))


def broken(request: HttpRequest) -> StreamingHttpResponse:
    def parts():
        yield BIG[: int(request.GET["after"])]
        raise RuntimeError("hush")

    return StreamingHttpResponse(parts())


def file(request: HttpRequest) -> FileResponse:
    content = tempfile.TemporaryFile()  # noqa: SIM115  the response closes it
    content.write(BIG)
    content.seek(0)
    return FileResponse(content)


@csrf_exempt
def echo(request: HttpRequest) -> HttpResponse:
    """Length and digest of the body."""
    digest, size = hashlib.sha256(), 0
    while data := request.META["wsgi.input"].read(1024 * 1024):
        digest.update(data)
        size += len(data)
    return HttpResponse(f"{size} {digest.hexdigest()}")


def wait(request: HttpRequest) -> HttpResponse:
    """Holds its thread until a file is there."""
    until(lambda: os.path.exists(request.GET["for"]), 30)
    return HttpResponse(f"{time.monotonic()}")


urlpatterns = [path(view.__name__, view) for view in (one, big, stream, broken, file, echo, wait)]
application = get_wsgi_application()
