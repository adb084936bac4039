"""The real settings and the work app."""
from gs2admin.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.engine.workapp"]  # noqa: F405
