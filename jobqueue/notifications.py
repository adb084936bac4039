"""Writes messages for players' connections; the gateway delivers them once it exists."""
from __future__ import annotations

import json

from jobqueue.models import Job, Namespace, Notification

MAX_GATEWAY = 1024


def fits(setting: dict | None) -> bool:
    """Whether the gateway that a notification setting names can be written into a notification."""
    gateway = (setting or {}).get("gatewayNamespaceId")
    return gateway is None or isinstance(gateway, str) and len(gateway) <= MAX_GATEWAY


def wanted(setting: dict | None) -> bool:
    """Whether a notification setting is on."""
    return bool(setting) and setting.get("enable", "Enabled") != "Disabled"


def _gateway(namespace: Namespace, setting: dict) -> str:
    project = namespace.project
    return setting.get("gatewayNamespaceId") or f"grn:gs2:{project.region}:{project.owner_id}:gateway:default"


def tells_of_pushes(namespace: Namespace) -> bool:
    """Whether `pushed` writes anything."""
    return not namespace.enable_auto_run and wanted(namespace.push_notification)


def _payload(**members: str) -> str:
    # Without escapes: with them, a player's id alone could be longer than the column.
    return json.dumps(members, ensure_ascii=False)


def pushed(namespace: Namespace, user_id: str) -> None:
    """Write that jobs wait for the player's client; nothing with auto-run (contract: job_queue, Notifications)."""
    if not tells_of_pushes(namespace):
        return
    Notification.objects.create(
        project_id=namespace.project_id,
        gateway_namespace_id=_gateway(namespace, namespace.push_notification),
        user_id=user_id,
        subject="Gs2JobQueue:Push",
        payload=_payload(namespaceName=namespace.name, userId=user_id),
    )


def finished(namespace: Namespace, user_id: str, job_id: int) -> None:
    """Write that an attempt ended, with success or not; nothing where the namespace wants none."""
    if not wanted(namespace.run_notification):
        return
    name = Job.objects.values_list("name", flat=True).get(pk=job_id)
    Notification.objects.create(
        project_id=namespace.project_id,
        job_id=job_id,
        gateway_namespace_id=_gateway(namespace, namespace.run_notification),
        user_id=user_id,
        subject="Gs2JobQueue:RunNotification",
        payload=_payload(namespaceName=namespace.name, userId=user_id, jobName=str(name)),
    )
