"""Native code in a process that has closed its jail: what of the machine it still reaches. A program of its own.

Arguments: where jobqueue/scripting is; a user id to become first (0: stay who we are). Prints a JSON object: probe -> how the
process that tried it ended: a signal's name, or "reached" when the system call was carried out or refused by anything else.
"""
from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
OTHER = os.getpid()
AT_FDCWD = -100
# x86_64's numbers; None of these may be carried out.
CALLS: dict[str, tuple] = {
    "open": (2, b"/etc/hostname", 0), "openat": (257, AT_FDCWD, b"/proc/self/environ", 0), "openat2": (437, AT_FDCWD, b"/etc", 0, 0),
    "creat": (85, b"/tmp/x", 0o600), "stat": (4, b"/etc", b"\0" * 200), "access": (21, b"/etc", 0), "readlink": (89, b"/proc/self/exe", b"\0" * 99, 99),
    "getdents of stdin": (217, 0, b"\0" * 99, 99), "unlink": (87, b"/tmp/x"), "mkdir": (83, b"/tmp/x", 0o700), "rename": (82, b"/tmp/x", b"/tmp/y"),
    "symlink": (88, b"/tmp/x", b"/tmp/y"), "chmod": (90, b"/tmp", 0o777), "mknod": (133, b"/tmp/x", 0o10600, 0), "truncate": (76, b"/tmp/x", 0),
    "memfd_create": (319, b"x", 0), "getcwd": (79, b"\0" * 99, 99), "chdir": (80, b"/tmp"), "chroot": (161, b"/tmp"), "name_to_handle": (303, AT_FDCWD, b"/", 0, 0, 0),
    "socket inet": (41, 2, 1, 0), "socket unix": (41, 1, 1, 0), "socket netlink": (41, 16, 3, 0), "socketpair": (53, 1, 1, 0, b"\0" * 8),
    "connect": (42, 3, b"\0" * 16, 16), "bind": (49, 3, b"\0" * 16, 16), "accept": (43, 3, 0, 0), "sendmsg": (46, 3, 0, 0), "recvmsg": (47, 3, 0, 0),
    "dup": (32, 0), "dup3": (292, 0, 9, 0), "fcntl dupfd": (72, 0, 0, 0), "pipe": (22, b"\0" * 8), "eventfd": (290, 0, 0), "epoll": (291, 0), "inotify": (294, 0),
    "signalfd": (289, -1, b"\0" * 8, 8, 0), "timerfd": (283, 0, 0), "ioctl": (16, 0, 0x5412, b"x"), "sendfile": (40, 3, 0, 0, 9),
    "fork": (57,), "vfork": (58,), "clone": (56, 17, 0, 0, 0, 0), "clone3": (435, 0, 0), "execve": (59, b"/bin/true", 0, 0), "execveat": (322, AT_FDCWD, b"/bin/true", 0, 0, 0),
    "kill": (62, OTHER, 0), "kill all": (62, -1, 0), "kill itself": (62, 0, 0), "tkill": (200, OTHER, 0), "tgkill": (234, OTHER, OTHER, 0),
    "rt_sigqueueinfo": (129, OTHER, 0, b"\0" * 128), "pidfd_open": (434, OTHER, 0), "pidfd_send_signal": (424, 3, 0, 0, 0), "pidfd_getfd": (438, 3, 0, 0),
    "ptrace attach": (101, 16, OTHER, 0, 0), "ptrace seize": (101, 0x4206, OTHER, 0, 0), "ptrace me": (101, 0, 0, 0, 0),
    "process_vm_readv": (310, OTHER, 0, 0, 0, 0, 0), "process_vm_writev": (311, OTHER, 0, 0, 0, 0, 0), "process_madvise": (440, 3, 0, 0, 0, 0),
    "kcmp": (312, OTHER, OTHER, 0, 0, 0), "getpriority": (140, 0, OTHER), "setpriority": (141, 0, OTHER, 5), "sched_setaffinity": (203, OTHER, 8, b"\1" * 8),
    "getpgid": (121, OTHER), "setpgid": (109, 0, OTHER), "getsid": (124, OTHER), "prlimit of another": (302, OTHER, 0, 0, b"\0" * 16),
    "prlimit of files": (302, 0, 7, 0, b"\0" * 16), "clock of another": (228, ~OTHER << 3 | 2, b"\0" * 16), "clock_settime": (227, 0, b"\0" * 16),
    "mmap to execute": (9, 0, 4096, 5, 0x22, -1, 0), "mmap of a file": (9, 0, 4096, 1, 2, 0, 0), "mprotect to execute": (10, 0, 4096, 7), "pkey_mprotect": (329, 0, 4096, 7, 0),
    "shmget": (29, 0, 4096, 0o1600), "shmat": (30, 0, 0, 0), "semget": (64, 0, 1, 0o1600), "msgget": (68, 0, 0o1600), "mq_open": (240, b"x", 0x40, 0o600, 0),
    "io_uring": (425, 1, b"\0" * 120), "bpf": (321, 0, 0, 0), "perf_event": (298, 0, 0, 0, 0, 0), "userfaultfd": (323, 0), "keyctl": (250, 0, 0), "add_key": (248, b"user", b"x", b"x", 1, -3),
    "unshare": (272, 0x10000000), "setns": (308, 0, 0), "mount": (165, b"x", b"/tmp", b"tmpfs", 0, 0), "pivot_root": (155, b"/", b"/"), "setuid": (105, 0), "setresuid": (117, 0, 0, 0),
    "capset": (126, 0, 0), "prctl": (157, 4, 1, 0, 0, 0), "seccomp": (317, 0, 0, 0), "personality": (135, 0x400000), "arch_prctl": (158, 0x1003, b"\0" * 8),
    "modify_ldt": (154, 0, 0, 0), "syslog": (103, 3, b"\0" * 99, 99), "uname": (63, b"\0" * 400), "reboot": (169, 0, 0, 0, 0), "sysinfo": (99, b"\0" * 200),
    "finit_module": (313, 0, b"", 0), "x32 read": (0x40000000, 0, b"\0", 1), "an unknown number": (999,),
}  # fmt: skip


def _fresh() -> socket.socket:
    """A channel at its place, and no other descriptor but the standard ones on /dev/null."""
    null = os.open(os.devnull, os.O_RDWR)
    ours, theirs = socket.socketpair()
    os.dup2(ours.detach(), 63)
    os.dup2(theirs.detach(), 62)
    for number in range(3):
        os.dup2(null, number)
    os.dup2(63, 3)
    # The other end stays open: a runner ends when nobody holds it.
    os.dup2(62, 4)
    os.closerange(5, 256)
    return socket.socket(fileno=3)


def _walls() -> dict[str, object]:
    """What a process is like when its jail is closed but for the filter."""
    before = os.readlink("/proc/self/ns/net")
    own = jail.leave_network()
    inside = os.readlink("/proc/self/ns/net")
    jail.leave_user()
    with open("/proc/self/status") as file:
        status = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
    return {"own network": own, "another network": before != inside, "caps": status["CapEff"], "privs": status["NoNewPrivs"]}


def _end_of(pid: int) -> str:
    _, status = os.waitpid(pid, 0)
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"


def attempt(act) -> str:
    """How a child ends that closes its jail and then does `act`."""
    pid = os.fork()
    if pid == 0:
        try:
            if lacking := child.harden(_fresh(), 64 * 1024 * 1024, False, jail):
                os.write(1, lacking.encode())
                os._exit(90)
            act()
        except OSError as problem:
            os.write(2, f"{problem}".encode())
            os._exit(91)
        os._exit(0)
    return _end_of(pid).replace("exit 0", "reached")


def main() -> None:
    found: dict[str, object] = {}
    for name, (number, *given) in CALLS.items():
        words = [part if isinstance(part, bytes) else ctypes.c_long(part) for part in given]
        found[name] = attempt(lambda number=number, words=words: libc.syscall(ctypes.c_long(number), *words))
    found["reads memory, the clock and chance"] = attempt(lambda: (bytes(9_000_000), time.thread_time(), os.urandom(9)))
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, json.dumps(_walls()).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    print(json.dumps({"calls": found, "walls": json.loads(os.read(read, 4096))}))


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    import select  # noqa: F401  before the user changes: it may not read our libraries
    import threading  # noqa: F401

    import child
    import jail

    if user := int(sys.argv[2]):
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    main()
