"""The storage kind against S3: real requests, real signatures, and what people read when S3 says no."""
from __future__ import annotations

import hashlib
import os
import random
import socket
import threading
import time

import pytest

from gs2admin.env import Env
from gs2admin.identity.actors import SYSTEM
from stages.models import Rollout
from stages.rollouts.services import promote_stage
from stages.setup.stages import create_stage, set_targets
from stages.setup.versions import register_version
from stages.steps import KINDS, s3
from stages.steps.awake import Gate
from stages.steps.base import LeaseLost, StepCanceled, StepFailed
from stages.steps.storage import _Watched
from stages.worker import executor
from tests.conditions import until
from tests.steps.helpers import Context
from tests.steps.s3 import REGION, Bucketeer

KIND = KINDS["storage"]
MIB = 1024 * 1024
CONFIG = {"source_store": "builds", "source": "{service}/{version}.zip", "store": "live", "path": "{stage}/{service}.zip"}
BUILDS, LIVE = "game-builds", "game-live"


@pytest.fixture(scope="module")
def bucketeer():
    running = Bucketeer(BUILDS, LIVE)
    yield running
    running.stop()


@pytest.fixture
def use(settings, monkeypatch, bucketeer):
    """use(stores, **variables): the server's environment, read as settings.py does. Nothing but loopback is asked for keys."""

    def act(stores: str, **variables: str) -> None:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        known = {
            "AWS_ENDPOINT_URL_S3": bucketeer.url, "AWS_ACCESS_KEY_ID": bucketeer.key,
            "AWS_SECRET_ACCESS_KEY": bucketeer.secret, "AWS_DEFAULT_REGION": REGION,
        }  # fmt: skip
        nowhere = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
        for name, value in (known | nowhere | variables).items():
            if value:
                monkeypatch.setenv(name, value)
        settings.STEP_STORAGES = _stores(stores)

    yield act
    bucketeer.empty(BUILDS, LIVE)


def _stores(text: str) -> dict:
    env = Env({"S": text})
    found = env.stores("S")
    env.check()
    return found


@pytest.fixture
def stores(use):
    """builds and live, each in a bucket and below a prefix of its own."""
    use(f"builds=s3://{BUILDS}/ci/out,live=s3://{LIVE}/cdn")


def run(**more) -> Context:
    ctx = Context(KIND.validate(CONFIG), **more)
    ctx.summary = KIND.run(ctx)
    return ctx


def undo(ctx: Context) -> str:
    return KIND.run(Context(ctx.config, memo={"done": ctx.memo}, undo=True, old_version="1.5.0", new_version="1.4.0"))


def failing(**more) -> str:
    with pytest.raises(StepFailed) as failure:
        run(**more)
    return str(failure.value)


# Whole in one request; more pieces than one; more parts than one, the last of them small.
SIZES = [0, 10, MIB + 1, 20 * MIB + 7]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ways", ["s3 to s3", "s3 to disk", "disk to s3"])
def test_every_byte_arrives_and_what_is_said_of_it_is_true(use, bucketeer, tmp_path, size, ways):
    body = random.Random(size).randbytes(size)
    disk_in, disk_out = tmp_path / "in", tmp_path / "out"
    origin, goal = ways.split(" to ")
    use(f"builds={f's3://{BUILDS}/ci' if origin == 's3' else disk_in},live={f's3://{LIVE}' if goal == 's3' else disk_out}")
    (disk_in / "lottery").mkdir(parents=True)
    (disk_in / "lottery/1.5.0.zip").write_bytes(body)
    bucketeer.put(BUILDS, "ci/lottery/1.5.0.zip", body)
    threads = set()
    ctx = run(on_tick=lambda: threads.add(threading.current_thread()))
    put = bucketeer.get(LIVE, "stg/lottery.zip") if goal == "s3" else (disk_out / "stg/lottery.zip").read_bytes()
    assert put == body
    assert ctx.texts() == [
        f"lottery/1.5.0.zip -> stg/lottery.zip, {size:,} bytes, SHA-256 {hashlib.sha256(body).hexdigest()}."]
    assert threads <= {threading.current_thread()}, "the step's own thread alone may speak to the rollout"
    assert bucketeer.unfinished(LIVE) == []


def test_what_was_there_is_kept_and_put_back(stores, bucketeer):
    bucketeer.put(BUILDS, "ci/out/lottery/1.5.0.zip", b"new")
    bucketeer.put(LIVE, "cdn/stg/lottery.zip", b"old" * 4 * MIB)
    first = run()
    assert bucketeer.get(LIVE, "cdn/stg/lottery.zip") == b"new"
    assert first.memo["backup"] and bucketeer.get(LIVE, f"cdn/{first.memo['backup']}") == b"old" * 4 * MIB
    again = run(memo=first.memo, attempt=2)
    assert not again.remembered and bucketeer.get(LIVE, f"cdn/{first.memo['backup']}") == b"old" * 4 * MIB
    assert "what it was before" in undo(first) and bucketeer.get(LIVE, "cdn/stg/lottery.zip") == b"old" * 4 * MIB


def test_what_was_not_there_is_taken_away_again(stores, bucketeer):
    bucketeer.put(BUILDS, "ci/out/lottery/1.5.0.zip", b"new")
    ctx = run()
    assert ctx.memo["backup"] == "" and bucketeer.keys(LIVE) == ["cdn/stg/lottery.zip"]
    assert "was not there before" in undo(ctx) and bucketeer.keys(LIVE) == []
    assert "was not there before" in undo(ctx), "twice is as good as once"


def test_a_service_that_goes_away_takes_its_file_with_it_and_gets_it_back(stores, bucketeer):
    bucketeer.put(LIVE, "cdn/stg/lottery.zip", b"old")
    ctx = run(new_version="")
    assert bucketeer.get(LIVE, "cdn/stg/lottery.zip") is None
    undo(ctx)
    assert bucketeer.get(LIVE, "cdn/stg/lottery.zip") == b"old"


def test_a_backup_that_somebody_removed_is_said_and_leaves_the_file(stores, bucketeer):
    bucketeer.put(BUILDS, "ci/out/lottery/1.5.0.zip", b"new")
    bucketeer.put(LIVE, "cdn/stg/lottery.zip", b"old")
    ctx = run()
    bucketeer.client.delete_object(Bucket=LIVE, Key=f"cdn/{ctx.memo['backup']}")
    with pytest.raises(StepFailed, match=r"is no longer kept: there is no \.backup/default-415-12/stg/lottery\.zip"):
        undo(ctx)
    assert bucketeer.get(LIVE, "cdn/stg/lottery.zip") == b"new"


@pytest.mark.parametrize(("name", "kind"), [("a.zip", "application/zip"), ("a.tar.gz", "application/gzip"), ("a.json", "application/json"),
                                            ("a.html", "text/html"), ("a", "application/octet-stream")])  # fmt: skip
def test_clients_are_told_what_it_is_and_not_to_unpack_it(use, bucketeer, name, kind):
    use(f"builds=s3://{BUILDS},live=s3://{LIVE}")
    bucketeer.put(BUILDS, name, b"bytes")
    KIND.run(Context(KIND.validate(CONFIG | {"source": name, "path": name})))
    head = bucketeer.head(LIVE, name)
    assert head["ContentType"] == kind and "ContentEncoding" not in head


class Held(Gate):
    """Lets some parts through, then nothing until it is shut."""

    given = 0

    def read(self, size: int = -1) -> bytes:
        if Held.given > 20 * MIB:
            self._shut.wait(20)
        piece = super().read(size)
        Held.given += len(piece)
        return piece


@pytest.mark.parametrize("stop", [StepCanceled, LeaseLost])
@pytest.mark.parametrize("during", ["the fetch", "the count", "the upload"])
def test_told_to_stop_it_stops_and_leaves_the_old_file_whole(stores, bucketeer, monkeypatch, stop, during):
    bucketeer.put(BUILDS, "ci/out/lottery/1.5.0.zip", b"n" * 40 * MIB)
    bucketeer.put(LIVE, "cdn/stg/lottery.zip", b"old")
    monkeypatch.setattr("stages.steps.awake.TURN_S", 0.005)
    monkeypatch.setattr("stages.steps.storage.Gate", Held)
    monkeypatch.setattr(Held, "given", 0)
    counted, read = [], _Watched.read
    monkeypatch.setattr(_Watched, "read", lambda self, size: counted.append(1) or read(self, size))
    ctx, ticks = Context(KIND.validate(CONFIG)), []

    def tell() -> None:
        ticks.append(1)
        begun = {
            "the fetch": lambda: ctx.memo and len(ticks) > 3,
            "the count": lambda: len(counted) > 5,
            "the upload": lambda: Held.given > 20 * MIB,
        }
        if begun[during]():
            raise stop

    ctx.on_tick = tell
    began = time.monotonic()
    with pytest.raises(stop):
        KIND.run(ctx)
    assert time.monotonic() - began < 12
    until(lambda: not [one for one in threading.enumerate() if one.name == "step-store"], 10, "the end of the threads")
    assert bucketeer.get(LIVE, "cdn/stg/lottery.zip") == b"old" and bucketeer.unfinished(LIVE) == []


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def silent_port():
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


def test_a_wrong_bucket_is_said_of_the_source_and_of_the_goal(use, bucketeer):
    bucketeer.put(BUILDS, "lottery/1.5.0.zip", b"new")
    use(f"builds=s3://{BUILDS},live=s3://nobody-made-this")
    wrong = "has no bucket nobody-made-this: make it, or correct GS2ADMIN_STORAGES."
    assert failing() == f"The store live {wrong}"
    use(f"builds=s3://nobody-made-this,live=s3://{LIVE}")
    assert failing() == f"The store builds {wrong}"
    assert bucketeer.keys(LIVE) == []


def test_a_file_that_is_missing_is_not_taken_for_a_missing_bucket(stores):
    assert failing() == "There is no file lottery/1.5.0.zip in the store builds."


@pytest.mark.parametrize(("variables", "said"), [
    ({"AWS_ACCESS_KEY_ID": "AKIAUNKNOWNUNKNOWN00"}, "does not take this server's keys (InvalidAccessKeyId)"),
    ({"AWS_SECRET_ACCESS_KEY": "another-secret-altogether"}, "does not take this server's keys (SignatureDoesNotMatch)"),
    ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "the AWS libraries find no keys in this server's environment"),
    ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "nobody"}, "find no keys"),
    ({"AWS_ENDPOINT_URL_S3": "http://user:endpoint-secret@"}, "cannot be used as it is set up"),
    ({"AWS_ENDPOINT_URL_S3": "http://user:endpoint-secret@127.0.0.1:{closed}"}, "does not answer at 127.0.0.1:{closed}"),
    ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:{closed}"}, "does not answer at 127.0.0.1:{closed}: EndpointConnectionError"),
    ({"AWS_ENDPOINT_URL_S3": "https://127.0.0.1:{silent}"}, "does not answer at 127.0.0.1:{silent}"),
    ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:{silent}"}, "does not answer at 127.0.0.1:{silent}: ReadTimeoutError"),
])  # fmt: skip
def test_what_is_wrong_is_said_without_a_secret(use, bucketeer, monkeypatch, closed_port, silent_port, variables, said, capfd):
    monkeypatch.setattr(s3, "_PATIENCE", {"connect_timeout": 1, "read_timeout": 0.3, "retries": {"total_max_attempts": 2}})
    ports = {"closed": closed_port, "silent": silent_port}
    use(f"builds=s3://{BUILDS},live=s3://{LIVE}", **{name: value.format(**ports) for name, value in variables.items()})
    sentence = failing()
    assert sentence.startswith("The store live ") and said.format(**ports) in sentence and sentence.endswith(".")
    printed = sentence + "".join(capfd.readouterr())
    for secret in (bucketeer.secret, "another-secret-altogether", "endpoint-secret", "Signature="):
        assert secret not in printed


def test_a_key_with_too_few_rights_is_told_which_it_needs(use, bucketeer):
    bucketeer.put(BUILDS, "lottery/1.5.0.zip", b"new")
    key, secret = bucketeer.reader
    use(f"builds=s3://{BUILDS},live=s3://{LIVE}", AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret)
    sentence = failing()
    assert "does not let this server's keys do PutObject in game-live (AccessDenied)" in sentence and secret not in sentence
    assert bucketeer.keys(LIVE) == []


@pytest.mark.django_db
def test_a_rollout_puts_it_and_one_that_cannot_says_why_in_its_step(use, bucketeer, project, monkeypatch):
    from gs2admin import engine

    monkeypatch.setattr(engine, "wake", lambda *_: None)
    use(f"builds=s3://{BUILDS},live=s3://{LIVE}")
    bucketeer.put(BUILDS, "lottery/1.0.0.zip", b"one")
    dev = create_stage(actor=SYSTEM, project=project, name="dev", sort_number=0)
    deploy = {"deploy": CONFIG}
    set_targets(actor=SYSTEM, stage=dev, targets=[{"name": "cdn", "kind": "storage", "config": deploy}])

    def promoted(version: str) -> Rollout:
        register_version(actor=SYSTEM, project=project, microservice="lottery", version=version)
        rollout = promote_stage(actor=SYSTEM, stage=dev)
        executor.run(rollout.pk)
        return Rollout.objects.get(pk=rollout.pk)

    assert promoted("1.0.0").state == "succeeded" and bucketeer.get(LIVE, "dev/lottery.zip") == b"one"
    use(f"builds=s3://{BUILDS},live=s3://{LIVE}", AWS_SECRET_ACCESS_KEY="another-secret-altogether")
    failed = promoted("2.0.0")
    assert failed.state == "failed"
    said = list(failed.steps.values_list("summary", flat=True)) + list(failed.outputs.values_list("text", flat=True))
    assert any("The store live does not take this server's keys (SignatureDoesNotMatch)" in text for text in said)
    assert "another-secret-altogether" not in str(said) + failed.error
    assert bucketeer.get(LIVE, "dev/lottery.zip") == b"one"
