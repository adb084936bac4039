"""A page with one query, and one that waits as long as a remote database might; for `bench.webclasses`."""
import time

from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path


def one(request: HttpRequest) -> JsonResponse:
    from gs2admin.identity.models import Project

    return JsonResponse({"names": list(Project.objects.values_list("name", flat=True)[:10])})


def wait(request: HttpRequest) -> JsonResponse:
    time.sleep(0.02)
    return one(request)


urlpatterns = [path("one", one), path("wait", wait)]
application = get_wsgi_application()
