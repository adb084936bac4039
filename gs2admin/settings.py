"""All settings, every value from the environment, checked at start with one sentence per mistake.

docs/operations.md has the table of variables for administrators.
"""
from __future__ import annotations

from pathlib import Path

from csp.constants import NONE, SELF

from gs2admin import databases
from gs2admin.env import Env

env = Env()
BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = env.directory("GS2ADMIN_DATA_DIR", BASE_DIR / "var")
PROCESS = env.choice("GS2ADMIN_PROCESS", "command", ("command", "web", "worker"))

SECRET_KEY = env.secret_key("SECRET_KEY", DATA_DIR)
# They only read: what was signed or sealed before the key was changed.
SECRET_KEY_FALLBACKS = env.old_keys("SECRET_KEY_FALLBACKS")
DEBUG = env.flag("DEBUG", False)
HOST = env.text("HOST", "127.0.0.1")
PORT = env.number("PORT", 8000, 1, 65535)
_own_hosts = ("localhost", "127.0.0.1", "[::1]")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", _own_hosts if HOST in {"0.0.0.0", "::"} else (*_own_hosts, HOST))
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
for _origin in CSRF_TRUSTED_ORIGINS:
    if not _origin.startswith(("http://", "https://")):
        env.refuse(f"CSRF_TRUSTED_ORIGINS has {_origin!r}; each entry begins with https:// or http://.")

# ── Database ────────────────────────────────────────────────────────────────────────────────────────────────
_database = databases.read(env, DATA_DIR)
ON_SQLITE, ON_POSTGRES, DB_WAIT_S = _database.on_sqlite, _database.on_postgres, _database.wait_s
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Start on a database that has migrations which this code does not know: it was migrated by the next release.
NEWER_DATABASE = env.flag("GS2ADMIN_NEWER_DATABASE", False)

# ── Cache, broker, worker ───────────────────────────────────────────────────────────────────────────────────
REDIS_URL = env.text("REDIS_URL")
if REDIS_URL and not REDIS_URL.startswith(("redis://", "rediss://", "unix://")):
    env.refuse("REDIS_URL cannot be read; it looks like redis://host:6379/0.")
REDIS_WAIT_S = env.number("REDIS_WAIT_S", 1, 1, 60)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL, "KEY_PREFIX": "gs2admin",
        "OPTIONS": {"pool_class": "gs2admin.db.redis_pool.Pool"},
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "gs2admin"}
}
BROKER = env.choice("GS2ADMIN_BROKER", "database", ("database", "redis"))
if BROKER == "redis" and not REDIS_URL:
    env.refuse("GS2ADMIN_BROKER is redis, but REDIS_URL is not set; set it, or leave the broker at database.")
WORKERS = env.number("WORKERS", 4, 1, 64)
# Processes that run players' jobs and nothing else, so that long rollouts do not hold jobs up; 0: jobs share WORKERS.
JOB_WORKERS = env.number("JOB_WORKERS", 2, 0, 64)
JOB_QUEUE = "jobs" if JOB_WORKERS else "gs2admin"
# Which queue a task goes to; any other goes to the first.
TASK_QUEUES = {"jobqueue.tasks.drain": JOB_QUEUE}
# Tasks that look for their work themselves: of each, so many wait in the queue at most.
TASK_BOUNDS = {"jobqueue.tasks.drain": 16}
# Used in gunicorn.conf.py, which cannot tell `manage.py up` about a mistake.
WEB_WORKERS = env.number("WEB_WORKERS", 2, 1, 64)
WEB_THREADS = env.number("WEB_THREADS", 8 if ON_POSTGRES else 4, 1, 64)
WEB_KEEPALIVE = env.number("WEB_KEEPALIVE", 75, 2, 3600)
# What a client may take, in time, connections and room: gs2admin.processes.web has the mechanism.
WEB_HEAD_S = env.number("WEB_HEAD_S", 10, 1, 300)
WEB_STALL_S = env.number("WEB_STALL_S", 15, 1, 600)
WEB_MIN_KB_S = env.number("WEB_MIN_KB_S", 8, 1, 1_000_000)
WEB_CONNECTIONS_PER_ADDRESS = env.number("WEB_CONNECTIONS_PER_ADDRESS", 1000, 1, 10_000)
WEB_SPOOL_MB = env.number("WEB_SPOOL_MB", 1024, 16, 1_000_000)
# Answered by threads of their own, so many for each; and the error bodies of requests that never reach Django.
WEB_PROBES, WEB_PROBE_THREADS = ("/healthz", "/readyz"), 2
WEB_REFUSALS = "gs2admin.wire.early.form"
# Who decides about requests that may be held until there is something new; and whose a request is by its path and host.
WEB_LIVE, WEB_ENTRIES = "gs2admin.dashboard.live.deciding.Deciding", "gs2admin.wire.entries.known"
# A worker renews its lease long before this many seconds; after them another may take its rollout over.
LEASE_S = env.number("GS2ADMIN_LEASE_S", 20, 2, 600)
# After so many seconds without a heartbeat through the queue, or without a beat of a busy worker, it is replaced;
# its busy workers then get DRAIN_S to finish their step and hand over.
LATE_S = env.number("GS2ADMIN_LATE_S", 20, 2, 600)
DRAIN_S = env.number("GS2ADMIN_DRAIN_S", 300, 1, 86_400)
SWEEP_S = env.number("GS2ADMIN_SWEEP_S", 3, 1, 60)
Q_CLUSTER = {
    "name": "gs2admin",
    # Its own pool is not used: the engine has one per queue (gs2admin/engine/lanes.py).
    "workers": WORKERS,
    "queue_limit": WORKERS,
    "bulk": 1,
    "poll": 0.05,
    "guard_cycle": 0.5,
    "save_limit": -1,
    "catch_up": False,
    # Its scheduler lives in the sentinel and dies with it; the sweep does that work.
    "scheduler": False,
    # A last resort only: rollouts take hours, have limits of their own per step, and say every second that they are alive.
    "timeout": 86_400,
    # Without effect: our brokers remove a task when they hand it out. django-q2 wants it larger than the timeout.
    "retry": 400_000,
    "max_attempts": 1,
    "ack_failures": True,
    "recycle": 10_000_000,
    "label": "Queue",
    "broker_class": f"gs2admin.engine.brokers.{'RedisBroker' if BROKER == 'redis' else 'DatabaseBroker'}",
    **({"redis": REDIS_URL} if BROKER == "redis" else {"orm": "default"}),
}

# ── Rollouts and the GS2 doors ──────────────────────────────────────────────────────────────────────────────
DEMO = env.flag("GS2ADMIN_DEMO", True)
STEP_COMMANDS = env.commands("GS2ADMIN_COMMANDS") or (
    {"demo-step": str(BASE_DIR / "examples" / "demo-step")} if DEMO else {}
)
# File stores that steps of kind storage may read and write, by name.
STEP_STORAGES = env.stores("GS2ADMIN_STORAGES")
# Kubeconfig files that steps of kind kubernetes may use, by name.
STEP_KUBECONFIGS = env.commands("GS2ADMIN_KUBECONFIGS")
STEP_HTTP_ALLOW = env.hosts_or_networks("GS2ADMIN_HTTP_ALLOW")
# What one Lua script may use. Time and memory are enforced from outside too: its process is killed.
SCRIPT_WALL_S = env.number("GS2ADMIN_SCRIPT_WALL_S", 5, 1, 3600)
SCRIPT_CPU_S = env.number("GS2ADMIN_SCRIPT_CPU_S", 5, 1, 3600)
SCRIPT_MEMORY_MB = env.number("GS2ADMIN_SCRIPT_MEMORY_MB", 64, 8, 4096)
SCRIPT_OUTPUT_BYTES = env.number("GS2ADMIN_SCRIPT_OUTPUT_BYTES", 1_000_000, 0, 16_000_000)
# A script's call may start a script, whose call may start another, so deep.
SCRIPT_DEPTH = env.number("GS2ADMIN_SCRIPT_DEPTH", 5, 1, 20)
SCRIPT_CALLS = env.number("GS2ADMIN_SCRIPT_CALLS", 100, 0, 100_000)
# Runner processes per web or worker process, started when needed. In a web process no more than half of its threads may run
# scripts, and who comes then waits for 2 s at most: pages and calls are answered meanwhile.
_runners = env.number("GS2ADMIN_SCRIPT_RUNNERS", 4, 1, 64)
_web_runners = {"SCRIPT_RUNNERS": min(_runners, max(1, WEB_THREADS // 2)), "SCRIPT_RUNNER_WAIT_S": 2}
# The longest script, each of its characters escaped, is a little less; a method's own limit may be lower.
GS2_MAX_BODY = env.number("GS2ADMIN_MAX_BODY", 32 * 1024 * 1024, 1024, 1024**3)
# SourceDeploy's answers: flat as its documents show them, or inside `result` as its service sends them.
SOURCEDEPLOY_ENVELOPE = env.choice("GS2ADMIN_SOURCEDEPLOY_ENVELOPE", "flat", ("flat", "result"))
# Web pages of these origins may call the GS2 services and our JSON API from a browser, without cookies. Django's usual middleware
# for that reads the settings; it is there only where an origin is named.
CORS_ALLOWED_ORIGINS = env.origins("GS2ADMIN_CORS_ORIGINS")
CORS_ALLOW_CREDENTIALS = False
CORS_ALLOW_METHODS = ("GET", "POST", "PUT", "DELETE")
CORS_ALLOW_HEADERS = (
    "authorization", "content-encoding", "content-type", "if-none-match", "x-gs2-access-token", "x-gs2-client-id",
    "x-gs2-dry-run", "x-gs2-duplication-avoider", "x-gs2-request-id", "x-gs2-time-offset-token", "x-request-id",
)  # fmt: skip
CORS_EXPOSE_HEADERS = ("etag", "retry-after", "retry-after-ms", "x-request-id")
CORS_PREFLIGHT_MAX_AGE = 3600
OUTPUT_KEEP_DAYS = env.number("GS2ADMIN_OUTPUT_DAYS", 30, 1, 3650)
# A player's queue is held for so long by whoever runs its jobs and renews it meanwhile; after that another may take it.
JOB_LEASE_S = env.number("GS2ADMIN_JOB_LEASE_S", 30, 2, 600)
JOB_RESULT_KEEP_DAYS = env.number("GS2ADMIN_JOB_RESULT_DAYS", 30, 1, 3650)
JOB_GIVEN_UP_KEEP_DAYS = env.number("GS2ADMIN_JOB_GIVEN_UP_DAYS", 30, 1, 3650)
# How many jobs may stand before one, each made by the one before; a later one ends with an attempt that says so.
JOB_GENERATIONS = env.number("GS2ADMIN_JOB_GENERATIONS", 20, 0, 10_000)
# Jobs that may wait in one namespace; a push beyond them is refused.
JOB_WAITING = env.number("GS2ADMIN_JOB_WAITING", 1_000_000, 10, 1_000_000_000)
# How many of each there may be; beyond them one more is refused.
MAX_NAMESPACES = env.number("GS2ADMIN_MAX_NAMESPACES", 1_000, 1, 1_000_000)
MAX_SCRIPTS = env.number("GS2ADMIN_MAX_SCRIPTS", 10_000, 1, 10_000_000)
MAX_CREDENTIALS = env.number("GS2ADMIN_MAX_CREDENTIALS", 1_000, 1, 1_000_000)
MAX_USER_DATA_RUNS = env.number("GS2ADMIN_MAX_USER_DATA_RUNS", 500, 1, 1_000_000)
# Days for which the history of a mutex is kept; idle mutexes are removed after as long.
LOCK_HISTORY_DAYS = env.number("GS2ADMIN_LOCK_HISTORY_DAYS", 30, 1, 3650)
# Dumps of players' data and uploads for imports are kept for so long; their links end earlier.
USER_DATA_KEEP_DAYS = env.number("GS2ADMIN_USER_DATA_DAYS", 7, 1, 365)
USER_DATA_LINK_S = env.number("GS2ADMIN_USER_DATA_LINK_S", 3600, 60, 604_800)
USER_DATA_MAX_UPLOAD = env.number("GS2ADMIN_USER_DATA_UPLOAD_MB", 256, 1, 4096) * 1024 * 1024
# Where bodies may be larger than GS2_MAX_BODY, with what a form puts around a file.
WEB_LARGE_BODIES = {"/user-data/": USER_DATA_MAX_UPLOAD + 64 * 1024}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500
# What differs by the kind of process; a fork becomes one of another kind (gs2admin/processes/kinds.py).
BY_PROCESS = {
    process: {
        "PROCESS": process, **_database.waits[process], "DATABASES": {"default": _database.of(process)},
        **(_web_runners if process == "web" else {"SCRIPT_RUNNERS": _runners, "SCRIPT_RUNNER_WAIT_S": 10}),
    }
    for process in _database.waits
}
globals().update(BY_PROCESS[PROCESS])

# ── Applications ────────────────────────────────────────────────────────────────────────────────────────────
INSTALLED_APPS = [
    "gs2admin.identity",
    "gs2admin.audit",
    "gs2admin.identity.pages",
    "gs2admin.audit.pages",
    "gs2admin.engine",
    "gs2admin.wire",
    "gs2admin.api",
    "gs2admin.dashboard",
    "stages",
    "locks",
    "jobqueue",
    "django_q",
    "django_htmx",
    "csp",
    "gs2admin.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "gs2admin.logs.RequestLogMiddleware",
    "gs2admin.dashboard.answers.AnswersMiddleware",
    *(["gs2admin.wire.cors.ProgramsCorsMiddleware"] if CORS_ALLOWED_ORIGINS else []),
    "gs2admin.caller.CallerMiddleware",
    "gs2admin.health.HealthMiddleware",
    "gs2admin.wire.middleware.EntryMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "gs2admin.dashboard.middleware.PageErrorsMiddleware",
]
ROOT_URLCONF = "gs2admin.urls"
WSGI_APPLICATION = "gs2admin.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    ["gs2admin.dashboard.loaders.Loader", "django.template.loaders.app_directories.Loader"],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "gs2admin.dashboard.context.shell",
            ]
        },
    }
]

# ── People ──────────────────────────────────────────────────────────────────────────────────────────────────
AUTH_USER_MODEL = "identity.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
SESSION_ENGINE = "gs2admin.identity.sessions"
SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = False
CSRF_FAILURE_VIEW = "gs2admin.dashboard.errors.csrf_failure"

# ── Transport security. HTTPS=1 says that a proxy in front serves us over TLS. ───────────────────────────────
HTTPS = env.flag("HTTPS", False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
# Who is told by /readyz what is missing; everybody else learns only whether the server is ready.
READYZ_DETAILS = env.networks("GS2ADMIN_READYZ_DETAILS", ("127.0.0.0/8", "::1"))
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
# The proxies whose word counts on who calls, and by https or not (gs2admin/caller.py).
TRUSTED_PROXIES = env.networks("FORWARDED_ALLOW_IPS", ("127.0.0.1", "::1"))
SECURE_HSTS_SECONDS = env.number("HSTS_SECONDS", 31_536_000 if HTTPS else 0, 0, 63_072_000)
# Both speak for hosts that are not ours, and a browser does not forget them for as long: only when asked for.
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.flag("HSTS_INCLUDE_SUBDOMAINS", False)
SECURE_HSTS_PRELOAD = env.flag("HSTS_PRELOAD", False)
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]  # these advise what is asked for here, by the two flags
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

# ── Static files, time, logs ────────────────────────────────────────────────────────────────────────────────
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "gs2admin.processes.static_storage.StaticStorage"},
    "user_data": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": DATA_DIR / "user_data"}},
}
FILE_UPLOAD_PERMISSIONS, FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o600, 0o700
LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
LOGGING_CONFIG = "gs2admin.logs.configure"
LOGGING = {"level": LOG_LEVEL}

env.check()
