"""gunicorn's own lines as ours; the access line is written by the application, which knows more."""
from __future__ import annotations

import logging
import logging.config
from typing import Any

from gunicorn import glogging

from gs2admin import logs


class Logger(glogging.Logger):
    """Lines of level warning and above, in our form."""

    def setup(self, cfg: Any) -> None:
        self.loglevel = getattr(logging, cfg.loglevel.upper(), logging.INFO)
        logging.config.dictConfig(logs.config(cfg.loglevel.upper()))
        self.error_log.propagate = True
        self.error_log.setLevel(max(self.loglevel, logging.WARNING))

    def access(self, *args: Any, **kwargs: Any) -> None:
        pass

    def reopen_files(self) -> None:
        pass  # stdout
