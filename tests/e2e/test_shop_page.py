"""The example shop in a real browser: designs appear, and a like changes the next ones."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.fixtures.stack import ROOT, Stack, free_port

BROWSER = shutil.which("chromium")
# Without these a browser without a network keeps asking for its own servers.
FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]
PATIENCE = 60_000

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed: apt install chromium"),
]


@contextmanager
def open_shop(stack: Stack, secret: str, folder: Path) -> Iterator[str]:
    """Yield the address of the example shop, its server a process of its own."""
    port = free_port()
    origin = f"http://localhost:{port}"
    asked = {"name": "page", "publishable": True, "origins": [origin]}
    with stack.client(secret) as client:
        key = client.post("/v1/keys", json=asked).raise_for_status().json()["secret"]
    script = ROOT / "docs" / "example-shop" / "server.py"
    options = ["--toile", stack.url, "--key", key, "--model", "drawn", "--port", str(port)]
    with (folder / "shop.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, str(script), *options],
            env={**os.environ, "TOILE_API_KEY": secret},  # noqa: TID251 - handed on whole
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_open(origin, server, folder)
        yield origin
    finally:
        server.terminate()
        server.wait(10)


def wait_until_open(origin: str, server: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            httpx.get(f"{origin}/settings.json").raise_for_status()
        except httpx.TransportError:
            assert server.poll() is None, (folder / "shop.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return


@contextmanager
def browser_page(folder: Path) -> Iterator[Page]:
    with sync_playwright() as play:
        # A sandbox needs a user of its own, which a container's root is not.
        options: dict[str, Any] = {"executable_path": BROWSER, "args": FLAGS}
        browser = play.chromium.launch(**options, chromium_sandbox=os.getuid() != 0)
        page = browser.new_page(viewport={"width": 1200, "height": 1100})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        try:
            yield page
            assert not errors
        finally:
            page.screenshot(path=folder / "shop.png", full_page=True)
            browser.close()


def shown(page: Page) -> list[str]:
    """Return the designs that the page shows, once all their pictures are there."""
    expect(page.locator("#designs li")).to_have_count(4, timeout=PATIENCE)
    page.wait_for_function(
        "[...document.querySelectorAll('#designs img')].every((one) => one.naturalWidth > 0)",
        timeout=PATIENCE,
    )
    return [str(one.get_attribute("data-item")) for one in page.locator("#designs li").all()]


def test_designs_appear_and_a_like_changes_the_next_ones(
    stack: Stack, release: dict[str, Any], site_secret: str, tmp_path: Path
) -> None:
    assert release["model"] == "drawn"
    with open_shop(stack, site_secret, tmp_path) as origin, browser_page(tmp_path) as page:
        page.goto(origin)
        first = shown(page)
        assert "near to" not in page.locator("#designs").inner_text()
        page.wait_for_selector("#garments li", timeout=PATIENCE)
        for place in range(2):
            like = page.locator("#designs li").nth(place).locator(".like")
            like.click()
            expect(like).to_have_attribute("aria-pressed", "true", timeout=PATIENCE)
        page.locator("#more").click()
        page.wait_for_function(
            "(first) => ![...document.querySelectorAll('#designs li')]"
            ".some((one) => first.includes(one.dataset.item))",
            arg=first,
            timeout=PATIENCE,
        )
        second = shown(page)
        assert not set(first) & set(second)
        assert "near to" in page.locator("#designs").inner_text()
        assert page.locator("#problem").is_hidden()
    with stack.client(site_secret) as client:
        (ref,) = (one["ref"] for one in client.get("/v1/shoppers").json()["items"])
        said = client.get(f"/v1/shoppers/{ref}/preferences").json()["items"]
        assert {one["item"] for one in said} == set(first[:2])
        client.delete(f"/v1/shoppers/{ref}").raise_for_status()


def test_a_page_of_another_origin_gets_nothing(
    stack: Stack, release: dict[str, Any], site_secret: str, tmp_path: Path
) -> None:
    """The same page on a port that the key does not name."""
    assert release["id"]
    with open_shop(stack, site_secret, tmp_path) as origin, browser_page(tmp_path) as page:
        page.goto(origin.replace("localhost", "127.0.0.1"))
        page.wait_for_selector("#problem:not([hidden])", timeout=PATIENCE)
        assert page.locator("#designs li").count() == 0
