"""Settings of a bare project beside ours, on the same database: what `startproject` gives, and our models to read.

BENCH_BARE=least: no middleware at all, and a connection that is kept without any check.
"""
import os

from gs2admin.settings import *  # noqa: F403
from gs2admin.settings import DATABASES, ON_POSTGRES

LEAST = os.environ.get("BENCH_BARE") == "least"
ROOT_URLCONF = "bench.barepages"
LOGGING_CONFIG = None
MIDDLEWARE = [] if LEAST else [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
SESSION_ENGINE = "django.contrib.sessions.backends.db"
if LEAST:
    _database = DATABASES["default"]
    _database |= {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": False}
    _database["ENGINE"] = f"django.db.backends.{'postgresql' if ON_POSTGRES else 'sqlite3'}"
    for _ours in ("pool", "statement_s"):
        _database["OPTIONS"].pop(_ours, None)
