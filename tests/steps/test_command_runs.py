"""A command runs, says something and ends by itself."""

import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from stages.steps import KINDS, StepBroken, StepFailed, launcher
from tests.conditions import until

from .helpers import open_fds, running

run = KINDS["command"].run


def test_stdout_and_stderr_arrive_as_lines(allow, command):
    allow("deploy", "echo one; echo two >&2; echo; printf 'no line end'")
    ctx = command("deploy")
    assert run(ctx).startswith("The command deploy ended well after ")
    assert ctx.texts("stdout") == ["one", "", "no line end"]
    assert ctx.texts("stderr") == ["two"]


def test_lines_arrive_while_it_runs(allow, command, tmp_path):
    os.mkfifo(tmp_path / "go")
    allow("deploy", f"echo first; read answer < {tmp_path}/go; echo second")
    ctx = command("deploy")

    def let_it_go(text):
        if text == "first":
            threading.Thread(target=lambda: (tmp_path / "go").write_text("on\n")).start()

    ctx.on_emit = let_it_go
    run(ctx)
    assert ctx.texts() == ["first", "second"]


def test_tick_is_called_while_nothing_is_printed(allow, command):
    allow("deploy", "sleep 1")
    ctx = command("deploy")
    run(ctx)
    assert len(ctx.ticks) >= 5


def test_it_knows_what_it_needs_and_nothing_else(allow, command, monkeypatch):
    for name in ("SECRET_KEY", "DATABASE_URL", "GS2ADMIN_COMMANDS", "LD_PRELOAD_X", "PYTHONPATH"):
        monkeypatch.setenv(name, "secret")
    allow("deploy", "cat /proc/self/environ | tr '\\0' '\\n'; pwd")
    ctx = command("deploy", old_version=None, attempt=3)
    run(ctx)
    *env, cwd = ctx.texts()
    found = dict(line.split("=", 1) for line in env)
    assert len(found.pop("GS2ADMIN_RUN_MARK")) == 32
    assert found.pop("PATH") and found.pop("HOME") and found.pop("LANG") == "C.UTF-8"
    found.pop("PWD", None)  # the shell's own
    assert found == {
        "GS2ADMIN_PROJECT": "default",
        "GS2ADMIN_STAGE": "stg",
        "GS2ADMIN_SERVICE": "lottery",
        "GS2ADMIN_OLD_VERSION": "",
        "GS2ADMIN_NEW_VERSION": "1.5.0",
        "GS2ADMIN_PHASE": "deploy",
        "GS2ADMIN_TARGET": "tokyo",
        "GS2ADMIN_ROLLOUT": "415",
        "GS2ADMIN_ATTEMPT": "3",
        "GS2ADMIN_STEP_KEY": "default/415/12",
        "GS2ADMIN_LEG": "base",
        "GS2ADMIN_UNDO": "",
        "GS2ADMIN_WEIGHT": "0",
        "GS2ADMIN_COLOUR": "",
    }
    assert cwd == "/"


def test_names_are_never_code(allow, command, tmp_path):
    allow("deploy", 'echo "$GS2ADMIN_STAGE|$#"')
    ctx = command("deploy", stage=f"$(touch {tmp_path}/pwned); `id`\0 '")
    run(ctx)
    assert ctx.texts() == [f"$(touch {tmp_path}/pwned); `id` '|0"]
    assert not (tmp_path / "pwned").exists()


def test_it_reads_nothing_from_the_worker(allow, command):
    allow("deploy", "read line || echo nothing to read")
    ctx = command("deploy")
    run(ctx)
    assert ctx.texts() == ["nothing to read"]


def test_no_file_descriptor_of_the_worker_reaches_it(allow_python, command):
    allow_python("deploy", "import os\nfor fd in os.listdir('/proc/self/fd'): print(fd)")
    ctx = command("deploy")
    with socket.socket() as database:
        database.set_inheritable(True)
        run(ctx)
    assert set(ctx.texts()) - {"3"} == {"0", "1", "2"}  # 3 is the listing itself


def test_the_worker_keeps_no_file_descriptor(allow, command):
    allow("deploy", "exit 0")
    allow("bad", "exit 1")
    run(command("deploy"))
    before = open_fds()
    for _ in range(5):
        run(command("deploy"))
        with pytest.raises(StepFailed):
            run(command("bad"))
    assert open_fds() == before


def test_signals_are_as_in_a_fresh_process(allow_python, command):
    old = signal.signal(signal.SIGINT, signal.SIG_IGN), signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        allow_python("deploy", "print(open('/proc/self/status').read())")
        ctx = command("deploy")
        run(ctx)
    finally:
        signal.signal(signal.SIGINT, old[0])
        signal.signal(signal.SIGTERM, old[1])
    status = dict(text.split(":", 1) for text in ctx.texts() if ":" in text)
    # Python ignores two by itself; 32 and 33 are the C library's own, and posix_spawn (make uses it) leaves them ignored:
    # no program may set them.
    others = sum(1 << (number - 1) for number in (signal.SIGPIPE, signal.SIGXFSZ, 32, 33))
    assert int(status["SigIgn"], 16) & ~others == 0
    assert int(status["SigBlk"], 16) == 0


def test_binary_and_escapes_arrive_as_text(allow_python, command):
    allow_python(
        "deploy",
        r"""
        import sys
        sys.stdout.buffer.write(b"\x1b[31mred\x1b[0m\n\x00\xff\xfe\n\x1b]8;;http://evil\x07link\x1b]8;;\x07\n")
        sys.stdout.buffer.write(bytes(range(256)) * 100)
        """,
    )
    ctx = command("deploy")
    run(ctx)
    assert ctx.texts()[:3] == ["red", "\ufffd\ufffd", "link"]
    assert not any(ord(char) < 32 and char != "\t" for text in ctx.texts() for char in text)


def test_a_very_long_line_is_split_not_cut(allow_python, command):
    allow_python("deploy", "print('日' * 20_000)")
    ctx = command("deploy")
    run(ctx)
    assert "".join(ctx.texts()) == "日" * 20_000
    assert len(ctx.texts()) == 4 and all(len(text.encode()) <= 16 * 1024 for text in ctx.texts())


def test_a_flood_is_cut_off_and_said_so_and_the_command_still_ends(allow, command):
    allow("deploy", "head -c 60000000 /dev/zero | tr '\\0' 'x' | fold -w 1000; echo >&2; echo done >&2; exit 3")
    ctx = command("deploy")
    with pytest.raises(StepFailed, match="exit code 3"):
        run(ctx)
    assert sum(len(text) for text in ctx.texts("stdout")) <= 20_000_000
    assert any("what follows is not kept" in text for text in ctx.texts("note"))
    assert ctx.texts("note")[-1].endswith("bytes of further output were not kept.")


def test_a_command_can_not_run_ahead_of_whoever_stores_its_output(allow_python, command):
    allow_python(
        "deploy",
        """
        import os
        print("pid", os.getpid(), flush=True)
        for number in range(5000):
            print(f"{number:06}", "x" * 1000, flush=True)
        """,
    )
    ctx = command("deploy")
    written = []

    def look_once(text):
        if text.startswith("000050"):
            pid = ctx.word_after("pid")
            # It sleeps in write(2) soon, and stays there: nobody reads.
            until(lambda: launcher.processes()[int(pid)][2] == "S", 10)
            written.append(int(Path(f"/proc/{pid}/io").read_text().split("wchar: ")[1].split()[0]))

    ctx.on_emit = look_once
    run(ctx)
    assert len(ctx.texts()) == 5001
    assert written[0] < 300_000  # what is read at a time, and what a pipe holds


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("exit 3", "The command deploy ended with exit code 3."),
        ("exit 255", "The command deploy ended with exit code 255."),
        ("kill -SEGV $$", "The command deploy was ended by signal SIGSEGV (Segmentation fault)."),
        ("kill -TERM $$", "The command deploy was ended by signal SIGTERM (Terminated)."),
        ("kill -40 $$", "The command deploy was ended by signal 40."),
    ],
)
def test_a_failure_says_how_it_ended(allow, command, script, says):
    allow("deploy", f"echo about to fail; {script}")
    ctx = command("deploy")
    with pytest.raises(StepFailed) as caught:
        run(ctx)
    assert str(caught.value) == says
    assert ctx.texts() == ["about to fail"]


def test_what_is_not_allowed_any_more_is_not_run(allow, command, settings, tmp_path):
    path = allow("deploy", f"touch {tmp_path}/ran")
    ctx = command("deploy")
    path.chmod(0o644)
    with pytest.raises(StepBroken, match=r"not executable; run chmod \+x"):
        run(ctx)
    path.unlink()
    with pytest.raises(StepBroken, match="there is no file"):
        run(ctx)
    settings.STEP_COMMANDS = {}
    with pytest.raises(StepBroken, match="no longer in GS2ADMIN_COMMANDS"):
        run(ctx)
    assert not (tmp_path / "ran").exists()


def test_a_file_that_is_no_program_is_broken_not_failed(allow, command):
    path = allow("deploy", "")
    path.write_text("neither a script nor a binary")
    with pytest.raises(StepBroken, match="can not be run: Exec format error"):
        run(command("deploy"))


def test_what_it_leaves_behind_is_ended_and_said_so(allow, command):
    allow("deploy", "sleep 300 & echo sleeper $!; exit 0")
    ctx = command("deploy")
    assert "ended well" in run(ctx)
    pid = ctx.word_after("sleeper")
    assert not running(pid)
    assert ctx.texts("note") == [f"deploy left processes behind, which were ended: sleep ({pid})."]


def test_the_last_words_of_a_helper_are_not_lost(allow, command):
    allow("deploy", "exec > >(sleep 0.2; tr a-z A-Z); echo to the log", interpreter="/bin/bash")
    ctx = command("deploy")
    run(ctx)
    assert ctx.lines == [("TO THE LOG", "stdout")]
