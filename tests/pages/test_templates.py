"""Every template compiles, and every vendored thing says what it is."""
from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import get_template

ROOT = settings.BASE_DIR / "templates"


@pytest.mark.parametrize("name", sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.html")))
def test_every_template_compiles(name):
    get_template(name)


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
