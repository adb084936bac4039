"""What the samples of locks need in the database of the test server."""
from __future__ import annotations

from gs2admin.identity.actors import SYSTEM
from locks.services import lock
from locks.services.namespaces import create_namespace

HELD = "grn:gs2:r:o:quest:q:user:user-0001:progress/1"


def build(project) -> None:
    """A namespace `lock-0001` in which transaction-0001 holds a mutex of user-0001, twice."""
    namespace = create_namespace(actor=SYSTEM, project=project, name="lock-0001")
    for _ in range(2):
        lock(actor=SYSTEM, namespace=namespace, user_id="user-0001", property_id=HELD, transaction_id="transaction-0001",
             ttl_s=86_400)  # fmt: skip


_NAMESPACE = {"namespaceName": "lock-0001"}
_MINE = _NAMESPACE | {"propertyId": HELD}
_HIS = _MINE | {"userId": "user-0001"}
_BY = {"transactionId": "transaction-0001"}
GOOD = {
    "lock.namespace.describeNamespaces": {"limit": 5, "namePrefix": "lock"},
    "lock.namespace.createNamespace": {
        "name": "lock-0002", "description": "d", "logSetting": {"loggingNamespaceId": "grn:gs2:r:o:log:l"},
    },
    "lock.namespace.getNamespaceStatus": _NAMESPACE,
    "lock.namespace.getNamespace": _NAMESPACE,
    "lock.namespace.updateNamespace": _NAMESPACE | {"description": "new"},
    "lock.namespace.deleteNamespace": _NAMESPACE,
    "lock.namespace.getServiceVersion": {},
    "lock.mutex.lock": _MINE | _BY | {"ttl": 60},
    "lock.mutex.lockByUserId": _HIS | _BY | {"ttl": 60},
    "lock.mutex.unlock": _MINE | _BY,
    "lock.mutex.unlockByUserId": _HIS | _BY,
    "lock.mutex.getMutex": _MINE,
    "lock.mutex.getMutexByUserId": _HIS,
    "lock.mutex.deleteMutexByUserId": _HIS,
    "lock.mutex.describeMutexes": _NAMESPACE | {"limit": 7},
    "lock.mutex.describeMutexesByUserId": _NAMESPACE | {"userId": "user-0001", "limit": 7},
}  # fmt: skip
