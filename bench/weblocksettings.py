"""The real settings with the views of `bench.weblocks` and nothing around them."""
from gs2admin.settings import *  # noqa: F403

ROOT_URLCONF = "bench.weblocks"
MIDDLEWARE = []
