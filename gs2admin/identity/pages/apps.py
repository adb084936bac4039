"""An app of its own, so that the pages stand on top of what they show. It has no tables."""
from django.apps import AppConfig


class IdentityPagesConfig(AppConfig):
    name = "gs2admin.identity.pages"
    label = "identity_pages"
