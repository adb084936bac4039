"""One of each thing that people and programs do, through the HTTP doors of a running program."""
from __future__ import annotations

import json
import re
import uuid
from contextlib import closing
from typing import Any

import httpx

from tests.conditions import until
from tests.upgrade.program import NAME, PASSWORD, Program, client

JOB_S, ROLLOUT_S = 30, 60


def use_everything(program: Program, url: str) -> None:
    """Sign in, open the board and what it links to, promote, roll back, push and run jobs, take and let go of a lock.

    The program has the demo. Raises AssertionError where an answer is not what it was before.
    """
    with client(url) as browser:
        sign_in(browser)
        pages(browser, "/p/default/")
    made = program.manage("createcredential", "default", f"upgrade-{uuid.uuid4().hex[:8]}", "--role", "admin")
    assert made.returncode == 0, made.stderr
    with closing(Gs2(url, json.loads(made.stdout.splitlines()[-1]))) as game:
        rollouts(game)
        jobs(game)
        locks(game)
    with client(url) as browser:
        sign_in(browser)
        pages(browser, "/p/default/")


def sign_in(browser: httpx.Client) -> None:
    """As the first administrator."""
    form = browser.get("/login")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)[1]
    answer = browser.post("/login", data={"username": NAME, "password": PASSWORD, "csrfmiddlewaretoken": token, "next": "/"})
    assert answer.status_code == 200 and answer.url.path == "/p/default/", (answer.status_code, answer.url)


def pages(browser: httpx.Client, address: str) -> None:
    """The page and every page of the program that it links to."""
    first = browser.get(address)
    assert first.status_code == 200, first.text[-2000:]
    links = sorted(set(re.findall(r'href="(/p/[^"#]+)"', first.text)))
    assert len(links) > 5, links
    for link in links:
        answer = browser.get(link.replace("&amp;", "&"))
        assert answer.status_code == 200, (link, answer.status_code)


class Gs2(httpx.Client):
    """A GS2 client, signed in by a credential {"clientId", "clientSecret"}."""

    def __init__(self, url: str, credential: dict[str, str]) -> None:
        super().__init__(base_url=url, timeout=30, trust_env=False)
        found = self.call("POST", "/identifier/projectToken/login", client_id=credential["clientId"],
                          client_secret=credential["clientSecret"])  # fmt: skip
        self.headers["Authorization"] = f"Bearer {found['access_token']}"

    def call(self, verb: str, path: str, **body: Any) -> dict[str, Any]:
        """The body of the answer, which must be a good one."""
        answer = self.request(verb, path, json=body) if body or verb == "POST" else self.request(verb, path)
        assert answer.status_code == 200, (verb, path, answer.status_code, answer.text)
        return answer.json()


def rollouts(game: Gs2) -> None:
    """Promote stg and roll it back."""

    def ended() -> dict[str, Any] | None:
        stage = game.call("GET", "/freeze/stg")
        return stage if stage["item"]["status"] != "Updating" else None

    def pins(stage: dict[str, Any]) -> dict[str, str]:
        return {one["name"]: one["version"] for one in stage["current"]}

    before = until(ended, ROLLOUT_S)
    assert pins(before) != {one["name"]: one["version"] for one in before["source"]}, "the demo leaves something to promote"
    for move in ("promote", "rollback"):
        assert game.call("POST", f"/freeze/stg/{move}")["item"]["status"] == "Updating"
        now = until(ended, ROLLOUT_S, lambda: str(game.call("GET", "/freeze/stg/progress/output")))
        assert now["item"]["status"] == "Active", game.call("GET", "/freeze/stg/progress/output")
        assert (pins(now) == pins(before)) is (move == "rollback")


def jobs(game: Gs2) -> None:
    """A script, a job that the worker runs, and one that the caller runs."""
    word = uuid.uuid4().hex[:8]
    game.call("POST", "/script/", name=f"scripts-{word}")
    game.call("POST", f"/script/scripts-{word}/script", name="reward", script="result = {got = args}")
    script = game.call("GET", f"/script/scripts-{word}/script/reward")["item"]["scriptId"]
    for name, by_itself in ((f"auto-{word}", True), (f"hand-{word}", False)):
        game.call("POST", "/job-queue/", name=name, enableAutoRun=by_itself)
        mine = f"/job-queue/{name}/user/player-1/job"
        entry = {"scriptId": script, "args": '{"gold": 7}', "maxTryCount": 3}
        job = game.call("POST", mine, jobs=[entry])["items"][0]["name"]
        if not by_itself:
            assert game.call("POST", f"{mine}/run")["result"]["statusCode"] == 200

        def result(address: str = f"{mine}/{job}/result") -> dict[str, Any] | None:
            answer = game.get(address)
            return answer.json()["item"] if answer.status_code == 200 else None

        found = until(result, JOB_S, lambda name=name: f"no result of the job in {name}")
        assert found["statusCode"] == 200 and json.loads(found["result"]) == {"got": {"gold": 7}}, found


def locks(game: Gs2) -> None:
    """A mutex that one transaction holds and another does not get."""
    name = f"locks-{uuid.uuid4().hex[:8]}"
    game.call("POST", "/lock/", name=name)
    mutex = f"/lock/{name}/user/player-1/mutex/inventory"
    assert game.call("POST", f"{mutex}/lock", transactionId="one", ttl=60)["item"]["transactionId"] == "one"
    assert game.post(f"{mutex}/lock", json={"transactionId": "two", "ttl": 60}).status_code == 409
    game.call("POST", f"{mutex}/unlock", transactionId="one")
    assert game.call("POST", f"{mutex}/lock", transactionId="two", ttl=60)["item"]["transactionId"] == "two"
