"""Every write of job queues and scripts: the one function behind each door."""
from jobqueue.services.jobs import Entry, Ran, delete_job, push_jobs, replay_job, replay_jobs, run_next

__all__ = ["Entry", "Ran", "delete_job", "push_jobs", "replay_job", "replay_jobs", "run_next"]
