"""What happened to jobs, by their rows and by the marks that their scripts left, held against what may happen."""
from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from jobqueue.execution.lease import LOST_RESULT
from jobqueue.models import Job, JobResult, Queue
from jobqueue.states import JobState

LOST = "jobs lost (neither done nor given up, or gone)"
TWICE = "effects twice (more marks of a job than attempts, or its once-only effect not once)"
ORDER = "out of order (a mark or a result of a player before that of an earlier job)"
TRIES = "tries above maxTryCount, or not one result per try"
ENDS = "ends that are wrong (done without a 2xx, given up with tries left, attempts after the end)"
QUEUES = "queues left counting or draining"


@dataclass
class Verdict:
    """violations: sentences. wrong: how many of each kind. states: how the jobs ended. lost_attempts: with their worker."""

    violations: list[str] = field(default_factory=list)
    wrong: Counter = field(default_factory=lambda: Counter(dict.fromkeys((LOST, TWICE, ORDER, TRIES, ENDS, QUEUES), 0)))
    states: Counter = field(default_factory=Counter)
    attempts: int = 0
    failed: int = 0
    timed_out: int = 0
    lost_attempts: int = 0

    def add(self, kind: str, sentence: str) -> None:
        """Something that must not be."""
        self.wrong[kind] += 1
        self.violations.append(sentence)


def judge(count: int, *, jobs: str, marks: str, effects: str) -> Verdict:
    """Look for everything that must not have happened. jobs, marks, effects: names of the namespaces."""
    verdict = Verdict()
    rows = {_number(job.args): job for job in Job.objects.filter(queue__namespace__name=jobs).select_related("queue")}
    results: dict[int, list[JobResult]] = defaultdict(list)
    for result in JobResult.objects.filter(job__queue__namespace__name=jobs).order_by("job_id", "try_number"):
        results[result.job_id].append(result)
    marked, once = _by_player(marks), Counter(number for line in _by_player(effects).values() for number in line)
    made = Counter(number for line in marked.values() for number in line)
    for number in range(count):
        if number not in rows:
            verdict.add(LOST, f"job {number} is gone")
            continue
        _judge_job(verdict, number, rows[number], results[rows[number].pk], made[number], once[number])
    for player, line in marked.items():
        for before, after in zip(line, line[1:], strict=False):
            if after < before:
                verdict.add(ORDER, f"{player}: job {after} was executed after job {before}")
    _judge_results(verdict, jobs)
    for queue in Queue.objects.filter(namespace__name=jobs):
        if queue.waiting or queue.draining or queue.head_at or queue.next_at:
            verdict.add(QUEUES, f"{queue}: waiting {queue.waiting}, draining {queue.draining}, next at {queue.next_at}")
    return verdict


def _judge_job(verdict: Verdict, number: int, job: Job, results: list[JobResult], marks: int, effects: int) -> None:
    lost = sum(result.result == LOST_RESULT for result in results)
    settled = len(results) - lost
    verdict.states[job.state] += 1
    verdict.attempts += len(results)
    verdict.lost_attempts += lost
    verdict.failed += sum(result.status_code == 503 for result in results)
    verdict.timed_out += sum(result.status_code == 504 for result in results)
    if job.state not in (JobState.DONE, JobState.GIVEN_UP):
        verdict.add(LOST, f"job {number} is {job.state}")
    # An attempt that was lost may have been killed before its mark or after it, but none can leave two.
    if not settled <= marks <= len(results):
        verdict.add(TWICE, f"job {number} left {marks} marks in {settled} whole and {lost} lost attempts")
    if not (1 if settled else 0) <= effects <= 1:
        verdict.add(TWICE, f"job {number} has its effect {effects} times")
    if [result.try_number for result in results] != list(range(job.try_count)) or job.try_count > job.max_try_count:
        verdict.add(TRIES, f"job {number} has tries {[r.try_number for r in results]}, counts {job.try_count}")
    good = [200 <= result.status_code < 300 for result in results]
    if job.state == JobState.DONE and good != [False] * (len(good) - 1) + [True]:
        verdict.add(ENDS, f"job {number} is done with {[r.status_code for r in results]}")
    if job.state == JobState.GIVEN_UP and (any(good) or job.try_count < job.max_try_count):
        verdict.add(ENDS, f"job {number} is given up with {[r.status_code for r in results]}")
    for result in results:
        if result.status_code not in (200, 503, 504) and result.result != LOST_RESULT:
            verdict.add(ENDS, f"job {number}: an attempt ended with {result.status_code} {result.result[:200]}")


def _judge_results(verdict: Verdict, jobs: str) -> None:
    """Results are written in the order of the jobs too."""
    last: dict[int, tuple[int, int]] = {}
    rows = JobResult.objects.filter(job__queue__namespace__name=jobs).order_by("id")
    for queue, job, attempt in rows.values_list("job__queue_id", "job_id", "try_number"):
        if (job, attempt) <= last.get(queue, (0, -1)):
            verdict.add(ORDER, f"queue {queue}: the result of job {job} came after that of job {last[queue][0]}")
        last[queue] = job, attempt


def _by_player(namespace: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    rows = Job.objects.filter(queue__namespace__name=namespace).order_by("id")
    for player, args in rows.values_list("queue__user_id", "args"):
        found[player].append(_number(args))
    return found


def _number(args: str) -> int:
    return int(json.loads(args)["job"])
