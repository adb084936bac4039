"""The only file that knows every app."""
from django.contrib import admin
from django.urls import include, path

from gs2admin import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("admin/", admin.site.urls),
    path("", include("gs2admin.api.urls")),
    path("", include("gs2admin.dashboard.urls")),
    path("", include("gs2admin.identity.pages.urls")),
    path("", include("gs2admin.audit.pages.urls")),
    path("user-data/", include("jobqueue.urls_user_data")),
    path("p/<str:project>/", include("stages.urls")),
    path("p/<str:project>/", include("jobqueue.urls")),
    path("p/<str:project>/", include("locks.urls")),
]
handler400 = "gs2admin.dashboard.errors.bad_request"
handler403 = "gs2admin.dashboard.errors.forbidden"
handler404 = "gs2admin.dashboard.errors.not_found"
handler500 = "gs2admin.dashboard.errors.server_error"
