"""What a step kind is, what it is given, and the four ways in which a step can end.

A step ends well (``run`` returns a one-line summary), *failed* (the target refused: exit code, 4xx/5xx,
time is up), *broken* (technical: the executable is missing or no longer allowed), or it is stopped by
``StepCanceled`` or ``LeaseLost``, which ``tick`` raises.
"""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from gs2admin.lease import LeaseLost

__all__ = ["NOTE", "LeaseLost", "StepBroken", "StepCanceled", "StepContext", "StepFailed", "StepKind"]

#: The stream of a step's own lines, beside stdout and stderr of its command.
NOTE = "note"


class StepFailed(Exception):
    """The step was carried out and failed. ``str()`` is a sentence for people. The rollout ends *failed*."""


class StepBroken(Exception):
    """The step could not be carried out at all. ``str()`` is a sentence. The rollout ends *errored*."""


class StepCanceled(BaseException):
    """A person canceled the rollout. A BaseException, so that no ``except Exception`` swallows it."""


class StepContext(Protocol):
    """What a running step knows and can do; worker.context.Context is the one of a real rollout."""

    project: str
    rollout_number: int
    stage: str
    microservice: str
    old_version: str | None
    new_version: str | None
    target: str
    phase: str
    #: base, or of a canary: canary while the gray part is made, full when everybody gets the new version.
    leg: str
    #: This takes back what an earlier step did: the versions are exchanged, ``memo["done"]`` is what that one remembered.
    undo: bool
    #: Percent of the players who get the new version now; 0 outside a canary.
    weight: int
    #: blue or green: the one that is deployed to; of the phase switch, the one that players are sent to. "" without.
    colour: str
    attempt: int
    #: Stable over all attempts of this step, for example ``default/415/12``.
    key: str
    #: What ``StepKind.validate`` returned (plus ``signing`` for the http kind).
    config: Mapping[str, Any]
    #: What an earlier attempt remembered.
    memo: Mapping[str, Any]

    def emit(self, text: str, stream: str = "stdout") -> None:
        """One line of output (stream: stdout, stderr or NOTE); shown within a second as long as ``tick`` is called."""

    def tick(self) -> None:
        """Call at least once a second while waiting. Raises StepCanceled or LeaseLost: never swallow them."""

    def remember(self, **memo: Any) -> None:
        """Persist at once what another attempt needs in order to go on instead of starting again."""


@runtime_checkable
class StepKind(Protocol):
    """One way of carrying out a step."""

    name: str
    label: str

    def validate(self, config: Mapping[str, Any] | None) -> dict[str, Any]:
        """The config with its defaults filled in. Raises ``Invalid`` with a sentence that says what to do."""

    def repeatable(self, config: Mapping[str, Any], memo: Mapping[str, Any]) -> bool:
        """Whether another attempt may run after a worker died in the middle of this step."""

    def made(self, config: Mapping[str, Any], memo: Mapping[str, Any]) -> str | None:
        """What a begun step of the phase canary or switch has made that serves players until somebody takes it back, with
        where it is, such as "Deployment lottery-gray in the namespace game of tokyo"; None for nothing."""

    def run(self, ctx: StepContext) -> str:
        """Carry out the step; the answer is one line for people. Raises StepFailed or StepBroken."""
