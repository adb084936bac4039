"""The real settings with two pages of `bench.webpages`."""
from gs2admin.settings import *  # noqa: F403

ROOT_URLCONF = "bench.webpages"
