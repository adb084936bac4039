"""What strangers print becomes harmless text."""

import time

import pytest

from stages.steps.text import LineSplitter, clean_line


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("plain", "plain"),
        ("", ""),
        ("a\tb", "a\tb"),
        ("日本語 ✓ é 👩‍🚀", "日本語 ✓ é 👩‍🚀"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[1;38;5;208mbold\x1b[m", "bold"),
        ("\x9b31mred\x9b0m", "red"),
        ("\x1b[2J\x1b[H\x1b[?25lgone", "gone"),
        ("\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("\x1b]8;;https://evil.example\x07click\x1b]8;;\x07", "click"),
        ("\x1b]0;title\x07text", "text"),
        ("\x9d0;title\x9ctext", "text"),
        ("\x1bPdevice\x1b\\text", "text"),
        ("\x1b_app\x1b\\a\x1b^pm\x1b\\b\x1bXsos\x1b\\c", "abc"),
        ("\x1b(B\x1b)0text\x1b=\x1b>", "text"),
        ("\x1bcreset", "reset"),
        ("\x1b]8;;never closed", "8;;never closed"),
        ("\x1b[31", "31"),
        ("half\x1b", "half"),
        ("\x1b\x1b[31m[31mnested", "[31mnested"),
        ("a\x00b", "ab"),
        ("a\x08b\x07c\x7fd", "abcd"),
        ("a\x85b\x9fc", "a bc"),
        ("a\r\nb\x0bc\x0cd", "a b c d"),
        ("a\u2028b\u2029c", "a b c"),
        ("user\u202enimda\u202c", "usernimda"),
        ("a\u2066b\u2069\u200e", "ab"),
        ("\ud800x", "\ufffdx"),
        (b"\xff\xfebinary", "\ufffd\ufffdbinary"),
        (b"cut \xe6\x97", "cut \ufffd"),
        ("日本".encode(), "日本"),
        (b"\x00\x01\x02", ""),
        ("<b>&amp;</b>", "<b>&amp;</b>"),
    ],
)
def test_a_line_is_cleaned(raw, clean):
    assert clean_line(raw) == clean


def test_no_byte_makes_a_control_character_survive():
    for first in range(256):
        for second in range(256):
            line = clean_line(bytes([27, first, second, first]) + bytes([second]).decode("latin-1").encode())
            assert all(char == "\t" or ord(char) >= 32 and not 127 <= ord(char) < 160 for char in line)
            line.encode()


@pytest.mark.parametrize("unit", ["\x1b[", "\x1b]", "\x9d", "\x1bP", "\x9b1", "\x1b ", "\x1b[1;", "\x90\x9e"])
def test_hostile_lines_take_no_longer_than_others(unit):
    began = time.perf_counter()
    clean_line(unit * 200_000)
    clean_line(unit + "1" * 400_000)
    assert time.perf_counter() - began < 1.5  # quadratic work would take minutes


def lines_of(*chunks, limit=16):
    splitter = LineSplitter(limit)
    found = [line for chunk in chunks for line in splitter.feed(chunk)]
    return found + list(splitter.close())


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"a\nb\n"], [b"a", b"b"]),
        ([b"a\nb"], [b"a", b"b"]),
        ([b"a\r\nb\r\n"], [b"a", b"b"]),
        ([b"a\r", b"\nb"], [b"a", b"b"]),
        ([b"a\r", b"b\n"], [b"a", b"b"]),
        ([b"10%\r20%\r", b"", b"\n"], [b"10%", b"20%"]),
        ([b"\n\n"], [b"", b""]),
        ([b"\r\r\n"], [b"", b""]),
        ([b"a", b"b", b"c\n"], [b"abc"]),
        ([b""], []),
        ([b"x" * 16 + b"\n"], [b"x" * 16]),
        ([b"x" * 40], [b"x" * 16, b"x" * 16, b"x" * 8]),
        ([b"x" * 40 + b"\n"], [b"x" * 16, b"x" * 16, b"x" * 8]),
        (["日本語日本語".encode()], ["日本語日本".encode(), "語".encode()]),
        ([b"x" * 14 + b"\x1b[31mred\n"], [b"x" * 14, b"\x1b[31mred"]),
        ([b"\xff" * 20 + b"\n"], [b"\xff" * 16, b"\xff" * 4]),
        ([b"\x80" * 20 + b"\n"], [b"\x80" * 16, b"\x80" * 4]),
    ],
)
def test_a_stream_is_cut_into_lines(chunks, lines):
    assert lines_of(*chunks) == lines


def test_lines_do_not_depend_on_how_the_bytes_arrive():
    text = b"one\r\ntwo\rthree\n\n" + "日本語 long long long long".encode() + b"\x1b[31m red\x1b[0m\nrest"
    whole = lines_of(text)
    for size in range(1, 9):
        assert lines_of(*(text[at : at + size] for at in range(0, len(text), size))) == whole
    assert b"".join(whole) == text.replace(b"\r", b"").replace(b"\n", b"")
