"""Addresses of files with players' data; each carries its own signature, and needs no session."""
from django.urls import path

from jobqueue.pages.views import user_data_link

urlpatterns = [
    path("file/<str:token>", user_data_link.file, name="user-data-file"),
    path("log/<str:token>", user_data_link.log, name="user-data-log"),
    path("upload/<str:token>", user_data_link.upload, name="user-data-upload"),
    path("form/<str:token>", user_data_link.form, name="user-data-form"),
]
