"""The real settings with the pages of these tests."""
from gs2admin.settings import *  # noqa: F403

ROOT_URLCONF = "tests.engine.web.app"
ALLOWED_HOSTS = ["*"]
WEB_LIVE = "tests.engine.web.held.Decider"
