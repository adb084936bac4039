"""Job queues, their scripts, and their results."""
from django.apps import AppConfig


class JobQueueConfig(AppConfig):
    name = "jobqueue"
    verbose_name = "Job queues"

    def ready(self) -> None:
        # They register themselves: needs for attention, searches, parts of a player's page.
        from jobqueue.pages import attention, search  # noqa: F401
        from jobqueue.pages.views import parts, user_data_part  # noqa: F401
