"""For `bench.webclasses` and `bench.sockets`: a page with one query, one that waits as long as a remote database might, one that
takes a second, 5 MB.
"""
import time

from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path


def one(request: HttpRequest) -> JsonResponse:
    from gs2admin.identity.models import Project

    return JsonResponse({"names": list(Project.objects.values_list("name", flat=True)[:10])})


def wait(request: HttpRequest) -> JsonResponse:
    time.sleep(0.02)
    return one(request)


def slow(request: HttpRequest) -> HttpResponse:
    time.sleep(1)
    return HttpResponse(b"slow")


def big(request: HttpRequest) -> HttpResponse:
    return HttpResponse(bytes(5 * 1024 * 1024), content_type="application/octet-stream")


urlpatterns = [path("one", one), path("wait", wait), path("slow", slow), path("big", big)]
application = get_wsgi_application()
