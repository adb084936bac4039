"""A fork becomes a process of another kind, as if it had been started as one."""
from __future__ import annotations

import json
import os
import subprocess
import sys

from django.conf import settings

LOOK = """
import json, sys
import django
django.setup()
from django.conf import settings
from django.db import connections
before = connections["default"].settings_dict
if len(sys.argv) > 1:
    from gs2admin.processes.kinds import become
    become(sys.argv[1])
    assert connections["default"].settings_dict is not before
names = ("PROCESS", "DB_LOCK_S", "DB_STATEMENT_S", "SCRIPT_RUNNERS", "SCRIPT_RUNNER_WAIT_S")
print(json.dumps([{name: getattr(settings, name) for name in names}, connections["default"].settings_dict], default=str, sort_keys=True))
"""


def test_a_fork_has_what_a_process_of_its_kind_has(tmp_path, kind="web"):
    environ = {**os.environ, "GS2ADMIN_DATA_DIR": str(tmp_path), "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "PYTHONWARNINGS": ""}
    ways = (["-c", LOOK, kind], environ | {"GS2ADMIN_PROCESS": ""}), (["-c", LOOK], environ | {"GS2ADMIN_PROCESS": kind})
    running = [subprocess.Popen([sys.executable, *arguments], env=env, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True)
               for arguments, env in ways]
    became, started = (json.loads(one.communicate(timeout=60)[0]) for one in running)
    for found in (became, started):
        found[1].pop("TEST")  # has the process's number
    assert became == started and became[0]["PROCESS"] == kind
