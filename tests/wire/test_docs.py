"""The API page renders in a real browser under the strict content security policy."""

from __future__ import annotations

import pytest
from playwright.sync_api import sync_playwright

from gs2admin.wire.openapi_plain import plain
from gs2admin.wire.protocol import protocols
from gs2admin.wire.table import table
from tests.conftest import CHROMIUM

OPERATIONS = len(table().methods) + sum(len(protocol.routes) for protocol in protocols()) + len(plain())
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"]


SESSION = """
from django.test import Client
from gs2admin.identity.models import User
client = Client()
client.force_login(User.objects.get_or_create(username="reader")[0])
print(client.cookies["sessionid"].value)
"""


@pytest.mark.e2e
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_api_page_shows_every_method_and_breaks_no_policy(server, tmp_path, scheme):
    session = server.python(SESSION).strip()
    answer = server.http.get(f"{server.url}/docs", headers={"Cookie": f"sessionid={session}"})
    assert answer.status_code == 200 and "'unsafe" not in answer.headers["Content-Security-Policy"]
    said: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1200, "height": 1000}, color_scheme=scheme)
        page.context.add_cookies([{"name": "sessionid", "value": session, "url": server.url}])
        page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{server.url}/docs")
        page.locator(".opblock").nth(OPERATIONS - 1).wait_for(timeout=30_000)
        assert page.locator(".opblock").count() == OPERATIONS
        block = page.locator(".opblock", has_text="A stage with its source's and its own versions")
        block.locator(".opblock-summary-control").click(timeout=30_000)
        block.locator(".opblock-body").wait_for(timeout=30_000)
        assert "stageName" in block.locator(".opblock-body").inner_text()
        page.locator(".btn.authorize").click()
        page.locator(".modal-ux").wait_for()
        page.screenshot(path=tmp_path / "docs.png")
        assert (page.evaluate("document.documentElement.className") == "dark-mode") == (scheme == "dark")
        browser.close()
    assert said == []


def test_the_document_is_served_and_names_this_server(server):
    ours = server.credentials["ours"]
    answer = server.http.get(f"{server.url}/openapi.json", auth=(ours["clientId"], ours["clientSecret"]))
    assert answer.headers["Content-Type"] == "application/json"
    assert "/freeze/{stageName}" in answer.json()["paths"] and "/api/v1/versions" in answer.json()["paths"]
