"""One runner process as its worker sees it: start it, talk to it, read its clock, kill it."""
from __future__ import annotations

import logging
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from jobqueue.scripting import frames, messages
from jobqueue.scripting.messages import CallOut, Methods
from jobqueue.scripting.outcome import Limits, Outcome, RunnerDied, failure
from jobqueue.scripting.watch import TIMEOUT, Killed, Watch

CHILD = Path(__file__).resolve().parent / "child.py"
TICK_S = 0.25
START_S = 20
# A Lua state is a thousand small pieces of memory; with room for them in glibc's cache, making one takes half the time.
ENVIRONMENT = {"TZ": "UTC0", "LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "1", "GLIBC_TUNABLES": "glibc.malloc.tcache_count=2000"}
# Beyond 128 KiB each read would map memory anew, which costs more than all else of a short answer; a long one is worth it.
PIECE, LARGE = 64 * 1024, 1024 * 1024
SOURCES_BYTES = 32 * 1024 * 1024
MEMORY, FORBIDDEN = "script.execution.memory", "script.execution.forbidden"
_TICK = struct.pack("ll", 0, int(TICK_S * 1_000_000))

Call = Callable[[str, str, str], tuple[int, str]]


log = logging.getLogger(__name__)
_told: set[str] = set()


def _tell_once(lacking: str) -> None:
    """Warn of what a runner could not give up, once per process."""
    if lacking and lacking not in _told:
        _told.add(lacking)
        log.warning("scripts run behind limits alone: %s", lacking)


def oom_kills() -> int:
    """How many processes this machine's kernel has killed because memory ran out, those of a container's limit too."""
    try:
        found = re.search(r"^oom_kill (\d+)$", Path("/proc/vmstat").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


class NotStarted(Exception):
    """The runner had ended before it read the script: it can be run elsewhere."""


class RunnerProcess:
    """A started runner. Not for two threads at once. After an exception from `run` it is gone: check `alive`."""

    def __init__(self, limits: Limits) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.memory_mb = limits.memory_mb
            lupa = Path(find_spec("lupa").origin).resolve().parent.parent
            in_main = threading.current_thread() is threading.main_thread()
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", str(CHILD), str(theirs.fileno()), str(lupa),
                 str(limits.memory_mb * 1024 * 1024), "1" if in_main else "0"],
                env=ENVIRONMENT,
                cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                close_fds=True, pass_fds=(theirs.fileno(),), start_new_session=True,
            )  # fmt: skip
        self.channel = ours
        # One system call waits and reads; poll() before every read would be a second one.
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TICK)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TICK)
        self.alive, self.ready, self.answered = True, False, False
        # looked_at: how many scripts it had run when its memory was read last.
        self.scripts = self.looked_at = 0
        self.slots: dict[str, int] = {}
        self.slot_bytes = 0
        self.oom_kills = oom_kills()
        self.limits: Limits | None = None
        self.methods: Methods | None = None

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────
    def kill(self) -> int:
        """End it now and collect it; the exit code."""
        self.alive = False
        self.channel.close()
        try:
            self.process.kill()
        except ProcessLookupError:
            pass
        return self.process.wait()

    def let_go(self) -> None:
        """In a forked copy of our process: forget the runner without ending it."""
        self.alive = False
        self.channel.close()
        self.process.returncode = 0

    def cpu_s(self) -> float:
        """CPU seconds that the runner used in its life, read from outside."""
        try:
            return time.clock_gettime(~self.process.pid << 3 | 2)
        except OSError:
            return 0.0

    def memory_kb(self) -> int:
        """Resident memory in KiB; 0 when it cannot be read."""
        try:
            pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * (os.sysconf("SC_PAGESIZE") // 1024)

    # ── frames ──────────────────────────────────────────────────────────────────────────────────────────────
    def receive(self, wait: Callable[[], None], cap: int) -> bytes:
        """The next frame without its length; `wait` is called whenever nothing came for TICK_S. Raises RunnerDied."""
        recv = self.channel.recv
        data, need = b"", 0
        parts: list[bytes] = []
        have = 0
        while True:
            try:
                data = recv(min(need - have, LARGE) if need - have > PIECE else PIECE)
            except BlockingIOError:
                wait()
                continue
            except OSError as problem:
                self._died(problem)
            if not data:
                self._died()
            have += len(data)
            parts.append(data)
            if not need and have >= 4:
                data = b"".join(parts)
                parts = [data]
                need = 4 + int.from_bytes(data[:4], "little")
                if need > cap:
                    raise RunnerDied("the script runner sent more than a script may answer")
            if need and have >= need:
                # It never speaks twice before it is answered.
                if have > need:
                    raise RunnerDied("the script runner sent something unexpected")
                return (b"".join(parts) if len(parts) > 1 else data)[4:]

    def _died(self, problem: OSError | None = None) -> None:
        code = self.kill()
        if code == frames.NO_MEMORY:
            raise Killed(failure(500, MEMORY, "the script used up its memory"))
        # The kernel says so when what we sent was never read.
        if not self.answered and isinstance(problem, (BrokenPipeError, ConnectionResetError)):
            raise NotStarted from problem
        if code == -signal.SIGXCPU:
            raise Killed(failure(504, TIMEOUT, "the script used up its CPU time"))
        if code == -signal.SIGSYS:
            log.error("a script reached for what its runner may not do; the runner was ended by the kernel")
            raise Killed(failure(500, FORBIDDEN, "the script reached for something outside its sandbox, and was ended"))
        if code == -signal.SIGKILL and oom_kills() > self.oom_kills:
            raise Killed(failure(500, MEMORY, "the machine ran out of memory, and ended the script for it"))
        raise RunnerDied(f"the script runner ended in the middle of a script (exit code {code})") from problem

    def send(self, data: bytes, wait: Callable[[], None]) -> None:
        """Send it all; `wait` is called whenever the runner took nothing for TICK_S."""
        rest: bytes | memoryview = data
        while rest:
            try:
                sent = self.channel.send(rest)
            except BlockingIOError:
                wait()
                continue
            except OSError as problem:
                self._died(problem)
            if sent == len(rest):
                return
            rest = memoryview(rest)[sent:]

    def start_up(self, tick: Callable[[], object] | None) -> None:
        """Wait until it has started. Raises RunnerDied when it does not."""
        end = time.monotonic() + START_S

        def wait() -> None:
            if tick:
                tick()
            if time.monotonic() > end:
                self.kill()
                raise RunnerDied(f"the script runner did not start within {START_S} s")

        greeting = self.receive(wait, 1024)
        if greeting[:1] != frames.READY:
            self.kill()
            raise RunnerDied("the script runner did not greet")
        _tell_once(greeting[1:].decode())
        self.ready = True

    # ── scripts ─────────────────────────────────────────────────────────────────────────────────────────────
    def settings_frames(self, limits: Limits, methods: Methods) -> bytes:
        """What to send before scripts that have these limits and methods, where they changed."""
        out = b""
        if limits is not self.limits:
            out += messages.limits_frame(limits)
            self.limits = limits
        if methods is not self.methods:
            out += messages.methods_frame(methods)
            self.methods = methods
        return out

    def run_frame(
        self, source: str, *, args: str, user_id: str | None, as_text: bool, floats: bool, random_status: dict | None = None,
        flags: int = 0,
    ) -> bytes:  # fmt: skip
        """What to send to run a script, with its text where the runner lacks it."""
        slot, text = self.slots.get(source), b""
        if slot is None:
            text = source.encode("utf-8", "surrogatepass")
            flags |= frames.HAS_SOURCE
            self.slot_bytes += len(text) + 200
            if self.slot_bytes > SOURCES_BYTES:
                flags |= frames.FORGET
                self.slots.clear()
                self.slot_bytes = len(text) + 200
            slot = self.slots[source] = len(self.slots)
        return messages.run_frame(
            slot, flags, text, args=args, user_id=user_id, as_text=as_text, floats=floats, random_status=random_status
        )

    def run(
        self, *, source: str, args: str, user_id: str | None, call: Call | None, tick: Callable[[], object] | None,
        methods: Methods, limits: Limits, disable_number_strings: bool, keep_whole_floats: bool,
        random_status: dict | None,
    ) -> Outcome:  # fmt: skip
        """Run one script to its end. Arguments: as pool.Runner.run.

        Raises RunnerDied, NotStarted, and whatever `tick` or `call` raise. After an exception the runner is gone.
        """
        self.answered = False
        began = time.monotonic()
        try:
            if not self.ready:
                self.start_up(tick)
            out = self.settings_frames(limits, methods) + self.run_frame(
                source, args=args, user_id=user_id, as_text=disable_number_strings, floats=keep_whole_floats,
                random_status=random_status,
            )
            began = time.monotonic()
            watch = Watch(self.cpu_s, limits, tick)
            self.send(out, watch.wait)
            cap = 4096 + limits.output_bytes * 2 + limits.result_chars * 4 + limits.memory_mb * 1024 * 1024
            while True:
                data = self.receive(watch.wait, cap)
                if data[:1] == frames.DONE:
                    self.scripts += 1
                    return messages.outcome_of(data)
                if data[:1] != frames.CALL or call is None:
                    raise RunnerDied("the script runner sent something unexpected")
                self._answer(messages.call_of(data), call, methods, watch)
        except Killed as killed:
            if self.alive:
                self.kill()
            killed.outcome.execute_ms = (time.monotonic() - began) * 1000
            return killed.outcome
        except BaseException:
            if self.alive:
                self.kill()
            raise

    def _answer(self, asked: CallOut, call: Call, methods: Methods, watch: Watch) -> None:
        """Carry out a call of gs2() and send its answer."""
        if asked.method not in methods.get(asked.service, ()):
            raise RunnerDied("the script runner called a method that it was not given")
        self.answered = True
        # A worker that was stopped for a while may have lost its lease: tick raises then, before the call has effects.
        watch.tick()
        status, text = call(*asked)
        watch.check_wall()
        self.send(messages.answer_frame(status, text), watch.wait)
