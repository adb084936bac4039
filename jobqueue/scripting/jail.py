"""What a process gives up before it works on what strangers wrote. Linux; imported by child processes on its own.

Three walls, the next one for when the one before it is broken: a user and a network of no use, limits that the kernel keeps, and
a filter (seccomp) that ends the process at the first system call that its work does not need. libseccomp would be one more thing
to install for a program of sixty instructions, so it is written here.
"""
from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import struct
import sys

NOBODY = 65534
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWNET = 0x08000000, 0x10000000, 0x40000000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38

# number of each call: x86_64, aarch64 (None: it does not exist there). The frequent ones first: they are compared in this order.
NUMBERS: dict[str, tuple[int | None, int]] = {
    "recvfrom": (45, 207), "sendto": (44, 206), "clock_gettime": (228, 113), "brk": (12, 214), "mremap": (25, 216),
    "munmap": (11, 215), "mmap": (9, 222), "futex": (202, 98), "getrandom": (318, 278), "read": (0, 63), "write": (1, 64),
    "madvise": (28, 233), "mprotect": (10, 226), "prlimit64": (302, 261), "poll": (7, None), "ppoll": (271, 73),
    "restart_syscall": (219, 128), "rt_sigreturn": (15, 139), "rt_sigprocmask": (14, 135), "sched_yield": (24, 124),
    "gettimeofday": (96, 169), "clock_getres": (229, 114), "getpid": (39, 172), "gettid": (186, 178),
    "exit": (60, 93), "exit_group": (231, 94), "lseek": (8, 62),
}  # fmt: skip
# What the runner of scripts needs: its channel, memory, the clock, chance, and an end.
RUNNER = frozenset(NUMBERS) - {"lseek"}
# What a reader of one open file needs besides.
READER = RUNNER | {"lseek"}
# machine -> (its name in the filter's data, column in NUMBERS, number of seccomp(2))
MACHINES = {"x86_64": (0xC000003E, 0, 317), "aarch64": (0xC00000B7, 1, 277)}
# What an argument must be like: (argument, test, value).
_ALL_CLEAR, _SOME_SET, _EQUAL = "all clear", "some set", "equal"
_PROT_EXEC, _MAP_ANONYMOUS = 4, 0x20
CONDITIONS = {
    # Memory of its own, in which nothing can be executed: native code cannot be brought in, and no file can be mapped.
    "mmap": ((2, _ALL_CLEAR, _PROT_EXEC), (3, _SOME_SET, _MAP_ANONYMOUS)),
    "mprotect": ((2, _ALL_CLEAR, _PROT_EXEC),),
    # Its own limit of processor time and no other; a negative clock is that of another process.
    "prlimit64": ((0, _EQUAL, 0), (1, _EQUAL, int(resource.RLIMIT_CPU))),
    "clock_gettime": ((0, _ALL_CLEAR, 0x80000000),),
    "clock_getres": ((0, _ALL_CLEAR, 0x80000000),),
}
_LOAD, _JUMP_EQUAL, _JUMP_SET, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_SET_MODE_FILTER, _TSYNC, _SPEC_ALLOW = 1, 1, 4


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def prctl(option: int, value: int) -> None:
    """prctl(2) with one argument. Raises OSError."""
    if _libc().prctl(option, *map(ctypes.c_ulong, (value, 0, 0, 0))):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def die_first() -> None:
    """When the machine's memory runs out, the kernel ends this process before any other."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def leave_network() -> bool:
    """Go into a network of one's own, with nothing in it. False where this is not allowed. Before any thread is started."""
    unshare = _libc().unshare
    if os.geteuid() == 0:
        return unshare(CLONE_NEWNET | CLONE_NEWIPC) == 0
    if unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC):
        return False
    # The new user namespace gave us every right over itself.
    header, nothing = struct.pack("=Ii", 0x20080522, 0), bytes(24)
    if _libc().capset(header, nothing):
        raise OSError(ctypes.get_errno(), "capset")
    return True


def leave_user() -> None:
    """Root becomes nobody, with no rights at all; nobody may look into this process, and no program gives it rights again."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_DUMPABLE, 0)


def limit(memory_bytes: int, files: int) -> None:
    """Limits for good. memory_bytes: of address space, beyond what is mapped now; files: highest descriptor plus 1."""
    with open("/proc/self/statm") as statm:
        mapped = int(statm.read().split()[0]) * resource.getpagesize()
    for which, value in (
        (resource.RLIMIT_AS, mapped + memory_bytes),
        (resource.RLIMIT_NOFILE, files),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))
    os.umask(0o777)


def program(machine: str, allowed: frozenset[str]) -> bytes:
    """The filter as the kernel reads it: 8 bytes per instruction. Raises KeyError for an unknown machine or call."""
    name, column, _ = MACHINES[machine]
    out = [(_LOAD, 0, 0, 4), (_JUMP_EQUAL, 1, 0, name), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    for call, numbers in NUMBERS.items():
        if call not in allowed or numbers[column] is None:
            continue
        tests = []
        for argument, test, value in CONDITIONS.get(call, ()):
            # The lower half of the argument: both machines write it first.
            tests.append((_LOAD, 0, 0, 16 + 8 * argument))
            jump = _JUMP_EQUAL if test == _EQUAL else _JUMP_SET
            tests.append((jump, *((0, 1) if test == _ALL_CLEAR else (1, 0)), value))
            tests.append((_RETURN, 0, 0, _KILL))
        out += [(_JUMP_EQUAL, 0, len(tests) + 1, numbers[column]), *tests, (_RETURN, 0, 0, _ALLOW)]
    out.append((_RETURN, 0, 0, _KILL))
    if unknown := allowed - NUMBERS.keys():
        raise KeyError(sorted(unknown)[0])
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in out)


def filter_calls(allowed: frozenset[str]) -> str:
    """From now on any other system call ends this process (SIGSYS), in all its threads. Returns why that cannot be had, or ''."""
    machine = os.uname().machine
    if machine not in MACHINES or sys.maxsize < 2**32:
        return f"system calls are not filtered on {machine}"
    code = program(machine, allowed)
    buffer = ctypes.create_string_buffer(code, len(code))
    fprog = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    call = _libc().syscall
    # An older kernel knows no flag to leave the processor's guesses alone, which cost a tenth of all time without it.
    for flags in (_TSYNC | _SPEC_ALLOW, _TSYNC):
        if call(*map(ctypes.c_long, (MACHINES[machine][2], _SET_MODE_FILTER, flags)), fprog) == 0:
            return ""
    return f"the kernel filters no system calls ({os.strerror(ctypes.get_errno())})"
