"""What was called and answered, counted by door, and everything that was wrong."""
from __future__ import annotations

import threading
from collections import Counter, defaultdict

from bench.fuzzing.judge import Answer, faults, read_as
from bench.fuzzing.wire import Call
from bench.report import percentile, table


class Record:
    """Counts of all threads."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.statuses: dict[str, Counter[int]] = defaultdict(Counter)
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.slowest: tuple[float, str] = (0.0, "")
        self.who: Counter[tuple[str, bool]] = Counter()
        self.wrong: dict[str, list[str]] = defaultdict(list)
        self._lock = threading.Lock()

    def note(self, phase: str, door: str, call: Call, answer: Answer, seconds: float, more: list[str] | None = None) -> None:
        """One call. more: what else is wrong with its answer."""
        found = faults(read_as(door, call.headers.get("Host", "")), call.verb, answer) + (more or [])
        with self._lock:
            self.calls[phase, door] += 1
            self.statuses[door][answer.status] += 1
            self.seconds[door].append(seconds)
            self.who[call.who, answer.status < 400] += 1
            self.slowest = max(self.slowest, (seconds, f"{call.verb} {call.path[:120]}"))
            for text in found:
                self._wrong(text, call, answer)

    def _wrong(self, text: str, call: Call, answer: Answer) -> None:
        examples = self.wrong[text.partition(": ")[0] + " @ " + text.partition(": ")[2][:60]]
        examples.append(f"[{call.who}] {call.verb} {call.path[:200]} {call.body[:200]!r} -> {answer.status} {answer.body[:300]!r}"
                        f" {text[:300]}")

    def no_answer(self, call: Call, problem: BaseException) -> None:
        """The connection ended without an answer."""
        with self._lock:
            examples = self.wrong[f"no answer: {type(problem).__name__}"]
            examples.append(f"{call.verb} {call.path[:200]} {call.body[:100]!r} {problem}")

    def say(self, title: str) -> None:
        """Print the tables and one example of each fault."""
        phases = sorted({phase for phase, _ in self.calls})
        rows = []
        for door in sorted(self.statuses):
            each = Counter({f"{status // 100}xx": 0 for status in self.statuses[door]})
            for status, count in self.statuses[door].items():
                each[f"{status // 100}xx"] += count
            ms = [one * 1000 for one in self.seconds[door]]
            rows.append([door, *(self.calls[phase, door] for phase in phases), len(ms), *(each[f"{n}xx"] for n in range(2, 6)),
                         f"{percentile(ms, 0.95):.0f}", f"{max(ms):.0f}"])
        table(title, ["door", *phases, "calls", "2xx", "3xx", "4xx", "5xx", "p95 ms", "max ms"], rows)
        total = sum(map(sum, (counts.values() for counts in self.statuses.values())))
        print(f"   {total:,} calls; the slowest answer took {self.slowest[0]:.2f} s: {self.slowest[1]}")
        by = sorted({who for who, _ in self.who})
        print("   accepted / refused: " + "; ".join(f"{who} {self.who[who, True]} / {self.who[who, False]}" for who in by))
        for text, examples in sorted(self.wrong.items(), key=lambda item: -len(item[1])):
            print(f"   WRONG, {len(examples)} times: {text}\n      {examples[0][:900]}")
