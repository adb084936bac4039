"""Short ways to speak to locks with the official client."""
from __future__ import annotations

import itertools

from gs2 import auth, lock

from tests.wire.players import session_of

_NUMBERS = itertools.count(1)


class Lockers:
    """One project's client, and names that no other test uses. Close it: an open session keeps a thread."""

    def __init__(self, server, who: str = "ours") -> None:
        self.server = server
        self.session = session_of(server, who)
        self.client = lock.Gs2LockRestClient(self.session)
        self.namespace = self.new_namespace()
        self._tokens: dict[tuple[str, int], str] = {}

    def close(self) -> None:
        """Sign out."""
        self.session.disconnect()

    def name(self, front: str = "lock-t") -> str:
        """A new name."""
        return f"{front}-{next(_NUMBERS)}"

    def new_namespace(self, **settings) -> str:
        """A new namespace."""
        request = lock.CreateNamespaceRequest().with_name(self.name())
        for key, value in settings.items():
            getattr(request, f"with_{key}")(value)
        return self.client.create_namespace(request).item.name

    def _by(self, request, property_id: str, user: str):
        return request.with_namespace_name(self.namespace).with_property_id(property_id).with_user_id(user)

    def lock(self, property_id: str, who: str, ttl: int = 60, *, user: str = "user-0001", avoider: str | None = None):
        """Lock by user id; returns the mutex."""
        request = self._by(lock.LockByUserIdRequest(), property_id, user).with_transaction_id(who).with_ttl(ttl)
        return self.client.lock_by_user_id(request.with_duplication_avoider(avoider)).item

    def unlock(self, property_id: str, who: str, *, user: str = "user-0001", avoider: str | None = None):
        """Unlock by user id; returns the mutex."""
        request = self._by(lock.UnlockByUserIdRequest(), property_id, user).with_transaction_id(who)
        return self.client.unlock_by_user_id(request.with_duplication_avoider(avoider)).item

    def get(self, property_id: str, *, user: str = "user-0001", offset: str | None = None):
        """Get by user id; returns the mutex."""
        request = self._by(lock.GetMutexByUserIdRequest(), property_id, user).with_time_offset_token(offset)
        return self.client.get_mutex_by_user_id(request).item

    def delete(self, property_id: str, *, user: str = "user-0001", avoider: str | None = None):
        """Delete by user id; returns the mutex."""
        request = self._by(lock.DeleteMutexByUserIdRequest(), property_id, user)
        return self.client.delete_mutex_by_user_id(request.with_duplication_avoider(avoider)).item

    def token(self, user: str = "user-0001", offset: int = 0) -> str:
        """An access token."""
        if (user, offset) not in self._tokens:
            request = auth.LoginRequest().with_user_id(user).with_time_offset(offset)
            self._tokens[user, offset] = auth.Gs2AuthRestClient(self.session).login(request).token
        return self._tokens[user, offset]

    def offset(self, seconds: int, user: str = "user-0001") -> str:
        """A time-offset token."""
        request = auth.IssueTimeOffsetTokenByUserIdRequest().with_user_id(user).with_time_offset(seconds)
        return auth.Gs2AuthRestClient(self.session).issue_time_offset_token_by_user_id(request).token
