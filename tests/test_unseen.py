"""gs2admin.unseen and the marks in HTML: which characters, which not, and where."""
from __future__ import annotations

import html
import re
import sys
import unicodedata

import pytest

from gs2admin.dashboard.unseen_html import mark_html, marked
from gs2admin.unseen import name_of, replaced, shown, suspect

DRAWN = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}


def test_every_control_and_format_character_is_marked_and_no_letter_is():
    wrong = []
    for code in range(sys.maxunicode + 1):
        char, category = chr(code), unicodedata.category(chr(code))
        if category == "Cs":
            continue
        must = category in ("Cc", "Cf", "Zl", "Zp") and code not in DRAWN and char not in "\t\n"
        may = category in ("Mn", "Lo", "So", "Cn")
        found = shown(f"a{char}b") != f"a{char}b"
        if found != must and not (found and may):
            wrong.append(hex(code))
        assert found == suspect(f"a{char}b") or not found
    assert wrong == []
    letters = [chr(c) for c in range(0x3000) if unicodedata.category(chr(c)) in ("Lu", "Ll", "Lt", "Lm", "Nd", "Po", "Sm")]
    assert shown("".join(letters)) == "".join(letters)


@pytest.mark.parametrize("text", [
    "שלום עולם", "مرحبا بالعالم", "الإصدار ١٢٫٣", "می\u200cخواهم", "क्\u200dष", "क्\u200cष", "日本語　の名前", "葛\U000e0100飾区", "\u1820\u180b\u1820", "é́ ñ̃", "ไทย",
    "👩\u200d👩\u200d👧", "👨🏽\u200d⚕️", "☎\ufe0f", "1\ufe0f\u20e3", "❤\ufe0f\u200d🔥", "🏳\ufe0f\u200d🌈", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "a\tb\nc", "a\r\nb", "a\xa0b", "\u0600١٢", "→ … – · ␛", "",
])
def test_what_people_write_stays(text):
    assert shown(text) == text and mark_html(text.encode()) == text.encode()


@pytest.mark.parametrize("text, expected", [
    ("a\x1b[31mb", "a␛[31mb"), ("\x00\x07\x7f", "␀␇␡"), ("a\rb", "a␍b"), ("\x9b31m\x85", "[U+009B]31m[U+0085]"),
    ("x\u202ey\u2066z\u2069\u200e\u061c", "x[U+202E]y[U+2066]z[U+2069][U+200E][U+061C]"),
    ("st\u200bg\u200c\u200d\u2060\ufeff\xad", "st[U+200B]g[U+200C][U+200D][U+2060][U+FEFF][U+00AD]"),
    ("a\U000e0041\U000e0042", "a[U+E0041][U+E0042]"), ("\U0001f3f4\U000e0041", "\U0001f3f4[U+E0041]"),
    ("x\ufe0f\U000e0101", "x[U+FE0F][U+E0101]"), ("☎\ufe0f\ufe0f\ufe0e", "☎\ufe0f[U+FE0F][U+FE0E]"),
    ("\u3164\u115f\uffa0\u2800\u034f", "[U+3164][U+115F][U+FFA0][U+2800][U+034F]"), ("a\u2028b\u2029", "a[U+2028]b[U+2029]"),
    ("👩\u200dx", "👩[U+200D]x"), ("\ufff9\uffff", "[U+FFF9][U+FFFF]"), ("👩\u200c👧", "👩[U+200C]👧"),
    ("a\u180bב\u180d", "a[U+180B]ב[U+180D]"), ("\u1820\u180e\u1820", "\u1820[U+180E]\u1820"),
    ("\u3164\ufe00", "[U+3164][U+FE00]"), ("א\u200dב\u200cג", "א[U+200D]ב[U+200C]ג"), ("\u2800\u200d\u2800", "[U+2800][U+200D][U+2800]"),
])  # fmt: skip
def test_what_hides_is_marked(text, expected):
    assert shown(text) == expected and shown(expected) == expected


def test_a_mark_has_the_name_of_its_character():
    assert [name_of(char) for char in "\u202e\x1b\x9b\xad"] == [
        "U+202E RIGHT-TO-LEFT OVERRIDE", "U+001B ESCAPE", "U+009B CONTROL CHARACTER", "U+00AD SOFT HYPHEN",
    ]


BAD = "a\u202e<\x1b>b"
SPAN = '<span class="gs-unseen" data-char="202e" title="U+202E RIGHT-TO-LEFT OVERRIDE">[U+202E]</span>'


def page(text: str) -> str:
    return mark_html(text.encode()).decode()


@pytest.mark.parametrize("before, after", [
    ("<p>a\u202eb</p>", f"<p>a{SPAN}b</p>"),
    ("a\u202eb", f"a{SPAN}b"),
    ("<pre>a\u202eb</pre><code>\u202e</code>", f"<pre>a{SPAN}b</pre><code>{SPAN}</code>"),
    ("<title>a\u202e</title><b>\u202e</b>", f"<title>a[U+202E]</title><b>{SPAN}</b>"),
    ("<svg><g><title>\u202e</title><text>\u202e</text></g></svg>\u202e", f"<svg><g><title>[U+202E]</title><text>[U+202E]</text></g></svg>{SPAN}"),
    ("<option value='\u202e'>\u202e</option>", "<option value='\u202e'>[U+202E]</option>"),
    ("<a href=\"/x?\u202e\" title=\"\u202e>\" aria-label='\u202e'>x</a>", "<a href=\"/x?\u202e\" title=\"[U+202E]>\" aria-label='[U+202E]'>x</a>"),
    ("<i placeholder=\"\u202e\" alt=\"\u202e\" data-say=\"\u202e\" data-x=\"\u202e\">", "<i placeholder=\"[U+202E]\" alt=\"[U+202E]\" data-say=\"[U+202E]\" data-x=\"\u202e\">"),
    ("<script>\u202e</script><style>\u202e</style>", "<script>\u202e</script><style>\u202e</style>"),
    ("<input type=\"hidden\" value=\"\u202e\">", "<input type=\"hidden\" value=\"\u202e\">"),
    ("<!-- \u202e -->", "<!-- \u202e -->"),
    ("a < b \u202e", f"a < b {SPAN}"),
])  # fmt: skip
def test_where_marks_stand(before, after):
    assert page(before) == after
    assert page("<p>clean</p>") == "<p>clean</p>"


def test_a_field_keeps_its_value_and_says_what_it_holds():
    found = page('<input name="n" value="a\u202eb\x1b"><p>x</p>')
    assert found.startswith('<input name="n" value="a\u202eb\x1b"><small class="gs-unseen-note">')
    assert "U+202E RIGHT-TO-LEFT OVERRIDE, U+001B ESCAPE</small><p>x</p>" in found
    found = page("<textarea>\nok\nif x\u202e &lt;then\n</textarea><p>")
    assert found.startswith("<textarea>\nok\nif x\u202e &lt;then\n</textarea><small")
    assert f"<code>2: if x{SPAN} &lt;then</code></small><p>" in found
    assert page("<textarea><p title='\u202e'></textarea>").startswith("<textarea><p title='\u202e'></textarea><small")


def test_the_text_comes_back_from_its_marks():
    back = re.sub(r'<span class="gs-unseen" data-char="([0-9a-f]+)"[^>]*>.*?</span>', lambda found: chr(int(found[1], 16)), marked(BAD))
    assert html.unescape(back) == BAD
    assert replaced(BAD, lambda char: "") == "a<>b"


def test_many_marks_do_not_make_a_page_a_hundred_times_as_long():
    body = ("\u202e" * 300_000).encode()
    assert len(mark_html(body)) < 4 * len(body)
