"""gunicorn's settings, all from the environment. docs/operations.md has the measurements behind the defaults."""
import os
import resource
import sys

from gunicorn.http import message

from gs2admin import private
from gs2admin.env import Env

private.begin()
# Before the application reads its settings: the connection pool belongs to web processes.
os.environ["GS2ADMIN_PROCESS"] = "web"
env = Env()

wsgi_app = "gs2admin.wsgi"
_listening = os.environ.get("GS2ADMIN_LISTEN_FD", "")
if _listening:
    # `manage.py up` listens itself, so that clients wait, instead of being refused, while we are started again.
    bind = [f"fd://{_listening}"]
else:
    _host = env.text("HOST", "127.0.0.1")
    bind = [f"{f'[{_host}]' if ':' in _host else _host}:{env.number('PORT', 8000, 1, 65535)}"]

worker_class = "gs2admin.processes.web.Worker"
workers = env.number("WEB_WORKERS", 2, 1, 64)
# A remote database is waited for, and other threads work meanwhile; SQLite answers at once.
threads = env.number("WEB_THREADS", 8 if env.text("DATABASE_URL").startswith("postgres") else 4, 1, 64)
# One worker may get all the connections of a thousand open pages.
worker_connections = 10_000
backlog = 2048
# Longer than the pages' one-second poll by far; behind a proxy, longer than the proxy's own.
keepalive = env.number("WEB_KEEPALIVE", 75, 2, 3600)
timeout = 60
graceful_timeout = 6
# The application is read once; a worker is a fork.
preload_app = True
# The longest address of the contract: a property of 1,024 characters, a player's id of 128, each up to 12 characters when
# it is encoded, and a namespace. gunicorn's own upper limit is half of that.
message.MAX_REQUEST_LINE = limit_request_line = 16_384
limit_request_field_size = 8190
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
control_socket_disable = True
umask = private.OTHERS
# gs2admin/caller.py alone judges what proxies say, address and scheme alike: gunicorn believes nobody.
forwarded_allow_ips = ""
secure_scheme_headers = {}
forwarder_headers = ""
logger_class = "gs2admin.processes.web.Logger"
loglevel = env.text("LOG_LEVEL", "INFO").lower()

_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
_wanted = 65_536 if _hard == resource.RLIM_INFINITY else min(_hard, 65_536)
if _soft != resource.RLIM_INFINITY and _soft < _wanted:
    resource.setrlimit(resource.RLIMIT_NOFILE, (_wanted, _hard))
env.check()


def on_starting(server):
    """Refuse a database that this code cannot work on. End when the process that started us is gone, however it went."""
    from django.core.management import CommandError

    from gs2admin.processes.lifeline import ChildEnd
    from gs2admin.processes.privacy import say_what_was_mended
    from gs2admin.processes.supervisor import terminate_myself
    from gs2admin.schema.fitness import require_fit_at_start

    say_what_was_mended()
    try:
        require_fit_at_start()
    except CommandError as refusal:
        sys.exit(str(refusal))
    ChildEnd.from_environment().on_cut(terminate_myself)
