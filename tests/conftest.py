"""The fixed cast of every test: an owner, a producer, a viewer, a stranger, a credential, and another project."""
from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.conf import settings

from gs2admin import cache
from gs2admin.identity.actors import SYSTEM, person
from gs2admin.identity.models import Membership, Project, Role, User
from gs2admin.identity.services.credentials import create_credential
from tests import emptying
from tests.conditions import looks
from tests.official import disconnect_all

CHROMIUM = "/usr/bin/chromium"
PASSWORD = "correct horse battery"
# Tests render pages without collecting static files first, and their cast signs in in no time. Processes that a test starts have
# the settings of the product.
settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # whitenoise warns when it is missing
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
emptying.use_it()


# Whoever uses one of these asks the database; pytest-django lets nobody else. server, new_program: other processes ask it.
ASK_A_DATABASE = {"db", "transactional_db", "django_db_setup", "server", "new_program"}


def _asks_a_database(item) -> bool:
    return bool(ASK_A_DATABASE & set(item.fixturenames) or {"django_db", "processes", "e2e"} & {mark.name for mark in item.iter_markers()})


def pytest_collection_modifyitems(config, items) -> None:
    """What takes longest begins first; browser tests are skipped only where there is no browser and nobody requires one.

    With GS2ADMIN_TESTS_AGAIN=1, on the second kind of database, what asks no database is left out: it has run.
    """
    items.sort(key=lambda item: not {"e2e", "processes"} & set(item.keywords))
    if os.environ.get("GS2ADMIN_TESTS_AGAIN") == "1":
        done = [item for item in items if not _asks_a_database(item)]
        config.hook.pytest_deselected(items=done)
        items[:] = [item for item in items if _asks_a_database(item)]
    if Path(CHROMIUM).exists() or os.environ.get("REQUIRE_SERVICES") == "1":
        return
    skip = pytest.mark.skip(reason=f"{CHROMIUM} is missing; `make test` installs it when run as root")
    for item in items:
        if "e2e" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def _official_sessions_end():
    yield
    disconnect_all()


@pytest.fixture(autouse=True)
def _nothing_kept():
    """What a process remembers of rows must not outlive the test whose rows they were: the next ones have the same numbers."""
    cache.forget_all()


LEFT_S = 5.0


def pytest_unconfigure() -> None:
    """A thread that a test left behind would keep this process, and all that waits for it, from ending: a failure."""
    for _ in looks(LEFT_S, every_s=0.05):
        left = [one.name for one in threading.enumerate() if not one.daemon and one is not threading.main_thread()]
        if not left:
            return
    print("These threads were left running by a test:", *left, file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(1)


# The same in each test on each database, so that tests.replaying can write rows of it again.
PROJECT = 7_000


@pytest.fixture
def project(db) -> Project:
    return Project.objects.create(pk=PROJECT, name="isles", owner_id="isles-owner", region="ap-northeast-1")


@pytest.fixture
def other_project(db) -> Project:
    return Project.objects.create(pk=PROJECT + 1, name="other", owner_id="other-owner", region="eu-west-1")


def _member(name: str, project: Project | None, role: str) -> User:
    user = User.objects.create_user(name, password=PASSWORD)
    if project:
        Membership.objects.create(project=project, user=user, role=role)
    return user


@pytest.fixture
def owner(project) -> User:
    return _member("olga", project, Role.ADMIN)


@pytest.fixture
def producer(project) -> User:
    return _member("mika", project, Role.PRODUCER)


@pytest.fixture
def developer(project) -> User:
    return _member("dan", project, Role.DEVELOPER)


@pytest.fixture
def support(project) -> User:
    return _member("sora", project, Role.SUPPORT)


@pytest.fixture
def viewer(project) -> User:
    return _member("vera", project, Role.VIEWER)


@pytest.fixture
def stranger(other_project) -> User:
    """Admin of another project; of this one she must not even learn that it exists."""
    return _member("zoe", other_project, Role.ADMIN)


@pytest.fixture
def actor_of():
    """actor_of(user) is that person at the browser."""
    return lambda user: person(user, door="browser")


@pytest.fixture
def credential(project):
    """(row, secret) of a credential with the role service."""
    return create_credential(actor=SYSTEM, project=project, name="pipeline")


@pytest.fixture
def foreign_credential(other_project):
    """(row, secret) of another project's credential."""
    return create_credential(actor=SYSTEM, project=other_project, name="pipeline")


@pytest.fixture
def children():
    """Processes that a test starts; whatever still runs is killed at its end, by id."""
    started: list[subprocess.Popen] = []
    yield started
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=10)
