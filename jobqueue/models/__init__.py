"""Tables and constraints of job queues, scripts and user data; nothing else."""
from jobqueue.models.jobs import GivenUp, Job, JobResult, Namespace, Notification, Queue, Tally
from jobqueue.models.scripts import Script, ScriptNamespace, ScriptVersion
from jobqueue.models.userdata import UserDataRun

__all__ = [
    "GivenUp", "Job", "JobResult", "Namespace", "Notification", "Queue", "Script", "ScriptNamespace", "ScriptVersion", "Tally",
    "UserDataRun",
]  # fmt: skip
