"""A start that finds files which others may read makes them private, and says so."""
from __future__ import annotations

import logging
from pathlib import Path

from django.conf import settings

from gs2admin import private

log = logging.getLogger(__name__)


def say_what_was_mended() -> None:
    """Mend the data directory and the SQLite database, and log a warning when that was needed."""
    name = settings.DATABASES["default"]["NAME"] if settings.ON_SQLITE else ""
    if sentence := private.mend(settings.DATA_DIR, [Path(name)] if name else []):
        log.warning(sentence)
