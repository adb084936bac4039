"""Mutexes under fire: many clients lock, look and unlock through HTTP while web workers are killed and answers are cut off,
and a checker says whether one mutex per property could have given those answers (tests/races/linearizability.py).

64 clients, 10,000 calls on 32 properties, counted to a depth of 1 to 3, 1 to 3 s to live, a web worker killed every 5 s, 5 % of
the calls cut off after they were sent. BENCH_LOCK_CALLS makes it smaller.
"""
from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from bench.client import Answer, Broken, Link, request
from bench.report import table
from bench.server import Server
from gs2admin.processes import proc
from tests.races.linearizability import Call, Verdict, check

GIVE_UP_S = 30.0


@dataclass(frozen=True)
class Plan:
    """think_s: a client waits up to so long before each call, so that some holders are overtaken by their time.

    abandoned: the share of holders that go away without unlock. deleted: of those whose mutex is deleted.
    """

    clients: int = 64
    calls: int = 10_000
    properties: int = 32
    depth: int = 3
    ttl_s: tuple[int, int] = (1, 3)
    kill_every_s: float = 5.0
    think_s: float = 0.4
    cut: float = 0.05
    abandoned: float = 0.05
    deleted: float = 0.02
    seed: int = 7


@dataclass
class Outcome:
    """history: every call, in the checker's words. problems: answers that no call should get."""

    history: list[Call] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    took_s: float = 0.0
    verdict: Verdict = field(default_factory=lambda: Verdict(False))

    @property
    def acquires(self) -> int:
        """Different holdings that were seen."""
        return len({(call.mutex, call.revision) for call in self.history if call.answer == "ok"})

    @property
    def lost(self) -> int:
        """Calls without an answer."""
        return sum(not call.answer for call in self.history)


class Client:
    """One caller at a time of the lock service, on a connection of its own."""

    def __init__(self, number: int, port: int, path: str, token: str, plan: Plan, outcome: Outcome) -> None:
        self.number, self.port, self.path, self.plan, self.outcome = number, port, path, plan, outcome
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.chance = random.Random(plan.seed * 1000 + number)
        self.link: Link | None = None

    async def run(self) -> None:
        """Sessions until all calls are made."""
        session = 0
        while len(self.outcome.history) < self.plan.calls:
            session += 1
            await self.session(f"t-{self.number}-{session}", f"property/{self.chance.randrange(self.plan.properties)}")
        if self.link:
            self.link.close()

    async def session(self, who: str, mutex: str) -> None:
        """Lock to a depth, look, and unlock as often; or go away in the middle."""
        chance, depth = self.chance, self.chance.randint(1, self.plan.depth)
        for number in range(depth):
            ttl_s = chance.randint(*self.plan.ttl_s)
            answer = await self.call("lock", mutex, who, ttl_s)
            if answer == "locked" and number == 0:
                return
        if chance.random() < 0.4:
            await self.call("get", mutex, who)
        if chance.random() < self.plan.abandoned:
            return
        if chance.random() < self.plan.deleted:
            await self.call("delete", mutex, who)
        for _ in range(depth):
            await self.call("unlock", mutex, who)

    async def call(self, kind: str, mutex: str, who: str, ttl_s: int = 0) -> str:
        """One call; returns the answer's word, "" when none came."""
        await asyncio.sleep(self.chance.uniform(0, self.plan.think_s))
        if self.link is None or self.link.closed:
            self.link = await self._connect()
        body = {} if kind in ("get", "delete") else {"transactionId": who} | ({"ttl": ttl_s} if kind == "lock" else {})
        verb = {"get": "GET", "delete": "DELETE"}.get(kind, "POST")
        tail = f"/{kind}" if verb == "POST" else ""
        data = request(verb, f"{self.path}/{mutex}{tail}", host=f"127.0.0.1:{self.port}", headers=self.headers,
                       body=json.dumps(body).encode() if body else b"")  # fmt: skip
        asked = time.time() * 1000
        waiting = self.link.send(data)
        sent = Call(kind, mutex, who, asked, ttl_ms=ttl_s * 1000.0)
        if self.chance.random() < self.plan.cut:
            await asyncio.sleep(self.chance.uniform(0, 0.006))
            self.link.close()
            with suppress(Broken, asyncio.CancelledError):
                waiting.cancel()
            self.link = None
            return self._note(sent)
        try:
            answer = await asyncio.wait_for(waiting, GIVE_UP_S)
        except (Broken, TimeoutError):
            self.link.close()
            self.link = None
            return self._note(sent)
        return self._note(self._read(sent, answer, time.time() * 1000))

    async def _connect(self) -> Link:
        deadline = time.monotonic() + GIVE_UP_S
        while True:
            try:
                return await Link.open("127.0.0.1", self.port)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)

    def _note(self, call: Call) -> str:
        self.outcome.history.append(call)
        return call.answer

    def _read(self, sent: Call, answer: Answer, at: float) -> Call:
        """The call with its answer; one that the server could not answer may have happened or not."""
        body = json.loads(answer.body or b"{}")
        facts = {"kind": sent.kind, "mutex": sent.mutex, "who": sent.who, "asked": sent.asked, "ttl_ms": sent.ttl_ms}
        if answer.status == 200:
            item = body["item"]
            return Call(**facts, answered=at, answer="ok", holder=item["transactionId"], revision=item["revision"],
                        until=item["ttlAt"])  # fmt: skip
        first = json.loads(body["message"])[0]
        word = {("lock", "lock.mutex.locked"): "locked", ("unlock", "lock.mutex.transactionId.error.notMatch"): "foreign"}.get(
            (sent.kind, first["code"])
        ) or ("free" if (answer.status, first["component"]) == (404, "mutex") else "")
        if not word:
            self.outcome.problems[f"{sent.kind}: {answer.status} {first['code']}"] += 1
            return sent
        return Call(**facts, answered=at, answer=word)


async def _kill(server: Server, outcome: Outcome, plan: Plan) -> None:
    """One web worker after the other, by SIGKILL."""
    chance = random.Random(plan.seed)
    while True:
        await asyncio.sleep(plan.kill_every_s)
        workers = web_workers(server)
        if workers:
            proc.kill(chance.choice(workers))
            outcome.kills += 1


def web_workers(server: Server) -> list[proc.Process]:
    """The processes that answer requests."""
    return [look.process for look in server.processes() if look.name == "gs-web" and look.process.pid != look.group]


async def _play(server: Server, path: str, token: str, plan: Plan, outcome: Outcome) -> None:
    clients = [Client(number, server.port, path, token, plan, outcome) for number in range(plan.clients)]
    killer = asyncio.create_task(_kill(server, outcome, plan))
    try:
        await asyncio.gather(*(client.run() for client in clients))
    finally:
        killer.cancel()


def play(server: Server, namespace: str, token: str, plan: Plan) -> Outcome:
    """Carry the plan out on a running server's namespace, and judge what the clients saw."""
    outcome, began = Outcome(), time.monotonic()
    asyncio.run(_play(server, f"/lock/{namespace}/user/user-0001/mutex", token, plan, outcome))
    outcome.took_s = time.monotonic() - began
    outcome.verdict = check(outcome.history)
    return outcome


def main() -> bool:
    """Prints the outcome; False when the history cannot be explained."""
    from bench.world import world
    from gs2admin.identity.actors import SYSTEM
    from locks.services.namespaces import create_namespace

    plan = Plan(calls=int(os.environ.get("BENCH_LOCK_CALLS", "10000")))
    made = world()
    create_namespace(actor=SYSTEM, project=made.project, name="checked")
    with Server(dict(os.environ), WORKERS="1", JOB_WORKERS="0", LOG_LEVEL="ERROR") as server:
        outcome = play(server, "checked", server.project_token(made.client_id, made.secret), plan)
        left = server.tail() if outcome.problems else ""
    kinds = Counter(f"{call.kind} {call.answer or 'without answer'}" for call in outcome.history)
    table(
        f"{len(outcome.history)} calls of {plan.clients} clients on {plan.properties} properties in {outcome.took_s:.0f} s, "
        f"{outcome.kills} web workers killed, {outcome.acquires} holdings, {outcome.lost} calls without an answer",
        ["answer", "calls"], [[kind, count] for kind, count in sorted(kinds.items())],
    )  # fmt: skip
    for problem, count in sorted(outcome.problems.items()):
        print(f"  {count} x {problem}")
    if left and not outcome.verdict.ok:
        print(left)
    print("  0 violations: the history is linearizable." if outcome.verdict.ok else f"  VIOLATION: {outcome.verdict}")
    return outcome.verdict.ok and outcome.kills > 0
