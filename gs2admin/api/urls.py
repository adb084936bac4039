"""The OpenAPI document and its page."""

from django.urls import path

from gs2admin.api import views

urlpatterns = [
    path("openapi.json", views.openapi, name="openapi"),
    path("docs", views.docs, name="docs"),
]
