"""What the log's actions are called in a sentence: "mika changed the stage stg". A test finds actions without a word."""
from __future__ import annotations

ACTIONS = {
    "stage.promote": "promoted with",
    "stage.rollback": "rolled back with",
    "stage.create": "made the stage",
    "stage.update": "changed the stage",
    "stage.delete": "deleted the stage",
    "stage.targets": "changed the targets of",
    "target.rotate_key": "renewed the signing key of",
    "rollout.cancel": "canceled",
    "rollout.retry": "retried with",
    "version.register": "registered",
    "version.note": "changed the note of",
    "version.withdraw": "withdrew",
    "job.push": "pushed",
    "job.run": "ran",
    "job.run_all": "ran the jobs of",
    "job.wake": "had the failed job tried at once of",
    "job.delete": "deleted the job",
    "job.replay": "replayed as",
    "queue_namespace.create": "made the queue namespace",
    "queue_namespace.update": "changed the queue namespace",
    "queue_namespace.delete": "deleted the queue namespace",
    "script.create": "wrote the script",
    "script.update": "changed the script",
    "script.delete": "deleted the script",
    "script_namespace.create": "made the script namespace",
    "script_namespace.update": "changed the script namespace",
    "script_namespace.delete": "deleted the script namespace",
    "credential.create": "made the credential",
    "credential.revoke": "revoked the credential",
    "member.add": "added a member:",
    "member.role": "changed a role:",
    "member.remove": "removed a member:",
    "person.create": "made the account of",
    "person.update": "changed the account of",
    "person.password": "changed the password of",
    "project.create": "made the project",
    "project.update": "changed the project",
}
OBJECTS = {
    "stage": "Stage",
    "rollout": "Rollout",
    "target": "Target",
    "version": "Version",
    "microservice": "Microservice",
    "job": "Job",
    "queue": "Player's queue",
    "namespace": "Queue namespace",
    "script": "Script",
    "scriptnamespace": "Script namespace",
    "credential": "Credential",
    "membership": "Member",
    "project": "Project",
}
DOORS = {
    "browser": "Browser",
    "gs2": "GS2 client",
    "api": "JSON API",
    "admin": "Data admin",
    "cli": "Command line",
    "script": "Script",
    "task": "Worker",
}


def verb(action: str) -> str:
    """The action in a sentence; an unknown one as it is."""
    return ACTIONS.get(action, action)
