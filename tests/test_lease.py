"""gs2admin.lease: when a lease is renewed, and what happens when it is lost."""
import pytest

from gs2admin import lease
from gs2admin.lease import LeaseLost, Renewer


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(lease, "time", found)
    return found


def test_it_is_renewed_when_it_is_due_and_not_before(clock):
    asked = []
    renewer = Renewer(2.0, lambda: asked.append(clock.now) or "state")
    clock.now += 1.9
    assert (renewer.due, renewer.tick(), asked) == (False, None, [])
    clock.now += 0.1
    assert (renewer.due, renewer.tick(), asked) == (True, "state", [102.0])
    assert (renewer.due, renewer.tick()) == (False, None)


def test_the_next_one_is_due_counted_from_before_the_statement(clock):
    def slow() -> None:
        clock.now += 1.5

    renewer = Renewer(2.0, slow)
    renewer.now()
    clock.now += 0.5
    assert renewer.due


def test_a_lease_renewed_by_other_means_is_not_renewed_again(clock):
    renewer = Renewer(2.0, lambda: pytest.fail("renewed"))
    clock.now += 5
    renewer.restart()
    assert renewer.tick() is None


def test_a_lost_lease_is_raised_and_stays_due(clock):
    def lost() -> None:
        raise LeaseLost

    renewer = Renewer(2.0, lost)
    clock.now += 2
    for _ in range(2):
        with pytest.raises(LeaseLost):
            renewer.tick()


def test_no_except_exception_swallows_it():
    with pytest.raises(LeaseLost):
        try:
            raise LeaseLost
        except Exception:  # noqa: BLE001  the very thing that is tested
            pytest.fail("swallowed")
