"""The WSGI application that gunicorn serves."""
import os

from django.core.wsgi import get_wsgi_application

from gs2admin import private

private.begin()

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gs2admin.settings")

_pages = get_wsgi_application()

from gs2admin.wire.front import Front  # noqa: E402  the apps have to be loaded

application = Front(_pages)
