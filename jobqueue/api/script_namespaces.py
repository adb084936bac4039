"""The seven namespace methods of GS2-Script."""
from __future__ import annotations

from typing import Any

from gs2admin.identity.models import Project
from gs2admin.namespaces.api import NamespaceModel, Namespaces
from gs2admin.namespaces.setting_shapes import (
    LogSettingModel,
    TransactionSettingModel,
    TransactionSettingV2Model,
    log_setting,
    setting_field,
    transaction_setting,
    transaction_setting_v2,
    with_transaction_defaults,
)
from jobqueue.models import ScriptNamespace
from jobqueue.services import namespaces as services


class ScriptNamespaceModel(NamespaceModel):
    """A namespace of scripts."""

    transaction_setting: TransactionSettingModel | None = None
    transaction_setting_v2: TransactionSettingV2Model | None = None
    log_setting: LogSettingModel | None = None


def _item(project: Project, row: ScriptNamespace) -> dict[str, Any]:
    return {
        "transactionSetting": with_transaction_defaults(row.transaction_setting, project),
        "transactionSettingV2": row.transaction_setting_v2,
        "logSetting": row.log_setting,
    }


NAMESPACES = Namespaces(
    service="script",
    words="script",
    grn="script",
    model=ScriptNamespace,
    settings={
        "transaction_setting": setting_field("script.namespace.transactionSetting", transaction_setting("script")),
        "transaction_setting_v2": setting_field("script.namespace.transactionSettingV2", transaction_setting_v2("script")),
        "log_setting": setting_field("script.namespace.logSetting", log_setting("script")),
    },
    result=ScriptNamespaceModel,
    item=_item,
    create=services.create_script_namespace,
    update=services.update_script_namespace,
    delete=services.delete_script_namespace,
)
METHODS = NAMESPACES.methods()
