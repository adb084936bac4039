"""The seven namespace methods of GS2-JobQueue."""
from __future__ import annotations

from typing import Any

from gs2admin.identity.models import Project
from gs2admin.namespaces.api import NamespaceModel, Namespaces
from gs2admin.namespaces.setting_shapes import (
    LogSettingModel,
    NotificationSettingModel,
    TransactionSettingModel,
    TransactionSettingV2Model,
    log_setting,
    notification_setting,
    setting_field,
    transaction_setting,
    transaction_setting_v2,
    with_notification_defaults,
    with_transaction_defaults,
)
from gs2admin.wire.shapes import Boolean, field
from jobqueue.models import Namespace
from jobqueue.services import namespaces as services

WORD = "jobQueue.namespace"
_Notification = notification_setting("jobQueue")


class QueueNamespaceModel(NamespaceModel):
    """A namespace of job queues."""

    transaction_setting: TransactionSettingModel | None = None
    transaction_setting_v2: TransactionSettingV2Model | None = None
    enable_auto_run: bool
    run_notification: NotificationSettingModel | None = None
    push_notification: NotificationSettingModel | None = None
    log_setting: LogSettingModel | None = None


def _item(project: Project, row: Namespace) -> dict[str, Any]:
    return {
        "transactionSetting": with_transaction_defaults(row.transaction_setting, project),
        "transactionSettingV2": row.transaction_setting_v2,
        "enableAutoRun": row.enable_auto_run,
        "runNotification": with_notification_defaults(row.run_notification, project),
        "pushNotification": with_notification_defaults(row.push_notification, project),
        "logSetting": row.log_setting,
    }


NAMESPACES = Namespaces(
    service="job-queue",
    words="jobQueue",
    grn="queue",
    model=Namespace,
    settings={
        "transaction_setting": setting_field(f"{WORD}.transactionSetting", transaction_setting("jobQueue")),
        "transaction_setting_v2": setting_field(f"{WORD}.transactionSettingV2", transaction_setting_v2("jobQueue")),
        "enable_auto_run": (Boolean | None, field(f"{WORD}.enableAutoRun", None)),
        "push_notification": setting_field(f"{WORD}.pushNotification", _Notification),
        "run_notification": setting_field(f"{WORD}.runNotification", _Notification),
        "log_setting": setting_field(f"{WORD}.logSetting", log_setting("jobQueue")),
    },
    result=QueueNamespaceModel,
    item=_item,
    create=services.create_namespace,
    update=services.update_namespace,
    delete=services.delete_namespace,
)
METHODS = NAMESPACES.methods()
