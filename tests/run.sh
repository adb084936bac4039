#!/bin/sh
# Everything that `make test` checks. TEST_POSTGRES_URL names the PostgreSQL server; REQUIRE_SERVICES=1 makes a missing one a failure.
set -eu
BIN=.venv/bin
TEST_POSTGRES_URL=${TEST_POSTGRES_URL:-postgres://postgres@127.0.0.1:5432/postgres}
REQUIRE_SERVICES=${REQUIRE_SERVICES:-0}
export REQUIRE_SERVICES TEST_POSTGRES_URL
# Nothing of the caller's own installation is used or touched.
unset DATABASE_URL REDIS_URL SECRET_KEY DEBUG ALLOWED_HOSTS HOST PORT DJANGO_SETTINGS_MODULE || true
# Hundreds of processes are started: none compiles again what another one has.
unset PYTHONDONTWRITEBYTECODE || true
GS2ADMIN_DATA_DIR=$(mktemp -d)
export GS2ADMIN_DATA_DIR
trap 'rm -rf "$GS2ADMIN_DATA_DIR"' EXIT

if [ ! -x /usr/bin/chromium ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Debian's chromium for the browser tests (once) ..."
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; } >"$GS2ADMIN_DATA_DIR/apt.log" 2>&1 \
        || tail -n 5 "$GS2ADMIN_DATA_DIR/apt.log"
fi
if [ ! -x /usr/bin/chromium ]; then
    [ "$REQUIRE_SERVICES" = 1 ] && { echo "chromium is missing and REQUIRE_SERVICES=1"; exit 1; }
    echo "chromium is missing: the browser tests are skipped"
fi
if ! command -v systemd-analyze >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing Debian's systemd, which reads our unit (once) ..."
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends systemd; } >"$GS2ADMIN_DATA_DIR/apt.log" 2>&1 \
            || tail -n 5 "$GS2ADMIN_DATA_DIR/apt.log"
    fi
    command -v systemd-analyze >/dev/null || {
        [ "$REQUIRE_SERVICES" = 1 ] && { echo "systemd-analyze is missing and REQUIRE_SERVICES=1"; exit 1; }
        echo "systemd-analyze is missing: the test of the unit is skipped"
    }
fi
postgres=$($BIN/python - <<'PY'
import os, psycopg
try:
    psycopg.connect(os.environ["TEST_POSTGRES_URL"], connect_timeout=5).close()
    print("yes")
except psycopg.Error:
    print("no")
PY
)
if [ "$postgres" = no ]; then
    [ "$REQUIRE_SERVICES" = 1 ] && { echo "PostgreSQL does not answer at TEST_POSTGRES_URL and REQUIRE_SERVICES=1"; exit 1; }
    echo "PostgreSQL does not answer at TEST_POSTGRES_URL: its half of the tests is skipped"
fi

echo "== style and architecture"
$BIN/ruff check --quiet .
$BIN/djangofmt --check templates gs2admin/api/templates >"$GS2ADMIN_DATA_DIR/templates.log" 2>&1 || {
    cat "$GS2ADMIN_DATA_DIR/templates.log"
    echo "make format sets these in order"
    exit 1
}
$BIN/lint-imports --no-cache >"$GS2ADMIN_DATA_DIR/imports.log" || { cat "$GS2ADMIN_DATA_DIR/imports.log"; exit 1; }
$BIN/python -W error manage.py makemigrations --check --dry-run >/dev/null
# Tests that start, kill and time real processes mostly wait: they run beside each other, and nothing else with them.
apart=$(for place in tests/engine tests/races tests/steps tests/e2e tests/upgrade; do printf -- '--ignore=%s ' "$place"; done)
# Nothing here takes half of this; whatever hangs is ended with an error instead of holding everybody up.
pytest() { timeout --foreground -k 30 1800 $BIN/python -m pytest -q -p no:cacheprovider "$@"; }
on_postgres() (
    export DATABASE_URL=$TEST_POSTGRES_URL GS2ADMIN_TESTS_AGAIN=1
    pytest "$@"
)
# beside COMMAND COMMAND …: all at a time, each shown whole; the last one as it goes, since Ctrl-C reaches no job in the background.
beside() {
    lanes=
    while [ $# -gt 1 ]; do
        eval "$1" >"$GS2ADMIN_DATA_DIR/lane$#.log" 2>&1 &
        lanes="$lanes $!:$GS2ADMIN_DATA_DIR/lane$#.log"
        shift
    done
    failed=0
    eval "$1" || failed=1
    for lane in $lanes; do
        wait "${lane%%:*}" || failed=1
        cat "${lane#*:}"
    done
    return $failed
}

# Files keep their order: tests/conftest.py puts first what takes longest.
SHARED="-n 3 --dist loadfile --no-loadscope-reorder"

echo "== tests on SQLite"
# A third process, because a test waits for other processes and the disk for half of its time.
pytest $SHARED $apart tests
# On PostgreSQL kills and races only: steps know no database, the browser has seen them, and supervision asks little of one.
again=:
[ "$postgres" = no ] || again="on_postgres tests/engine/test_kills.py tests/races tests/upgrade -k 'not freezing_a_part'"
echo "== real processes and browsers, some on PostgreSQL as well"
# Slow clients and outages mostly wait for time limits.
WAITING="tests/engine/web tests/engine/test_away.py tests/engine/test_outage.py tests/engine/test_disk_full.py tests/engine/test_threads.py"
others=$(for place in $WAITING; do printf -- '--ignore=%s ' "$place"; done)
beside "pytest $WAITING tests/races && pytest tests/steps" "pytest $others tests/engine" "$again" "pytest tests/e2e tests/upgrade"
if [ "$postgres" = yes ]; then
    echo "== tests on PostgreSQL"
    # Scripts, templates, the browser's rules, refusals, files that are refused and the API page are alike on any database.
    on_postgres $SHARED -m "not e2e" $apart --ignore=tests/scripting --ignore=tests/pages/test_in_a_browser.py \
        --ignore=tests/pages/test_scenarios_in_a_browser.py --ignore=tests/pages/test_templates.py --ignore=tests/wire/test_docs.py \
        --ignore=tests/wire/test_refusals.py --ignore=tests/wire/test_lua_samples.py --ignore=tests/stages/test_states.py \
        --ignore=tests/userdata/test_hostile_files.py tests
fi
