"""For `bench.requests`: what somebody writes in an afternoon who needs the same rows: a view each, the ORM, JsonResponse.

No tokens, no rights, no shapes, no log line. Names are found through the rows that have them, in one query where one is enough;
a mutex by its unique key.
"""
from __future__ import annotations

import json

from django.core.wsgi import get_wsgi_application
from django.db.models import F
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


def constant(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"item": "1", "status": "1"})


def mutex(request: HttpRequest, namespace: str, user: str, name: str) -> JsonResponse:
    from locks.models import Mutex
    from locks.sql import key_of

    row = Mutex.objects.get(key=key_of(1, user, name))
    return JsonResponse({"item": {
        "mutexId": f"grn:gs2:lock:{namespace}:user:{user}:property:{name}", "userId": row.user_id, "propertyId": row.property_id,
        "transactionId": row.transaction_id, "createdAt": row.acquired_ms, "ttlAt": row.until_ms, "revision": row.revision,
    }})


@csrf_exempt
def change(request: HttpRequest, namespace: str, user: str, name: str) -> JsonResponse:
    """One row is updated, by its unique key."""
    from locks.models import Mutex
    from locks.sql import key_of

    json.loads(request.body or b"{}")
    key = key_of(1, user, name)
    return JsonResponse({"changed": Mutex.objects.filter(key=key).update(denied=F("denied") + 1)})


def _job(namespace: str, user: str, row) -> dict:
    return {
        "jobId": f"grn:gs2:queue:{namespace}:user:{user}:job:{row.name}", "name": str(row.name), "userId": user,
        "scriptId": row.script_id, "args": row.args, "currentRetryCount": row.try_count, "maxTryCount": row.max_try_count,
        "createdAt": int(row.created_at.timestamp() * 1000), "updatedAt": int(row.updated_at.timestamp() * 1000),
    }


def job(request: HttpRequest, namespace: str, user: str, name: str) -> JsonResponse:
    from jobqueue.models import Job

    row = Job.objects.select_related("queue__namespace").get(name=name, queue__user_id=user, queue__namespace__name=namespace)
    return JsonResponse({"item": _job(row.queue.namespace.name, row.queue.user_id, row)})


def jobs(request: HttpRequest, namespace: str, user: str) -> JsonResponse:
    from jobqueue.models import Job, Queue

    queue = Queue.objects.select_related("namespace").get(user_id=user, namespace__name=namespace)
    rows = Job.objects.filter(queue=queue, state="waiting").order_by("id")[:30]
    return JsonResponse({"items": [_job(queue.namespace.name, user, row) for row in rows]})


def result(request: HttpRequest, namespace: str, user: str, name: str) -> JsonResponse:
    from jobqueue.models import JobResult

    rows = JobResult.objects.select_related("job__queue__namespace")
    row = rows.filter(job__name=name, job__queue__user_id=user, job__queue__namespace__name=namespace).latest("try_number")
    front = f"grn:gs2:queue:{row.job.queue.namespace.name}:user:{user}:job:{name}"
    return JsonResponse({"item": {
        "jobResultId": f"{front}:jobResult:{row.try_number}", "jobId": front, "scriptId": row.job.script_id, "args": row.job.args,
        "tryNumber": row.try_number, "statusCode": row.status_code, "result": row.result,
        "tryAt": int(row.tried_at.timestamp() * 1000),
    }})


def _stage(row) -> dict:
    return {
        "stageId": f"grn:gs2:freeze:{row.name}", "name": row.name, "sourceStageName": row.source.name if row.source else None,
        "sortNumber": row.sort_number, "status": row.last_state, "createdAt": int(row.created_at.timestamp() * 1000),
        "updatedAt": int(row.updated_at.timestamp() * 1000), "revision": row.revision,
    }


def _versions(found) -> list:
    return [{"name": name, "version": version} for name, version in (found.versions if found else {}).items()]


def stages(request: HttpRequest) -> JsonResponse:
    from stages.models import Stage

    rows = Stage.objects.existing(1).with_last_rollout().select_related("source")
    return JsonResponse({"items": [_stage(row) for row in rows]})


def stage(request: HttpRequest, name: str) -> JsonResponse:
    from stages.models import Stage

    row = Stage.objects.existing(1).with_last_rollout().select_related("source__current_set", "current_set").get(name=name)
    return JsonResponse({"item": _stage(row), "source": _versions(row.source and row.source.current_set),
                         "current": _versions(row.current_set)})


_PLAYER = "<str:namespace>/user/<str:user>"
urlpatterns = [
    path("constant", constant), path("stages", stages), path("stage/<str:name>", stage),
    path(f"lock/{_PLAYER}/mutex/<str:name>", mutex), path(f"change/{_PLAYER}/mutex/<str:name>", change),
    path(f"queue/{_PLAYER}/job", jobs), path(f"queue/{_PLAYER}/job/<uuid:name>", job),
    path(f"queue/{_PLAYER}/job/<uuid:name>/result", result),
]
application = get_wsgi_application()
