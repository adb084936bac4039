"""The worker's side of a running command: it starts the command below its launcher, reads its output, and ends it."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping

from gs2admin import private

from . import launcher
from .base import StepBroken

#: Between SIGTERM and SIGKILL. s.
GRACE_S = 3.0
#: How long processes that are left when the command has ended get to end by themselves. s.
LINGER_S = 0.5
#: How long ending everything may take before the worker stops waiting for it (the launcher goes on). s.
END_S = 10.0
READ_BYTES = 64 * 1024
MARK = "GS2ADMIN_RUN_MARK"


class CommandProcess:
    """One executable with everything it starts. After `close`, which has to be called in any case, nothing of it runs."""

    def __init__(self, path: str, env: Mapping[str, str], *, patience_s: float, grace_s: float = GRACE_S) -> None:
        """Start it. patience_s: when ``beat`` was not called for so long, everything is killed. Raises StepBroken."""
        self.grace_s = grace_s
        self.mark = uuid.uuid4().hex
        self.pid = 0
        self.exit_code: int | None = None
        self.signal: int | None = None
        self.left = ""
        self.stuck = ""
        self.silent = False
        self.broken_errno: int | None = None
        self._clean = False  # the launcher has reported that nothing is left
        self._status_rest = b""
        self._last_beat = 0.0
        self._selector = selectors.DefaultSelector()
        ours: list[int] = []
        try:
            control, self._control = os.pipe()
            ours += [control, self._control]
            self._status, status = os.pipe()
            ours += [self._status, status]
            os.set_blocking(self._control, False)
            self._launcher = subprocess.Popen(
                [sys.executable, "-I", "-S", launcher.__file__, str(control), str(status)]
                + [str(seconds) for seconds in (grace_s, LINGER_S, patience_s)]
                + [path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                close_fds=True,
                pass_fds=(control, status),
                start_new_session=True,
                # What a command writes is for whom it is meant: it has the umask that an administrator gave us.
                umask=private.outer_umask(),
                cwd="/",
                env={**env, MARK: self.mark},
            )
        except BaseException as error:
            for fd in ours:
                os.close(fd)
            self._selector.close()
            if isinstance(error, OSError):
                raise StepBroken(f"This worker can not start a process now: {error.strerror}.") from error
            raise
        os.close(control)
        os.close(status)
        for stream, name in ((self._launcher.stdout, "stdout"), (self._launcher.stderr, "stderr")):
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ, name)
        self._selector.register(self._status, selectors.EVENT_READ, "status")
        self._launcher_open = True

    @property
    def ended(self) -> bool:
        """The command's main process has ended (what it started may still be there)."""
        return self.exit_code is not None or self.signal is not None

    @property
    def finished(self) -> bool:
        """Nothing runs and nothing is left to read."""
        return not self._launcher_open and not any(self._streams())

    def read(self, timeout: float) -> Iterator[tuple[str, bytes]]:
        """(stream name, bytes) that have arrived, waiting at most ``timeout`` seconds for the first."""
        if not self._launcher_open:
            timeout = 0.0
        ready = self._selector.select(timeout)
        for key, _ in ready:
            data = self._take(key.fd)
            if key.data == "status":
                self._understand(data)
            elif data:
                yield key.data, data
            elif data is not None:
                self._selector.unregister(key.fileobj)
        if not ready and not self._launcher_open:
            # None of its processes can write any more; another process that has the pipe is not waited for.
            for stream in list(self._streams()):
                self._selector.unregister(stream)

    def beat(self) -> None:
        """Tell the launcher that this worker is alive and still owns the step."""
        now = time.monotonic()
        if now - self._last_beat >= 0.5:
            self._last_beat = now
            self._send(b".")

    def stop(self) -> None:
        """SIGTERM for everything; SIGKILL after the grace time."""
        self._send(b"T")

    def kill(self) -> None:
        """SIGKILL for everything, now."""
        self._send(b"K")

    def close(self) -> None:
        """Kill what is left, wait until it is gone (at most END_S) and free every file descriptor."""
        try:
            self.kill()
            deadline = time.monotonic() + END_S
            while self._launcher_open and not self.stuck and time.monotonic() < deadline:
                for _ in self.read(0.1):
                    pass
        finally:
            os.close(self._control)  # without an answer so far, the launcher goes on killing by itself
            self._selector.close()
            os.close(self._status)
            self._launcher.stdout.close()
            self._launcher.stderr.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._launcher.wait(timeout=5 if not self._launcher_open else 0.1)

    def _streams(self) -> Iterator[object]:
        return (key.fileobj for key in self._selector.get_map().values() if key.data != "status")

    @staticmethod
    def _take(fd: int) -> bytes | None:
        try:
            return os.read(fd, READ_BYTES)
        except BlockingIOError:
            return None

    def _send(self, byte: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, BlockingIOError):
            os.write(self._control, byte)

    def _understand(self, data: bytes | None) -> None:
        if data == b"":
            self._selector.unregister(self._status)
            self._launcher_open = False
            if not self._clean:
                kill_marked(self.mark)
            return
        *lines, self._status_rest = (self._status_rest + (data or b"")).split(b"\n")
        for line in lines:
            word, _, rest = line.decode("utf-8", "replace").partition(" ")
            if word == "started":
                self.pid = int(rest)
            elif word == "broken":
                self.broken_errno, self._clean = int(rest), True
            elif word == "ended":
                how, _, number = rest.partition(" ")
                if how == "exit":
                    self.exit_code = int(number)
                else:
                    self.signal = int(number)
            elif word == "left":
                self.left = rest
            elif word == "stuck":
                self.stuck = rest
            elif word == "silent":
                self.silent = True
            elif word == "done":
                self._clean = True


def kill_marked(mark: str, *, within_s: float = 5.0) -> None:
    """Kill every process whose environment carries ``mark``: for the case that the launcher itself was killed."""
    wanted = f"{MARK}={mark}".encode()
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        found = False
        for pid, (_, _, state, started) in launcher.processes().items():
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    marked = state not in "ZX" and wanted in file.read().split(b"\0")
            except OSError:
                continue  # it ended meanwhile, or is another user's
            if marked:
                found = True
                launcher.send(pid, started, (signal.SIGKILL,))
        if not found:
            return
