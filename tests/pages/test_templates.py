"""Every template compiles and can be read, and every vendored thing says what it is."""
from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import get_template

from gs2admin.dashboard.loaders import without_indentation

ROOT = settings.BASE_DIR / "templates"
API = settings.BASE_DIR / "gs2admin" / "api" / "templates"
LONGEST = 140


@pytest.mark.parametrize("name", sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.html")))
def test_every_template_compiles(name):
    get_template(name)


def test_no_line_of_a_template_is_too_long_to_read():
    """The formatter leaves tags, attributes and what stands in <pre> as long as they are."""
    texts = {path: path.read_text(encoding="utf-8").splitlines() for root in (ROOT, API) for path in root.rglob("*.html")}
    long = [f"{path}:{n}" for path, lines in texts.items() for n, line in enumerate(lines, 1) if len(line) > LONGEST]
    assert texts and not long, "\n".join(long)


def test_indentation_is_for_people_and_stays_in_the_files():
    text = "<div>\n  <p\n    id='a'\n  >one\n\ttwo</p>\n  <pre>a\n  b</pre> c\n  <textarea>\n  d</textarea>\n</div>\n"
    assert without_indentation(text) == (
        "<div>\n<p\nid='a'\n>one\ntwo</p>\n<pre>a\n  b</pre> c\n<textarea>\n  d</textarea>\n</div>\n"
    )
    assert "\n  " not in get_template("stages/board.html").template.source


def test_everything_vendored_has_its_licence_and_version():
    folders = [path for path in (settings.BASE_DIR / "static" / "vendor").iterdir() if path.is_dir()]
    assert folders
    for folder in folders:
        assert list(folder.glob("LICENSE*")), folder.name
        assert folder.name.rpartition("-")[2][0].isdigit(), f"{folder.name} does not tell its version"


def test_nothing_is_loaded_from_elsewhere():
    for path in [*ROOT.rglob("*.html"), *Path(settings.BASE_DIR / "static" / "js").glob("*.js")]:
        text = path.read_text(encoding="utf-8")
        assert "https://" not in text and "http://" not in text.replace("http://www.w3.org/", ""), path.name
