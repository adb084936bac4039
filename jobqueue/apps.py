"""Job queues, their scripts, and their results."""
from django.apps import AppConfig


class JobQueueConfig(AppConfig):
    name = "jobqueue"
    verbose_name = "Job queues"

    def ready(self) -> None:
        from jobqueue import attention, chores, stats, sweep  # noqa: F401  they register sweeper, cleaners and needs
