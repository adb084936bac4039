"""Addresses of files with players' data; each carries its own signature, and needs no session."""
from django.urls import path

from jobqueue.pages.views import user_data_link as views

urlpatterns = [
    path("file/<str:token>", views.file, name="user-data-file"),
    path("log/<str:token>", views.log, name="user-data-log"),
    path("upload/<str:token>", views.upload, name="user-data-upload"),
    path("form/<str:token>", views.form, name="user-data-form"),
]
