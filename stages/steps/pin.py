"""The step that does nothing: no target is configured, so the pin alone changes."""

from collections.abc import Mapping
from typing import Any

from .base import StepContext
from .options import known_fields


class Pin:
    """Passes at once; may always be repeated."""

    name = "pin"
    label = "Pin only"

    def validate(self, config: Mapping[str, Any] | None) -> dict[str, Any]:
        """Always ``{}``: there is nothing to set. Raises Invalid when something is set."""
        known_fields(config, kind=self.name, fields=())
        return {}

    def repeatable(self, config: Mapping[str, Any], memo: Mapping[str, Any]) -> bool:
        """Nothing happens outside, so always."""
        return True

    def made(self, config: Mapping[str, Any], memo: Mapping[str, Any]) -> str | None:
        """Nothing, ever."""
        return None

    def run(self, ctx: StepContext) -> str:
        """One line for people; has no effect."""
        return "Nothing to run here: only the pinned version changes."


KIND = Pin()
