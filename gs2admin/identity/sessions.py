"""Sessions of people in the database, as Django's, but begun and ended by the database's clock: any host may read them."""
from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.sessions.backends import db

from gs2admin.db import clock


class SessionStore(db.SessionStore):
    """The session behind a cookie."""

    def _get_session_from_db(self) -> Any:
        found = self.model.objects.filter(session_key=self.session_key, expire_date__gt=clock.now()).first()
        if found is None:
            self._session_key = None
        return found

    def get_expiry_date(self, **given: Any) -> datetime:
        return super().get_expiry_date(**{"modification": clock.now(), **given})
