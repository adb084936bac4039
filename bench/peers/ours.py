"""Our job queue: a trivial Lua script, twenty players, results kept, run by `manage.py worker` with two workers."""
from __future__ import annotations

import sys

PLAYERS = 20


def main(what: str, *more: str) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from gs2admin.identity.actors import SYSTEM
    from gs2admin.identity.models import Project
    from gs2admin.identity.services.projects import create_project
    from jobqueue.models import JobResult, Namespace
    from jobqueue.services import Entry, push_jobs
    from jobqueue.services.namespaces import create_namespace, update_namespace

    if what == "prepare":
        from jobqueue.models import Script, ScriptNamespace

        call_command("migrate", verbosity=0)
        project = create_project(actor=SYSTEM, name="bench")
        create_namespace(actor=SYSTEM, project=project, name="jobs", enable_auto_run=more == ("auto",))
        scripts = ScriptNamespace.objects.create(project=project, name="default")
        Script.objects.create(namespace=scripts, name="nothing", source="result = {number = args.number}")
    elif what == "work":
        call_command("worker")
    elif what == "push":
        namespace = Namespace.objects.select_related("project").get(project=Project.objects.get(name="bench"))
        for number in range(int(more[0])):
            push_jobs(actor=SYSTEM, namespace=namespace, user_id=f"player-{number % PLAYERS}",
                      entries=[Entry("nothing", f'{{"number": {number}}}')])
    elif what == "begin":
        update_namespace(actor=SYSTEM, namespace=Namespace.objects.get(name="jobs"), enable_auto_run=True)
    elif what == "rings":
        # How many rows the broker's table ever had: the rings, and a heartbeat per cluster every other second.
        with connection.cursor() as cursor:
            cursor.execute("SELECT last_value FROM django_q_ormq_id_seq" if connection.vendor == "postgresql"
                           else "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'django_q_ormq'")
            print(cursor.fetchone()[0])
    elif what == "done":
        print(JobResult.objects.filter(status_code=200).count())


if __name__ == "__main__":
    main(*sys.argv[1:])
