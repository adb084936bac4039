"""Who belongs to a cluster says so; who leaves says so too, and only who ends without a word has died."""
from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from gs2admin.processes import news
from gs2admin.processes.cluster import Cluster
from tests.conditions import until

NOBODY = 2**22 + 1  # no process has such a number


@pytest.fixture
def cluster() -> Iterator[Callable[..., Cluster]]:
    made: list[Cluster] = []

    def make(run: Callable[[Cluster], object]) -> Cluster:
        made.append(Cluster(run, [("q", 2)]))
        return made[-1]

    yield make
    for one in made:
        assert one.kill()


def workers(main: Cluster) -> None:
    """The main process of a cluster with a worker that leaves, one that stays, and one that starts a command."""
    for leaves in (True, False):
        if os.fork() == 0:
            news.tell(main.tell_fd, news.HERE, "worker", "q")
            if leaves:
                news.tell(main.tell_fd, news.LEAVES, "worker", "q")
                os._exit(0)
            if os.fork() == 0:
                os.execv("/bin/sleep", ["sleep", "60"])  # has the worker's name until it is executed
            signal.pause()
    signal.pause()


def test_who_leaves_has_not_died_and_who_is_killed_has(cluster):
    seen = cluster(workers)
    said = []
    seen._heard.news, news_of = lambda: said.extend(new := news_of()) or new, seen._heard.news
    until(lambda: not seen.refresh() and len(said) == 3 and len(seen.parts) == 2, 5, "the main process and one worker")
    stayed = next(part for part in seen.parts.values() if part.role == "worker")
    assert not seen.complete and seen.facts()[0].lost == ()
    os.kill(stayed.process.pid, signal.SIGKILL)
    assert [part.process.pid for part in until(seen.refresh, 5)] == [stayed.process.pid]
    assert seen.facts()[0].lost == (stayed.name,)


def test_who_dies_before_it_could_say_anything_is_missed_by_the_main_process(cluster):
    def tells(main: Cluster) -> None:
        news.tell(main.tell_fd, news.DIED, "worker", "q", NOBODY)
        signal.pause()

    seen = cluster(tells)
    until(lambda: seen.refresh() or seen.facts()[0].lost, 5)
    assert seen.facts()[0].lost == (f"worker {NOBODY}",)


def test_the_end_of_the_main_process_is_seen_with_its_code(cluster):
    seen = cluster(lambda main: os._exit(3))
    until(lambda: seen.refresh() or seen.facts()[0].exit_code is not None, 5)
    assert seen.facts()[0].exit_code == 3
