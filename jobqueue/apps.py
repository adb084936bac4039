"""Job queues, their scripts, and their results."""
from django.apps import AppConfig


class JobQueueConfig(AppConfig):
    name = "jobqueue"
    verbose_name = "Job queues"

    def ready(self) -> None:
        from jobqueue import attention, chores, drift, finding, stats, sweep  # noqa: F401  they register themselves
        from jobqueue.views import parts, user_data_part  # noqa: F401  likewise, on a player's page
