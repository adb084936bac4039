"""The script runner: a process of its own that runs Lua for one worker, one script at a time.

Started as `python -I -S -B child.py <socket> <where lupa is> <memory bytes> <1: die with the starting thread>` with an
empty environment, so that nothing of the project, of its settings or of its memory is in here. It gets sources and
arguments, and answers with results; a call of gs2() goes back through the same socket.
"""
from __future__ import annotations

import os
import resource
import signal
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CHANNEL = 3
# Beyond 128 KiB each read would map memory anew.
PIECE = 64 * 1024
# host's operations; sandbox.lua has the same numbers
LATE, KNOWN, CALL_OUT, BODY, RELIMIT, UNLIMIT, LIBRARY = 1, 2, 3, 4, 5, 6, 7


def harden(channel: socket.socket, memory_bytes: int, dies_with_thread: bool, jail: object) -> str:
    """Give up every right that running a script does not need. Returns what could not be given up here, as a sentence, or ''.

    Raises OSError when a basic one cannot be given up.
    """
    import select
    import threading

    jail.die_first()
    jail.leave_network()
    jail.leave_user()
    # Behind the change of the user, which takes it back.
    if dies_with_thread:
        jail.prctl(jail.PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        """End as soon as nobody holds the other end, whatever the script is doing (Lua runs without Python's lock)."""
        poller = select.poll()
        poller.register(channel.fileno(), 0)
        poller.poll()
        os._exit(0)

    threading.stack_size(128 * 1024)
    threading.Thread(target=watch, daemon=True).start()
    # Room for the script's memory and for the frames that carry its arguments and its result.
    jail.limit(memory_bytes + 128 * 1024 * 1024, CHANNEL + 1)
    return jail.filter_calls(jail.RUNNER)


def _read(name: str) -> bytes:
    with open(os.path.join(HERE, name), "rb") as file:
        return file.read()


class Runner:
    """Reads frames, runs scripts, each in a Lua state that was made for it."""

    def __init__(self, channel: socket.socket, lua: object, frames: object) -> None:
        self.channel, self.frames = channel, frames
        self.make_state = lua.LuaRuntime
        self.sources: dict[int, list] = {}
        self.known: set[tuple[bytes, bytes]] = set()
        self.body = self.rest = b""
        self.cpu_granted = 0.0
        self.wall_end = self.cpu_end = 0.0
        # Run before its job is claimed: no call gets out, and the first one ends the script.
        self.ahead = False
        self.memory_bytes = 0
        # As bytecode: reading it is several times quicker than compiling it.
        self.setup = self._compile(
            b'collectgarbage("stop")\nlocal host = ...\nlocal function json()\n' + _read("json.lua")
            + b"\nend\nlocal function sandbox(...)\n" + _read("sandbox.lua") + b"\nend\nreturn sandbox(host, json())"
        )  # fmt: skip
        self.library = self._compile(_read("library.lua"))

    def _compile(self, source: bytes) -> bytes:
        lua = self._state()
        return lua.eval(b"string.dump")(lua.compile(source, name=b"=sandbox"), True)

    def _state(self) -> object:
        return self.make_state(encoding=None, register_eval=False, register_builtins=False, max_memory=0)

    def prepare(self) -> None:
        """A fresh state for the next script."""
        self.lua = self.run_lua = None
        self.lua = self._state()
        self.run_lua = self.lua.execute(self.setup, self.host, mode=b"b")

    # ── the only way out of Lua ─────────────────────────────────────────────────────────────────────────────
    def host(self, operation, *given):
        """Called by sandbox.lua alone. Gets and returns texts and numbers; never raises into Lua."""
        try:
            return self._host(operation, given)
        except MemoryError:
            # In the middle of a frame, perhaps: nothing more can be said but by the exit code.
            os._exit(self.frames.NO_MEMORY)

    def _host(self, operation, given):
        if operation == LATE:
            if time.thread_time() > self.cpu_end:
                return 2
            return 1 if time.monotonic() > self.wall_end else 0
        if operation == KNOWN:
            return given in self.known
        if operation == CALL_OUT:
            if self.ahead:
                self.body, self.wall_end = b"", 0.0
                return 0
            service, method, params = given
            # Lua must not run out of memory while Python hands it the answer: no limit until it has it.
            self.lua.set_max_memory(0)
            frames = self.frames
            self.channel.sendall(
                frames.frame(frames.CALL, frames.CALL_HEAD.pack(len(service), len(method)), service, method, params)
            )
            answer = self.receive()
            if answer[:1] != frames.ANSWER:
                os._exit(3)
            (status,) = frames.ANSWER_HEAD.unpack_from(answer, 1)
            self.body = answer[1 + frames.ANSWER_HEAD.size :]
            return status
        if operation == BODY:
            body, self.body = self.body, b""
            return body
        if operation == LIBRARY:
            return self.library
        self.lua.set_max_memory(self.memory_bytes if operation == RELIMIT else 0)
        return 0

    # ── frames ──────────────────────────────────────────────────────────────────────────────────────────────
    def receive(self) -> bytes:
        """The next frame without its length. Ends the process when the other end is closed."""
        recv = self.channel.recv
        data = self.rest or recv(PIECE)
        while len(data) < 4:
            more = recv(PIECE)
            if not more:
                os._exit(0)
            data += more
        size = int.from_bytes(data[:4], "little") + 4
        missing = size - len(data)
        if missing <= 0:
            self.rest = data[size:]
            return data[4:size]
        parts = [data[4:]]
        while missing:
            more = recv(min(missing, 1048576))
            if not more:
                os._exit(0)
            parts.append(more)
            missing -= len(more)
        self.rest = b""
        return b"".join(parts)

    def serve(self, lacking: str) -> None:
        """Frame after frame, for ever. lacking: what `harden` returned."""
        frames = self.frames
        self.prepare()
        self.channel.sendall(frames.frame(frames.READY, lacking.encode()))
        while True:
            data = self.receive()
            kind = data[:1]
            if kind == frames.RUN:
                self.channel.sendall(self.run(data, self.wall_s))
                self.prepare()
            elif kind == frames.AHEAD:
                self.channel.sendall(self.run_ahead(data))
            elif kind == frames.LIMITS:
                self.wall_s, self.cpu_s, self.memory_bytes, *self.caps = frames.LIMITS_HEAD.unpack_from(data, 1)
            elif kind == frames.METHODS:
                self.known = {tuple(line.split(b" ")) for line in data[1:].split(b"\n")}
            else:
                os._exit(3)

    def run_ahead(self, data: bytes) -> bytes:
        """Run scripts one after the other, each in a state of its own, without a way out. Returns the ENDED frame.

        The worker counts the end of those that succeeded, and runs the others anew: then their calls are carried out.
        """
        frames = self.frames
        each_s, all_s = frames.AHEAD_HEAD.unpack_from(data, 1)
        ends = time.monotonic() + all_s
        ended, size, good = [], 0, True
        self.ahead = True
        for item in frames.inner(data, 1 + frames.AHEAD_HEAD.size):
            head = frames.RUN_HEAD.unpack_from(item, 1)
            good = good or not head[1] & frames.FOLLOWS
            if not good or size > frames.PIECE or time.monotonic() > ends:
                self.source_of(item, head)
                ended.append(frames.frame(frames.DONE))
                good = False
                continue
            ended.append(self.run(item, each_s))
            size += len(ended[-1])
            (status,) = frames.STATUS.unpack_from(ended[-1], 5)
            good = status == 200
            self.prepare()
        self.ahead = False
        return frames.frame(frames.ENDED, *ended)

    def source_of(self, data: bytes, head: tuple) -> tuple[list, bytes, bytes | None]:
        """(the entry of a RUN frame's script, the arguments, the user's id); keeps the script's source if it is in there."""
        frames = self.frames
        slot, flags, _, _, user_size, args_size = head
        at = 1 + frames.RUN_HEAD.size
        user = None
        if user_size != frames.NO_USER:
            user = data[at : at + user_size]
            at += user_size
        if flags & frames.FORGET:
            self.sources.clear()
        if flags & frames.HAS_SOURCE:
            self.sources[slot] = [data[at + args_size :], None]
        return self.sources[slot], data[at : at + args_size], user

    def run(self, data: bytes, wall_s: float) -> bytes:
        """Run one script and return its DONE frame."""
        frames = self.frames
        wall, cpu = time.monotonic(), time.thread_time()
        self.wall_end, self.cpu_end = wall + wall_s, cpu + self.cpu_s
        if self.cpu_end + 1 > self.cpu_granted:
            # The kernel's own limit follows at a distance, for C code that never looks at the clock.
            self.cpu_granted = self.cpu_end + 60
            resource.setrlimit(resource.RLIMIT_CPU, (int(self.cpu_granted) + 1, resource.RLIM_INFINITY))
        head = frames.RUN_HEAD.unpack_from(data, 1)
        _, flags, seed, skip, _, args_size = head
        entry, args, user = self.source_of(data, head)
        source, bytecode = entry
        if not flags & frames.HAS_SEED:
            seed = int.from_bytes(os.urandom(4), "little")
        output, calls, result_chars = self.caps
        try:
            if bytecode is None and (len(source) + args_size) * 2 > self.memory_bytes or args_size * 2 > self.memory_bytes:
                raise MemoryError
            self.lua.set_max_memory(self.memory_bytes)
            status, retry, result, lines, text, moves, seed, draws, kept = self.run_lua(
                None if bytecode else source, bytecode, bytecode is None, args, bool(flags & frames.AS_TEXT),
                bool(flags & frames.FLOATS), user, seed, skip, output, calls, result_chars,
            )  # fmt: skip
            if kept:
                entry[1], entry[0] = kept, b""
        except Exception as problem:  # noqa: BLE001  whatever goes wrong with one script must not end the runner
            status, retry, lines, text, moves, draws = 500, 1, 0, b"", False, 0
            memory = isinstance(problem, MemoryError) or "not enough memory" in str(problem)
            word, sentence = ("memory", "the script used up its memory") if memory else ("error", "the script broke its runner")
            result = f'[{{"component":"script","message":"{sentence}","code":"script.execution.{word}"}}]'.encode()
        moves = moves or b""
        head = frames.DONE_HEAD.pack(
            status, retry, int((time.monotonic() - wall) * 1e6), int((time.thread_time() - cpu) * 1e6),
            max(0, self.lua.get_memory_used(total=True)), seed, min(draws, 0xFFFFFFFF), lines, len(text), len(moves),
        )  # fmt: skip
        return frames.frame(frames.DONE, head, text, moves, result)


def main() -> None:
    """Load what is needed, give up the rest, serve."""
    # Right behind stdin, stdout and stderr: with a limit of four no file and no socket can be opened any more.
    given = int(sys.argv[1])
    if given != CHANNEL:
        os.dup2(given, CHANNEL, inheritable=False)
        os.close(given)
    channel = socket.socket(fileno=CHANNEL)
    channel.setblocking(True)
    sys.path.append(HERE)
    sys.path.append(sys.argv[2])
    import gc

    import frames
    import jail
    from lupa import lua54

    runner = Runner(channel, lua54, frames)
    lacking = harden(channel, int(sys.argv[3]), sys.argv[4] == "1", jail)
    gc.collect()
    gc.disable()
    try:
        runner.serve(lacking)
    except MemoryError:
        os._exit(frames.NO_MEMORY)
    except (OSError, KeyboardInterrupt):
        os._exit(0)


if __name__ == "__main__":
    main()
