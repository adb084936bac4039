"""The storage kind: the version's file is put, what was there is kept, an undo puts it back."""
from __future__ import annotations

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage

from gs2admin.errors import Invalid
from stages.steps import KINDS, places
from stages.steps.base import StepBroken, StepCanceled, StepFailed
from tests.steps.helpers import Context

KIND = KINDS["storage"]
CONFIG = {"source_store": "builds", "source": "{service}/{version}.zip", "store": "live", "path": "{stage}/{service}.zip"}


@pytest.fixture
def stores(settings, tmp_path):
    """builds has lottery 1.5.0; live is empty. Returns the two directories."""
    for name in ("builds", "live"):
        (tmp_path / name).mkdir()
    settings.STEP_STORAGES = {
        name: {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path / name)}}
        for name in ("builds", "live")
    }
    (tmp_path / "builds/lottery").mkdir()
    (tmp_path / "builds/lottery/1.5.0.zip").write_bytes(b"new " * 1000)
    return tmp_path


def run(**more) -> Context:
    ctx = Context(KIND.validate(CONFIG), **more)
    ctx.summary = KIND.run(ctx)
    return ctx


def undo(ctx: Context) -> str:
    return KIND.run(Context(ctx.config, memo={"done": ctx.memo}, undo=True, old_version="1.5.0", new_version="1.4.0"))


def test_the_file_is_put_and_was_not_there(stores):
    ctx = run()
    live = stores / "live/stg/lottery.zip"
    assert live.read_bytes() == b"new " * 1000 and "is lottery/1.5.0.zip now" in ctx.summary
    assert ctx.memo == {"path": "stg/lottery.zip", "backup": ""}
    assert any("4,000 bytes, SHA-256" in text for text in ctx.texts())
    assert "was not there before" in undo(ctx) and not live.exists()


def test_what_was_there_is_kept_and_put_back(stores):
    live = stores / "live/stg/lottery.zip"
    live.parent.mkdir()
    live.write_bytes(b"old")
    ctx = run()
    assert live.read_bytes().startswith(b"new")
    assert (stores / "live" / ctx.memo["backup"]).read_bytes() == b"old"
    assert "what it was before" in undo(ctx) and live.read_bytes() == b"old"


def test_another_attempt_keeps_the_old_file_and_not_the_half_of_the_new(stores):
    live = stores / "live/stg/lottery.zip"
    live.parent.mkdir()
    live.write_bytes(b"old")
    first = run()
    again = run(memo=first.memo, attempt=2)
    assert not again.remembered and (stores / "live" / first.memo["backup"]).read_bytes() == b"old"
    assert KIND.repeatable({}, {})


def test_a_service_that_goes_away_takes_its_file_with_it(stores):
    live = stores / "live/stg/lottery.zip"
    live.parent.mkdir()
    live.write_bytes(b"old")
    ctx = run(new_version="")
    assert not live.exists() and "is removed" in ctx.summary
    undo(ctx)
    assert live.read_bytes() == b"old"


def test_nothing_is_half_put(stores):
    live = stores / "live/stg/lottery.zip"
    live.parent.mkdir()
    live.write_bytes(b"old")
    calls = []

    def cancel():
        calls.append(1)
        if len(calls) > 3:
            raise StepCanceled

    (stores / "builds/lottery/1.5.0.zip").write_bytes(b"x" * (places.CHUNK * 4))
    with pytest.raises(StepCanceled):
        run(on_tick=cancel)
    assert live.read_bytes() == b"old"


def test_what_is_missing_or_leads_outside_fails_with_the_reason(stores):
    with pytest.raises(StepFailed, match=r"There is no file lottery/9.zip in the store builds"):
        run(new_version="9")
    (stores / "secret.zip").write_bytes(b"secret")
    with pytest.raises(StepFailed, match="is no path below the store's root"):
        run(new_version="../../secret")
    assert not (stores / "live/stg").exists() or not list((stores / "live/stg").iterdir())


def test_a_store_that_is_no_longer_allowed_breaks(stores, settings):
    ctx = Context(KIND.validate(CONFIG))
    settings.STEP_STORAGES = {"builds": settings.STEP_STORAGES["builds"]}
    with pytest.raises(StepBroken, match="no longer in GS2ADMIN_STORAGES"):
        KIND.run(ctx)


def test_stores_without_a_file_system_replace_the_object(stores, monkeypatch):
    memory = InMemoryStorage()
    memory.save("stg/lottery.zip", ContentFile(b"old"))
    real = places.place
    monkeypatch.setattr("stages.steps.storage.place", lambda name: memory if name == "live" else real(name))
    ctx = run()
    assert memory.open("stg/lottery.zip").read().startswith(b"new")
    assert memory.open(ctx.memo["backup"]).read() == b"old"
    undo(ctx)
    assert memory.open("stg/lottery.zip").read() == b"old"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"store": "s3"}, "There is no store called 's3'"),
        ({"path": "../{service}"}, "no path below the store's root"),
        ({"path": "/etc/{service}"}, "no path below the store's root"),
        ({"path": "{service.__class__}"}, "In braces a path knows"),
        ({"path": "{secret}"}, "In braces a path knows"),
        ({"path": ""}, "path is missing"),
        ({"mode": "777"}, "does not know the setting mode"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_sentence(stores, change, sentence):
    with pytest.raises(Invalid) as refusal:
        KIND.validate(CONFIG | change)
    assert sentence in refusal.value.sentence


def test_without_stores_it_says_who_sets_them(settings):
    settings.STEP_STORAGES = {}
    with pytest.raises(Invalid, match="GS2ADMIN_STORAGES is empty"):
        KIND.validate(CONFIG)
