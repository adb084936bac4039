"""django-q2 as its documentation sets it up, with the ORM broker and every result kept."""
from __future__ import annotations

import os
import sys


def nothing(number: int) -> int:
    """The task."""
    return number


def settings() -> None:
    import dj_database_url
    from django.conf import settings as django_settings

    database = dj_database_url.parse(os.environ["DATABASE_URL"])
    if database["ENGINE"].endswith("sqlite3"):
        database["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "timeout": 20,
                               "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"}
    database["CONN_MAX_AGE"] = None
    django_settings.configure(
        DATABASES={"default": database}, INSTALLED_APPS=["django_q"], USE_TZ=True, SECRET_KEY="bench",
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        Q_CLUSTER={"name": "bench", "workers": 2, "orm": "default", "save_limit": 0, "poll": 0.02, "timeout": 60,
                   "retry": 300, "queue_limit": 50, "bulk": 1, "log_level": "ERROR"},
    )  # fmt: skip
    import django

    django.setup()


def main(what: str, *more: str) -> None:
    settings()
    from django.core.management import call_command

    if what == "prepare":
        call_command("migrate", verbosity=0)
    elif what == "work":
        call_command("qcluster", verbosity=0)
    elif what == "push":
        from django_q.tasks import async_task

        for number in range(int(more[0])):
            async_task("bench.peers.q2.nothing", number)
    elif what == "done":
        from django_q.models import Success

        print(Success.objects.count())


if __name__ == "__main__":
    main(*sys.argv[1:])
