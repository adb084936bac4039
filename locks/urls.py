"""Addresses of locks inside one project, below /p/<project>/."""
from django.urls import path

from locks.pages.views import mutex, namespaces

urlpatterns = [
    path("locks/", namespaces.locks, name="locks"),
    # Not locks/new: that is the page of a namespace called new.
    path("new-lock-namespace", namespaces.create, name="locks-new"),
    path("locks/<str:namespace>/", namespaces.namespace, name="locks-namespace"),
    path("locks/<str:namespace>/live", namespaces.live, name="locks-live"),
    path("locks/<str:namespace>/settings", namespaces.edit, name="locks-edit"),
    path("locks/<str:namespace>/delete", namespaces.delete, name="locks-delete"),
    # By number: a property may hold anything and be longer than an address may.
    path("locks/<str:namespace>/mutexes/<int:pk>", mutex.mutex, name="locks-mutex"),
    path("locks/<str:namespace>/mutexes/<int:pk>/live", mutex.live, name="locks-mutex-live"),
    path("locks/<str:namespace>/mutexes/<int:pk>/release", mutex.release, name="locks-release"),
]
