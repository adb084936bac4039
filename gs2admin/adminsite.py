"""The admin site: for data fixes, without the tables whose edit would run code."""
from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gs2admin.errors import Denied


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

    def login(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        """The one sign-in page of the server, with its limits on guesses.

        A person who is signed in but may not enter gets a sentence.
        """
        if self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        if request.user.is_authenticated:
            raise Denied("Data fixes are for administrators of the server. Your account is not one of theirs.")
        back = request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index")
        return HttpResponseRedirect(f"{reverse('login')}?{urlencode({REDIRECT_FIELD_NAME: back})}")
