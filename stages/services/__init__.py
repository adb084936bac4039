"""Every write of stages, versions and rollouts: the one function behind each door."""
from stages.services.approvals import approve_rollout, reject_rollout, save_rule
from stages.services.auto import let_go, save_auto_promotion
from stages.services.canary import accept_canary, advance_canary, reject_canary, remake_canary, set_weight
from stages.services.lines import resume_line, stop_line
from stages.services.previews import (
    Preview,
    failing_step,
    preview_promote,
    preview_rollback,
    source_versions,
    versions_of,
)
from stages.services.releases import create_release, update_release
from stages.services.rollouts import cancel_rollout, promote_stage, retry_rollout, rollback_stage
from stages.services.scenarios import create_scenario, delete_scenario, update_scenario, use_scenario
from stages.services.stage_types import create_typed_stage, set_stage_type, update_typed_stage
from stages.services.stages import create_stage, delete_stage, rotate_target_key, set_targets, update_stage
from stages.services.targets import move_target, remove_target, save_target
from stages.services.versions import change_note, register_version, withdraw_version
from stages.services.webhooks import remove_webhook, replay_delivery, rotate_webhook_key, save_webhook, send_test
from stages.services.windows import WindowPlan, remove_window, save_window

__all__ = [
    "Preview",
    "WindowPlan",
    "accept_canary",
    "advance_canary",
    "approve_rollout",
    "cancel_rollout",
    "change_note",
    "create_release",
    "create_scenario",
    "create_stage",
    "create_typed_stage",
    "delete_scenario",
    "delete_stage",
    "failing_step",
    "let_go",
    "move_target",
    "preview_promote",
    "preview_rollback",
    "promote_stage",
    "register_version",
    "reject_canary",
    "reject_rollout",
    "remake_canary",
    "remove_target",
    "remove_webhook",
    "remove_window",
    "replay_delivery",
    "resume_line",
    "retry_rollout",
    "rollback_stage",
    "rotate_target_key",
    "save_auto_promotion",
    "save_rule",
    "save_target",
    "rotate_webhook_key",
    "save_webhook",
    "save_window",
    "send_test",
    "set_stage_type",
    "set_targets",
    "set_weight",
    "source_versions",
    "stop_line",
    "update_release",
    "update_scenario",
    "update_stage",
    "update_typed_stage",
    "use_scenario",
    "versions_of",
    "withdraw_version",
]
