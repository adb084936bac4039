"""Stages, versions and rollouts."""
from django.apps import AppConfig


class StagesConfig(AppConfig):
    name = "stages"
    verbose_name = "Stages"

    def ready(self) -> None:
        # They register themselves: what asks for attention, searches, parts of a player's page, direct paths, background work.
        from gs2admin.identity.server_keys import signing_root
        from stages.pages import attention, board_live, live, search  # noqa: F401
        from stages.pages.views import player  # noqa: F401
        from stages.steps import signing
        from stages.webhooks import deliver  # noqa: F401
        from stages.worker import chores, leftovers  # noqa: F401

        signing.use(signing_root)
