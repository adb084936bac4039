"""The step that runs an executable from the administrator's allow-list."""

import contextlib
import os
import pwd
import signal
import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from .base import NOTE, StepBroken, StepCanceled, StepContext, StepFailed
from .options import known_fields, refuse, text, whole_number, yes_or_no
from .output import StepOutput
from .process import CommandProcess

#: How long one turn of the wait loop may take. s.
TURN_S = 0.1


class Command:
    """Runs one allow-listed executable: no shell, no arguments; what it needs to know is in its environment."""

    name = "command"
    label = "Command"

    def validate(self, config: Mapping[str, Any] | None) -> dict[str, Any]:
        """``{"command": name, "timeout_s": 1..21600, "repeatable": bool}``. Raises Invalid with a sentence."""
        config = known_fields(config, kind=self.name, fields=("command", "timeout_s", "repeatable"))
        allowed = settings.STEP_COMMANDS
        if not allowed:
            raise refuse(
                "command",
                "No command is allowed here yet: GS2ADMIN_COMMANDS is empty."
                " The administrator sets it, for example GS2ADMIN_COMMANDS=deploy=/opt/game/deploy.",
            )
        names = ", ".join(sorted(allowed))
        name = text(config, "command", hint=f"choose one of {names}.", longest=128)
        if name not in allowed:
            raise refuse("command", f"There is no command called {name!r}: choose one of {names}.")
        if reason := _unusable(name, allowed[name]):
            raise refuse("command", reason)
        return {
            "command": name,
            "timeout_s": whole_number(config, "timeout_s", default=600, low=1, high=21600),
            "repeatable": yes_or_no(config, "repeatable", default=False),
        }

    def repeatable(self, config: Mapping[str, Any], memo: Mapping[str, Any]) -> bool:
        """As its configuration says."""
        return bool(config.get("repeatable", False))

    def made(self, config: Mapping[str, Any], memo: Mapping[str, Any]) -> str | None:
        """Only the command knows."""
        return f"what the command {config.get('command')} did"

    def run(self, ctx: StepContext) -> str:
        """Run it and emit its output; returns a sentence with the time it took.

        Raises StepFailed (exit code, signal, time) or StepBroken.
        """
        name = str(ctx.config["command"])
        path = settings.STEP_COMMANDS.get(name)
        if path is None:
            raise StepBroken(f"The command {name} is no longer in GS2ADMIN_COMMANDS, so it was not run.")
        if reason := _unusable(name, path):
            raise StepBroken(reason)
        began = time.monotonic()
        # A lease that is not renewed runs out after LEASE_S, and may be a quarter of that old already: nothing of ours
        # may run by then.
        process = CommandProcess(path, _environment(ctx), patience_s=0.65 * settings.LEASE_S)
        try:
            timed_out = _follow(ctx, process, name=name, timeout_s=float(ctx.config["timeout_s"]))
        finally:
            process.close()
        _raise_unless_well(process, name=name, timed_out=timed_out, timeout_s=ctx.config["timeout_s"])
        return f"The command {name} ended well after {time.monotonic() - began:.1f} s."


def _unusable(name: str, path: str) -> str:
    """Why this file can not be run, as a sentence; "" when it can."""
    if not os.path.isabs(path):
        return f"The command {name} must be an absolute path in GS2ADMIN_COMMANDS, but is {path!r}."
    if not os.path.isfile(path):
        return f"The command {name} can not be run: there is no file {path} on this machine."
    if not os.access(path, os.X_OK):
        return f"The command {name} can not be run: {path} is not executable; run chmod +x on it."
    return ""


def _environment(ctx: StepContext) -> dict[str, str]:
    """The whole environment of the command. It does not begin with the server's own, so it holds no secret of it."""
    try:
        home = pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        home = "/"
    facts = {
        "PROJECT": ctx.project,
        "STAGE": ctx.stage,
        "SERVICE": ctx.microservice,
        "OLD_VERSION": ctx.old_version,
        "NEW_VERSION": ctx.new_version,
        "PHASE": ctx.phase,
        "TARGET": ctx.target,
        "ROLLOUT": ctx.rollout_number,
        "ATTEMPT": ctx.attempt,
        "STEP_KEY": ctx.key,
        "LEG": ctx.leg,
        "UNDO": "1" if ctx.undo else "",
        "WEIGHT": ctx.weight,
        "COLOUR": ctx.colour,
    }
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "HOME": home,
    } | {f"GS2ADMIN_{name}": "" if value is None else str(value).replace("\0", "") for name, value in facts.items()}


def _follow(ctx: StepContext, process: CommandProcess, *, name: str, timeout_s: float) -> bool:
    """Emit what it prints until none of its processes is left; True when its time was up. Raises what tick raises."""
    output = StepOutput(ctx.emit)
    deadline = time.monotonic() + timeout_s
    timed_out = False
    try:
        while not process.finished and not process.stuck:
            for stream, data in process.read(TURN_S):
                output.feed(stream, data)
            ctx.tick()
            process.beat()
            if not timed_out and not process.ended and time.monotonic() >= deadline:
                timed_out = True
                ctx.emit(f"The {timeout_s:g} s of this command are over: it is stopped.", NOTE)
                process.stop()
    except StepCanceled:
        _stop_politely(process, output)
        raise
    output.close()
    if process.left:
        ctx.emit(f"{name} left processes behind, which were ended: {process.left}.", NOTE)
    return timed_out


def _stop_politely(process: CommandProcess, output: StepOutput) -> None:
    """SIGTERM, the grace time, SIGKILL; what it prints meanwhile is still emitted."""
    process.stop()
    deadline = time.monotonic() + process.grace_s + 2
    with contextlib.suppress(Exception):  # an error of its last output must not hide the cancel
        while not process.finished and not process.stuck and time.monotonic() < deadline:
            for stream, data in process.read(TURN_S):
                output.feed(stream, data)
            process.beat()
        output.close()


def _raise_unless_well(process: CommandProcess, *, name: str, timed_out: bool, timeout_s: int) -> None:
    """Raises StepFailed or StepBroken with the reason, unless the command ended well."""
    if process.broken_errno is not None:
        raise StepBroken(f"The command {name} can not be run: {os.strerror(process.broken_errno)}.")
    if timed_out:
        raise StepFailed(f"The command {name} did not end within {timeout_s} s and was stopped.")
    if process.silent:
        raise StepBroken(f"This worker stood still for too long, so the command {name} was ended for safety.")
    if process.signal is not None:
        raise StepFailed(f"The command {name} was ended by signal {_signal_name(process.signal)}.")
    if process.exit_code:
        raise StepFailed(f"The command {name} ended with exit code {process.exit_code}.")
    if process.stuck:
        raise StepBroken(f"The command {name} left processes that can not be ended: {process.stuck}.")
    if not process.ended:
        raise StepBroken(f"The command {name} was ended because its launcher was killed or could not start.")


def _signal_name(number: int) -> str:
    try:
        return f"{signal.Signals(number).name} ({signal.strsignal(number)})"
    except ValueError:
        return str(number)


KIND = Command()
