"""The WSGI application that gunicorn serves."""
import os

from django.core.wsgi import get_wsgi_application

from gs2admin import private

private.begin()

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gs2admin.settings")

application = get_wsgi_application()
