"""What is stored of stages: tables, constraints and querysets, by what they are about."""
from stages.models.delivery import VERSION, Ledger, Microservice, Stage, Target, Version, VersionSet
from stages.models.governance import Approval, ApprovalRule, AutoPromotion, FreezeWindow, Stop, Vote
from stages.models.rollouts import Output, Rollout, Step
from stages.models.scenarios import CanaryReport, Release, RolloutCanary, RolloutTarget, Scenario
from stages.models.webhooks import WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = [
    "VERSION", "Approval", "ApprovalRule", "AutoPromotion", "CanaryReport", "FreezeWindow", "Ledger", "Microservice",
    "Output", "Release", "Rollout", "RolloutCanary", "RolloutTarget", "Scenario", "Stage", "Step", "Stop", "Target", "Version",
    "VersionSet", "Vote", "WebhookAttempt", "WebhookDelivery", "WebhookEndpoint",
]
