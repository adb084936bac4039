"""`make pictures`: takes the pictures of the README anew, of the real server with the demo in it, into docs/pictures.

A promote of the demo's `stg` stands still at one line of its output while the pictures are taken, so that they show the
same every time but for the clock. Needs Debian's chromium, as the browser tests do.
"""
from __future__ import annotations

import secrets
import stat
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from bench import place
from bench.server import Server
from bench.small_png import shrink

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--force-color-profile=srgb", "--font-render-hinting=none"]
FOLDER = place.ROOT / "docs" / "pictures"
# Pixels. Each page is as high as its picture, so that the output has room for its last line.
WIDTH, BOARD_HEIGHT, ROLLOUT_HEIGHT = 1200, 684, 900
LARGEST_KB = 120
# The details of a rollout name the host that takes the pictures.
WITHOUT_HOST = "rows => rows.forEach(row => { row.nextElementSibling.remove(); row.remove(); })"
PERSON = "mika"
# Where the rollout stands still: in the middle of the second of three microservices. The demo's versions name it.
LINE = "2 of 3 instances run 5.3.1"
# The demo's step as it is, but that it waits after that line until the file is gone.
STEP = """#!/bin/sh
{step} | while read -r line; do
    echo "$line"
    while [ "$line" = "{line}" ] && [ -e {hold} ]; do sleep 0.1; done
done
"""


def main() -> int:
    """Returns the exit code: 1 when a picture is larger than it may be."""
    password = secrets.token_urlsafe(16)
    with place.place("sqlite") as environ:
        directory = Path(environ["GS2ADMIN_DATA_DIR"])
        hold = directory / "hold"
        environ |= {
            "GS2ADMIN_DEMO": "1", "GS2ADMIN_COMMANDS": f"demo-step={_step(directory, hold)}", "WORKERS": "1", "JOB_WORKERS": "1",
            "DJANGO_SUPERUSER_USERNAME": PERSON, "DJANGO_SUPERUSER_PASSWORD": password,
        }
        with Server(environ) as server, sync_playwright() as playwright:
            hold.touch()
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            try:
                taken = _take(browser, server.url, password)
            finally:
                hold.unlink()
                browser.close()
    large = [file for file in taken if file.stat().st_size > LARGEST_KB * 1024]
    for file in taken:
        print(f"{file.relative_to(place.ROOT)}: {file.stat().st_size / 1024:.0f} kB")
    for file in large:
        print(f"{file.name} is larger than {LARGEST_KB} kB.", file=sys.stderr)
    return 1 if large else 0


def _step(directory: Path, hold: Path) -> Path:
    step = directory / "demo-step"
    step.write_text(STEP.format(step=place.ROOT / "examples" / "demo-step", line=LINE, hold=hold))
    step.chmod(step.stat().st_mode | stat.S_IXUSR)
    return step


def _take(browser: Browser, url: str, password: str) -> list[Path]:
    page = browser.new_page(base_url=url, viewport={"width": WIDTH, "height": ROLLOUT_HEIGHT}, reduced_motion="reduce",
                            locale="en-GB", timezone_id="UTC")
    page.goto("/login")
    page.get_by_label("Name").fill(PERSON)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Promote… stg").click()
    page.get_by_label("Why").fill("Season 7 candidates")
    page.get_by_role("button", name="Promote stg").click()
    page.wait_for_url("**/rollouts/*")
    # Nothing comes after this line while the step waits.
    expect(page.locator("#lines .ln").last).to_contain_text(LINE, timeout=60_000)
    taken = _both_themes(browser, page, "rollout")
    page.set_viewport_size({"width": WIDTH, "height": BOARD_HEIGHT})
    page.get_by_role("link", name="Board").first.click()
    expect(page.locator("li.gs-stage", has_text="Updating")).to_have_count(1)
    return taken + _both_themes(browser, page, "board")


def _both_themes(browser: Browser, page: Page, name: str) -> list[Path]:
    """NAME.png and NAME-dark.png of what the page shows."""
    FOLDER.mkdir(exist_ok=True)
    taken = []
    for theme, file in (("light", FOLDER / f"{name}.png"), ("dark", FOLDER / f"{name}-dark.png")):
        page.emulate_media(color_scheme=theme)
        expect(page.locator(f'html[data-bs-theme="{theme}"]')).to_have_count(1)
        page.locator("#rollout-details dt", has_text="Worker").evaluate_all(WITHOUT_HOST)
        file.write_bytes(shrink(browser, page.screenshot(animations="disabled", caret="hide")))
        taken.append(file)
    page.emulate_media(color_scheme="light")
    return taken


if __name__ == "__main__":
    sys.exit(main())
