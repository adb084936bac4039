"""Addresses of the activity log."""
from django.urls import path

from gs2admin.audit.pages import views

urlpatterns = [
    path("p/<str:project>/activity/", views.activity, name="activity"),
    path("p/<str:project>/activity/export.csv", views.export, name="activity-export"),
]
