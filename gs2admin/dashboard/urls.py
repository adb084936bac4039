"""Addresses of the shell."""
from django.urls import include, path

from gs2admin.dashboard import views

urlpatterns = [
    path("", views.home, name="home"),
    path("login", views.SignIn.as_view(), name="login"),
    path("logout", views.SignOut.as_view(), name="logout"),
    path("theme", views.theme, name="theme"),
    path("", include("gs2admin.identity.urls")),
    path("", include("gs2admin.audit.urls")),
]
