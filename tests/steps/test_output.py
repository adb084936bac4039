"""Output is passed on at once, and ends somewhere."""

from stages.steps.output import StepOutput


def collect(**limits):
    lines = []
    return lines, StepOutput(lambda text, stream: lines.append((text, stream)), **limits)


def test_streams_do_not_mix_and_unfinished_lines_come_at_the_end():
    lines, output = collect()
    output.feed("stdout", b"one ")
    output.feed("stderr", b"bad\nwor")
    output.feed("stdout", b"line\n")
    assert lines == [("bad", "stderr"), ("one line", "stdout")]
    output.close()
    assert lines[2:] == [("wor", "stderr")]


def test_after_the_limit_output_is_dropped_and_said_so():
    lines, output = collect(max_bytes=10)
    output.feed("stdout", b"12345\n1234567890\n")
    output.feed("stdout", b"more\n")
    output.close()
    assert [text for text, _ in lines[:2]] == ["12345", "1234"]
    assert "what follows is not kept" in lines[2][0]
    assert lines[3][0] == "12 bytes of further output were not kept."
    assert len(lines) == 4


def test_empty_lines_count_too():
    lines, output = collect(max_lines=3)
    output.feed("stdout", b"\n" * 1000)
    output.close()
    assert len(lines) == 3 + 2
    assert lines[-1][0] == "997 bytes of further output were not kept."


def test_exactly_the_limit_is_kept_without_a_word():
    lines, output = collect(max_bytes=4, max_lines=2)
    output.feed("stdout", b"a\nb\n")
    output.close()
    assert [text for text, _ in lines] == ["a", "b"]
