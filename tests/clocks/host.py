"""A host whose clock is wrong by so many seconds: `python -m tests.clocks.host SECONDS`. Told by lines of JSON what to do.

Without libfaketime in front of it, it moves Python's own clocks before anything else is loaded.
"""
from __future__ import annotations

import datetime as datetimes
import json
import os
import sys
import time
from typing import Any


def put_off(seconds: float) -> None:
    """The clocks that our code and Django's read the date from are so many seconds off."""
    real, real_ns = time.time, time.time_ns
    time.time, time.time_ns = lambda: real() + seconds, lambda: real_ns() + int(seconds * 1e9)
    from django.utils import timezone

    now = timezone.now
    timezone.now = lambda: now() + datetimes.timedelta(seconds=seconds)


class Orders:
    """What a host can be told. Each returns something for JSON."""

    def __init__(self) -> None:
        from gs2admin.identity.models import Project

        self.project = Project.objects.get(name="isles")

    def date(self) -> float:
        return time.time()

    def clock(self) -> float:
        from gs2admin.db import clock

        return clock.seconds()

    def promote(self, stage: str) -> str:
        from gs2admin.errors import DomainError
        from gs2admin.identity.actors import SYSTEM
        from stages.models import Stage
        from stages.rollouts.services import promote_stage

        try:
            promote_stage(actor=SYSTEM, stage=Stage.objects.get(project=self.project, name=stage))
        except DomainError as refusal:
            return refusal.code
        return "begun"

    def follow(self, stage: str) -> str:
        from stages.auto_promotion.services import promote_due
        from stages.models import Stage

        row = Stage.objects.get(project=self.project, name=stage).auto_promotion
        begun = promote_due(row.pk)
        row.refresh_from_db()
        return "begun" if begun else row.sentence

    def tokens(self) -> list[str]:
        from gs2admin.identity import tokens
        from gs2admin.identity.models import Credential

        return [
            tokens.issue_project_token(Credential.objects.get(project=self.project)),
            tokens.issue_access_token(project=self.project, user_id="u", time_offset_s=0)[0],
            tokens.issue_time_offset_token(project=self.project, user_id="u", time_offset_s=0)[0],
        ]

    def accepted(self, project: str, access: str, offset: str) -> list[str]:
        from gs2admin.identity import tokens

        def of(read: Any, *given: Any) -> str:
            try:
                read(*given)
            except tokens.BadToken as bad:
                return bad.kind
            return "good"

        return [of(tokens.credential_of, project), of(tokens.access_of, access, self.project),
                of(tokens.offset_of, offset, self.project)]

    def sign_in(self, age_s: int) -> str:
        from django.conf import settings

        from gs2admin.identity.sessions import SessionStore

        settings.SESSION_COOKIE_AGE = age_s
        store = SessionStore()
        store["who"] = "mika"
        store.save()
        return store.session_key

    def signed_in(self, key: str) -> bool:
        from gs2admin.identity.sessions import SessionStore

        return SessionStore(key).get("who") == "mika"

    def link(self, run: int) -> str:
        from jobqueue.models import UserDataRun
        from jobqueue.userdata.files import Link, link

        return link(UserDataRun.objects.get(pk=run), Link.FILE).rstrip("/").rpartition("/")[2]

    def link_leads(self, token: str) -> bool:
        from jobqueue.userdata.files import Link, run_of

        return run_of(token, Link.FILE) is not None

    def sheet(self, grn: str, secret: str, ends_s: int) -> str:
        """A stamp sheet is taken: "taken", or the refusal's word. ends_s: seconds from the database's now."""
        from uuid import uuid4

        from gs2admin.db import clock
        from gs2admin.identity.actors import SYSTEM
        from gs2admin.identity.services.stamp_keys import signature
        from gs2admin.wire.call import Call, CallContext
        from gs2admin.wire.dispatch import dispatch
        from gs2admin.wire.failures import Failure
        from gs2admin.wire.table import table

        args = {"namespaceName": "q", "userId": "u", "jobs": [{"scriptId": "s", "args": "{}"}]}
        body = json.dumps({"action": "Gs2JobQueue:PushByUserId", "args": args, "transactionId": uuid4().hex,
                           "expiresAt": int((clock.seconds() + ends_s) * 1000)})
        sheet = json.dumps({"body": body, "signature": signature(secret, body)})
        call = Call(CallContext(door="gs2"), SYSTEM, self.project)
        try:
            dispatch(table().by_name["job-queue", "job", "pushByStampSheet"], call, {"stampSheet": sheet, "keyId": grn})
        except Failure as refusal:
            return refusal.problems[0].message
        return "taken"

    def take(self, queue: int, lease_s: float) -> bool:
        from jobqueue import sql

        return sql.take(queue, lease_s, "host") is not None

    def lock(self, transaction: str, ttl_s: int) -> bool:
        from gs2admin.errors import Conflict
        from gs2admin.identity.actors import SYSTEM
        from locks.models import LockNamespace
        from locks.services import lock

        try:
            lock(actor=SYSTEM, namespace=LockNamespace.objects.get(project=self.project), user_id="u", property_id="p",
                 transaction_id=transaction, ttl_s=ttl_s)
        except Conflict:
            return False
        return True


def main() -> None:
    """Until there are no more lines."""
    if "LD_PRELOAD" not in os.environ:
        put_off(float(sys.argv[1]))
    import django

    django.setup()
    orders = Orders()
    for line in sys.stdin:
        name, given = json.loads(line)
        print("\n=" + json.dumps(getattr(orders, name)(**given)), flush=True)


if __name__ == "__main__":
    main()
