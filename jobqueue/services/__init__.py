"""Changes of jobs, for every entry point: pages, GS2 methods, admin. Namespaces, scripts, runs by hand: modules beside it."""
from jobqueue.services.attempts import Ran, run_next
from jobqueue.services.jobs import Entry, delete_job, delete_jobs, push_jobs
from jobqueue.services.replays import replay_job, replay_jobs

__all__ = ["Entry", "Ran", "delete_job", "delete_jobs", "push_jobs", "replay_job", "replay_jobs", "run_next"]
