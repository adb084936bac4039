"""The small process between a worker and the command of a step. Run as ``python -I -S launcher.py …``, Linux only.

It exists so that nothing a command has started outlives the step, whatever happens to the worker:

* it is a *child subreaper* (prctl(2)): whatever daemonises below it (setsid, double fork) becomes its own child, so
  "it has no children left" means "nothing of the command is left";
* it holds one end of a pipe whose other end only the worker holds. The end of that pipe, or no sign of life in it for
  ``patience_s`` (the worker is frozen, its lease runs out), means that another worker may start this step again:
  everything is killed at once;
* if it is killed itself, the kernel kills the command with it (PR_SET_PDEATHSIG), and the worker sweeps up the rest.

It imports nothing but the standard library, so that it starts in some 20 ms, and knows nothing of gs2admin.

Arguments: control fd, status fd, grace_s, linger_s, patience_s, path of the executable. The command gets this
process's environment, stdout and stderr, /dev/null as stdin, and no other file descriptor.
Control bytes from the worker: ``.`` alive, ``T`` stop (SIGTERM, after grace_s SIGKILL), ``K`` kill now.
Status lines to the worker: ``started <pid>``, ``broken <errno>``, ``ended exit <code>``, ``ended signal <number>``,
``left <names>``, ``silent``, ``stuck <names>``, and ``done`` when nothing is left.
"""

import ctypes
import errno
import os
import select
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
#: After SIGKILL a process that is still there after so long (another user's, or inside the kernel) is reported. s.
STUCK_AFTER_S = 5.0


def prctl(option: int, value: int) -> None:
    """prctl(2) with one argument; raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, *map(ctypes.c_ulong, (value, 0, 0, 0))) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def processes() -> dict[int, tuple[int, str, str, str]]:
    """pid -> (parent's pid, name, state letter, start time in ticks), of every process that /proc shows."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:
                    stat = file.read().decode("utf-8", "replace")
            except OSError:
                continue  # it ended meanwhile
            name = stat[stat.index("(") + 1 : stat.rindex(")")]
            rest = stat[stat.rindex(")") + 2 :].split()
            found[int(entry)] = (int(rest[1]), name, rest[0], rest[19])
    return found


def descendants(root: int) -> list[tuple[int, str, str]]:
    """(pid, name, start time) of everything below ``root`` that is not yet a zombie."""
    table = processes()
    children: dict[int, list[int]] = {}
    for pid, (parent, *_) in table.items():
        children.setdefault(parent, []).append(pid)
    found, todo = [], [root]
    while todo:
        for pid in children.get(todo.pop(), ()):
            todo.append(pid)
            _, name, state, started = table[pid]
            if state not in "ZX":
                found.append((pid, name, started))
    return found


def named(found: list[tuple[int, str, str]]) -> str:
    """What `descendants` found, for people: the first ten, and how many more there are."""
    more = f" and {len(found) - 10} more" if len(found) > 10 else ""
    return ", ".join(f"{name} ({pid})" for pid, name, _ in found[:10]) + more


def send(pid: int, started: str, signals: tuple[int, ...]) -> bool:
    """Signal exactly the process that was seen, never one that got its pid since. False: not permitted."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    except OSError:
        handle = -1  # a kernel before 5.3
    try:
        if started_at(pid) == started:
            for number in signals:
                if handle >= 0:
                    signal.pidfd_send_signal(handle, number)
                else:
                    os.kill(pid, number)
    except ProcessLookupError:
        pass
    except PermissionError:
        return False
    finally:
        if handle >= 0:
            os.close(handle)
    return True


def started_at(pid: int) -> str:
    """The start time of one process in ticks since boot, "" when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except OSError:
        return ""
    return stat[stat.rindex(b")") + 2 :].split()[19].decode()


def clock() -> float:
    """Seconds since boot, sleep of the machine included, because leases run on in it too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def start_command(path: str) -> tuple[int, int]:
    """Fork and exec the command in a session of its own: (pid, 0), or (0, errno) when it can not be executed."""
    error_read, error_write = os.pipe()  # closed by a successful exec
    launcher = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != launcher:
                os._exit(127)
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(number, signal.SIG_DFL)  # what a worker ignores, its command must not
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.execv(path, [path])
        except OSError as error:
            os.write(error_write, str(error.errno).encode())
        finally:
            os._exit(127)
    os.close(error_write)
    with os.fdopen(error_read, "rb") as file:
        code = file.read()
    if code:
        os.waitpid(pid, 0)
        return 0, int(code)
    return pid, 0


class Launcher:
    """One command from its start until nothing of it is left."""

    def __init__(self, *, control: int, status: int, grace_s: float, linger_s: float, patience_s: float) -> None:
        self.control, self.status = control, status
        self.grace_s, self.linger_s, self.patience_s = grace_s, linger_s, patience_s
        self.worker = os.getppid()
        self.last_sign = clock()
        self.command = 0
        self.ended_at: float | None = None  # the command's main process
        self.kill_at: float | None = None
        self.killing_since: float | None = None
        self.reported_stuck = False

    def say(self, line: str) -> None:
        """Send a status line to the worker, if it still exists."""
        try:
            os.write(self.status, line.encode("utf-8", "replace") + b"\n")
        except OSError:
            pass

    def run(self, path: str) -> None:
        """Start the command; returns when it and everything it started has ended."""
        self.command, code = start_command(path)
        for fd in (0, 1, 2):  # so that the worker sees the end of the output
            os.dup2(os.open(os.devnull, os.O_RDWR), fd)
        if not self.command:
            self.say(f"broken {code}")
            return
        self.say(f"started {self.command}")
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        wakeup, wakeup_write = os.pipe()
        for fd in (wakeup, wakeup_write):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wakeup_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        poll.register(wakeup, select.POLLIN)
        pause_ms = 5.0
        while self.reap():
            now = clock()
            self.decide(now)
            if self.killing_since is not None:
                self.kill(now)
                pause_ms = min(pause_ms * 1.5, 200.0)
                ready = poll.poll(pause_ms)
            else:
                ready = poll.poll(100)
            for fd, _ in ready:
                if fd == wakeup:
                    os.read(wakeup, 4096)
                else:
                    self.listen(poll)
        self.say("done")

    def listen(self, poll: select.poll) -> None:
        """Read the worker's control bytes; the end of the pipe means that the worker is gone."""
        received = os.read(self.control, 4096)
        self.last_sign = clock()
        if not received:
            poll.unregister(self.control)
        if not received or b"K" in received:
            self.kill_now()
        elif b"T" in received:
            self.stop()

    def decide(self, now: float) -> None:
        """Begin to stop or kill where a time is up."""
        if self.killing_since is None:
            if os.getppid() != self.worker:
                self.kill_now()
            elif now - self.last_sign > self.patience_s:
                self.say("silent")
                self.kill_now()
            elif self.kill_at is not None and now >= self.kill_at:
                self.kill_now()
        ending = self.kill_at is not None or self.killing_since is not None
        # Something like `> >(tee log)` gets a moment to end by itself.
        if self.ended_at is not None and not ending and now - self.ended_at >= self.linger_s:
            left = descendants(os.getpid())
            if left:
                self.say(f"left {named(left)}")
            self.stop()

    def reap(self) -> bool:
        """Collect what has ended; False when nothing is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.command:
                self.ended_at = clock()
                if os.WIFSIGNALED(status):
                    self.say(f"ended signal {os.WTERMSIG(status)}")
                else:
                    self.say(f"ended exit {os.WEXITSTATUS(status)}")

    def stop(self) -> None:
        """Ask everything to end; what has not done so after the grace time is killed."""
        if self.kill_at is None and self.killing_since is None:
            self.kill_at = clock() + self.grace_s
            for pid, _, started in descendants(os.getpid()):
                send(pid, started, (signal.SIGTERM, signal.SIGCONT))

    def kill_now(self) -> None:
        """From here on everything is killed, again and again until nothing is left."""
        if self.killing_since is None:
            self.killing_since = clock()

    def kill(self, now: float) -> None:
        """One round of SIGKILL; what is forked meanwhile is found in the next one."""
        left = descendants(os.getpid())
        for pid, _, started in left:
            send(pid, started, (signal.SIGKILL,))
        if left and not self.reported_stuck and now - self.killing_since > STUCK_AFTER_S:
            self.reported_stuck = True
            self.say(f"stuck {named(left)}")


def main(arguments: list[str]) -> int:
    """Run the launcher (see the module's docstring); returns the exit code."""
    control, status = int(arguments[0]), int(arguments[1])
    for fd in (control, status):
        os.set_inheritable(fd, False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)  # the worker's pipe is what ends this process
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would take the exit code away
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    grace_s, linger_s, patience_s = map(float, arguments[2:5])
    launcher = Launcher(control=control, status=status, grace_s=grace_s, linger_s=linger_s, patience_s=patience_s)
    try:
        prctl(PR_SET_CHILD_SUBREAPER, 1)
    except (OSError, AttributeError) as error:
        launcher.say(f"broken {getattr(error, 'errno', errno.ENOSYS)}")
        return 1
    launcher.run(arguments[5])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
