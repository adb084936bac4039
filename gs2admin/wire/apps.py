"""The GS2 protocol."""

from django.apps import AppConfig


class WireConfig(AppConfig):
    name = "gs2admin.wire"
    label = "wire"
    verbose_name = "GS2 protocol"

    def ready(self) -> None:
        from gs2admin.wire import idempotency  # noqa: F401  registers the cleaner
