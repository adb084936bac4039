"""Addresses of the activity log."""
from django.urls import path

from gs2admin.audit.pages import notes, views

urlpatterns = [
    path("p/<str:project>/players/note", notes.of_player, name="player-note"),
    path("p/<str:project>/notes/<int:pk>/remove", notes.remove, name="note-remove"),
    path("p/<str:project>/activity/", views.activity, name="activity"),
    path("p/<str:project>/activity/export.csv", views.export, name="activity-export"),
]
