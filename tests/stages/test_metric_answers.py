"""What a metrics server answers is judged or named: each answer through the real request, against the verdict by hand."""
from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from stages.core.scenarios import CanaryPlan, Metric
from stages.worker import metrics
from tests.stages.metric_answers import ANSWERS, LOW, Raw, answer, body

BEGAN = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)


class Server:
    """Sends one Raw per query; it holds its silence until it is closed."""

    def __init__(self) -> None:
        self.answers: dict[str, Raw] = {}
        self._over = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                raw = outer.answers[parse_qs(urlsplit(self.path).query)["query"][0]]
                if raw.how == "silent":
                    outer._over.wait(10)
                    return
                self.send_response(raw.status)
                for pair in raw.headers:
                    self.send_header(*pair)
                if raw.status != 204:
                    self.send_header("Content-Length", str(len(raw.body) + 10 * (raw.how == "cut")))
                self.end_headers()
                self.wfile.write(raw.body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


@pytest.fixture(scope="module")
def server():
    found = Server()
    yield found
    found.close()


@pytest.fixture
def look(server, settings, monkeypatch):
    """look([(how a metric decides, its answers)]) looks at these metrics over a minute, each query asked once."""
    settings.STEP_HTTP_ALLOW = ["127.0.0.1"]
    monkeypatch.setattr(metrics, "TRIES", 1)

    def act(*asked, **plan):
        wanted = []
        for number, (how, given) in enumerate(asked):
            sides = given if isinstance(given, tuple) else (given,)
            queries = [f"{side}{number}" for side in ("canary", "base")[: len(sides)]]
            server.answers |= dict(zip(queries, sides, strict=True))
            wanted.append(Metric(f"m{number}", queries[0], base=queries[1] if len(sides) > 1 else "", **how))
        made = CanaryPlan(url=server.url, metrics=tuple(wanted), **plan)
        return metrics.measure(made, BEGAN, BEGAN + timedelta(seconds=60), lambda: None)

    return act


@pytest.mark.parametrize(("how", "given", "verdict"), [each[1:] for each in ANSWERS], ids=[each[0] for each in ANSWERS])
def test_each_answer_is_judged_or_named(look, monkeypatch, how, given, verdict):
    if isinstance(given, Raw) and given.how == "silent":
        monkeypatch.setattr(metrics, "REQUEST_S", 0.2)
    found = look((how, given))
    kind, _, why = verdict.partition(": ")
    row = found.metrics[0]
    assert {"missing": found.missing, "unreadable": found.unreadable}.get(kind, "") == found.missing + found.unreadable
    if kind in {"good", "bad"}:
        assert not found.missing + found.unreadable and (row["passed"], found.passed) == (kind == "good",) * 2
        assert found.score == (100 if kind == "good" else 0)
    else:
        assert why in (found.missing or found.unreadable) and why in row["problem"]
        assert "passed" not in row and (found.passed, found.score) == (False, 0.0), "nothing is decided"
    assert row["raw"]["canary"] or given.how == "silent" or not given.body
    assert all(len(text.encode()) <= 4200 and "\0" not in text for text in row["raw"].values())


def test_there_are_answers_of_every_kind_in_both_directions():
    kinds = {(how["better"], verdict.partition(":")[0]) for _, how, _, verdict in ANSWERS}
    assert len(ANSWERS) >= 100 and len({name for name, *_ in ANSWERS}) == len(ANSWERS)
    assert kinds >= {(better, kind) for better in ("lower", "higher") for kind in ("good", "bad", "missing")}


GOOD, BAD, NONE, WRONG = (answer(["0.01"]), answer(["9"]), answer(), body([]))


@pytest.mark.parametrize(("given", "score", "missing", "unreadable"), [
    ([GOOD, GOOD], 100, False, False),
    ([GOOD, BAD], 50, False, False),
    ([GOOD, NONE], 0, True, False),
    ([NONE, GOOD], 0, True, False),
    ([NONE, BAD], 0, True, False),
    ([NONE, WRONG], 0, False, True),
    ([WRONG, GOOD], 0, False, True),
])
def test_no_score_comes_of_a_part_of_the_metrics(look, given, score, missing, unreadable):
    found = look(*[(LOW, each) for each in given])
    assert (found.score, bool(found.missing) and not found.unreadable, bool(found.unreadable)) == (score, missing, unreadable)
    assert found.passed is (score == 100)


def test_a_score_is_not_rounded_up_to_what_passes(look):
    weights = [{"weight": 799}, {"weight": 200}]  # 79.98 of 100
    found = look((LOW | weights[0], GOOD), (LOW | weights[1], BAD))
    assert 79.97 < found.score < 79.99 and not found.passed


def test_the_answers_that_are_kept_are_bounded_together(look):
    long = answer(["0.01"] * 1500)
    found = look(*[(LOW, (long, long))] * 10)
    texts = [text for row in found.metrics for text in row["raw"].values()]
    assert len(texts) == 20 and sum(len(text) for text in texts) < 18_000 and texts[0].endswith(f"… ({len(long.body):,} bytes in all)")


@pytest.mark.parametrize(("least", "values", "missing"), [
    (0, 1, False), (20, 1, False), (21, 1, True), (80, 4, False), (81, 4, True), (100, 5, False), (100, 4, True),
])
def test_fewer_values_than_the_interval_has_are_missing_where_the_plan_says_so(look, least, values, missing):
    given = answer(["0.01"] * 5, ["0.01"] * values)
    found = look((LOW | {"series": "worst"}, given), least_percent=least)
    assert bool(found.missing) is missing and found.passed is not missing
    assert not missing or f'only {values} of 5 values of {{pod="p1"}} are there, and {least} % are needed' in found.missing
