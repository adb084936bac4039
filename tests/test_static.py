"""Static files have the names and contents that Django and whitenoise give them."""
from __future__ import annotations

import gzip
import json

import pytest
from django.core.management import call_command
from whitenoise.storage import CompressedManifestStaticFilesStorage

from gs2admin.processes import static
from gs2admin.processes.static_storage import SMALL, StaticStorage


@pytest.fixture
def collected(settings, tmp_path):
    """collected(storage) collects this program's files with it: (folder, manifest)."""
    def collect(storage: type):
        settings.STATIC_ROOT = tmp_path / storage.__name__
        settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": f"{storage.__module__}.{storage.__qualname__}"}}
        assert static.collect() and not static.collect()
        return settings.STATIC_ROOT, json.loads((settings.STATIC_ROOT / storage.manifest_name).read_text())

    return collect


def test_what_an_older_release_compressed_is_gone(settings, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.css").write_text("a { color: red }" * 200)
    settings.STATICFILES_DIRS, settings.STATIC_ROOT = [source], tmp_path / "root"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": "gs2admin.processes.static_storage.StaticStorage"}}
    settings.STATIC_ROOT.mkdir()
    (settings.STATIC_ROOT / "a.css.gz").write_bytes(b"older")
    call_command("collectstatic", interactive=False, verbosity=0)
    assert not (settings.STATIC_ROOT / "a.css.gz").exists() and list(settings.STATIC_ROOT.glob("a.*.css.gz"))


def test_names_and_contents_are_those_of_the_usual_storage(collected):
    ours, manifest = collected(StaticStorage)
    assert not [name for name in manifest["paths"] if (ours / f"{name}.gz").exists()]
    theirs, expected = collected(CompressedManifestStaticFilesStorage)
    assert manifest == expected and len(manifest["paths"]) > 200
    for name in manifest["paths"].values():
        assert (ours / name).read_bytes() == (theirs / name).read_bytes(), name
        packed, smaller = ours / f"{name}.gz", theirs / f"{name}.gz"
        assert packed.exists() == (smaller.exists() and (ours / name).stat().st_size >= SMALL), name
        if packed.exists():
            assert gzip.decompress(packed.read_bytes()) == (ours / name).read_bytes()
            assert packed.stat().st_size < 1.1 * smaller.stat().st_size


@pytest.mark.parametrize("files, words", [
    ({"a.css": "@import 'b.css';", "b.css": "@import 'a.css';"}, "refers to itself"),
    ({"a.css": "a { background: url(nowhere.png) }"}, "could not be found"),
])
def test_a_reference_that_leads_nowhere_is_refused(settings, tmp_path, files, words):
    source = tmp_path / "source"
    source.mkdir()
    for name, text in files.items():
        (source / name).write_text(text)
    settings.STATICFILES_DIRS, settings.STATIC_ROOT = [source], tmp_path / "root"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": "gs2admin.processes.static_storage.StaticStorage"}}
    with pytest.raises(ValueError, match=words):
        call_command("collectstatic", interactive=False, verbosity=0)
