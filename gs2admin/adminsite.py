"""The admin site: for data fixes, without the tables whose edit would run code."""
from __future__ import annotations

from django.contrib import admin


class AdminSite(admin.AdminSite):
    """Keeps django-q2's tables out: who edits a scheduled task's function there runs any code in a worker."""

    site_header = "gs2admin data fixes"
    site_title = "gs2admin"
    index_title = "Data fixes"

    def register(self, model_or_iterable, admin_class=None, **options) -> None:
        models = [model_or_iterable] if isinstance(model_or_iterable, type) else list(model_or_iterable)
        ours = [model for model in models if model._meta.app_label != "django_q"]
        if ours:
            super().register(ours, admin_class, **options)

    def unregister(self, model_or_iterable) -> None:
        models = [model_or_iterable] if isinstance(model_or_iterable, type) else list(model_or_iterable)
        super().unregister([model for model in models if model._meta.app_label != "django_q"])
