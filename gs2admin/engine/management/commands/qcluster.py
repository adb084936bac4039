"""django-q2's `qcluster`, with our wrappers around its processes. Started by `manage.py worker`."""
from typing import Any

from django_q.conf import Conf
from django_q.management.commands.qcluster import Command as StockCommand

from gs2admin.engine import inside


class Command(StockCommand):
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        inside.install(Conf.WORKERS)
        super().handle(*args, **options)
