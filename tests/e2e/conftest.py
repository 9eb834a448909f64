"""One stack for all end-to-end tests: real processes, a filled catalog and a trained release."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import httpx
import pytest

from shared.demo.drawn import write_archive
from tests.fixtures.stack import Stack, running_stack, wait_for


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory, valkey_url: str) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    quick = {
        "lease_seconds": 4,
        "heartbeat_seconds": 1,
        "upkeep_seconds": 1,
        "retry_delay_seconds": 0.1,
        "batch_limit": 16,
        "trend_schedule_seconds": 3600,
    }
    with running_stack(folder, valkey_url, **quick) as running:
        for name in ("train", "chores", "beat"):
            running.start(name)
        for name in ("generate", "generate2"):
            running.start("generate", name=name)
        running.wait_for_workers("train", "chores", "generate", "generate2")
        yield running


@pytest.fixture(scope="package")
def site_secret(stack: Stack) -> str:
    """The secret of a key that may do everything for its site."""
    return stack.new_key("shop")


@pytest.fixture(scope="package")
def shop(stack: Stack, site_secret: str) -> Iterator[httpx.Client]:
    with stack.client(site_secret) as client:
        yield client


@pytest.fixture(scope="package")
def catalog(shop: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    archive = tmp_path_factory.mktemp("drawn") / "garments.zip"
    write_archive(archive, count=400, seed=3, end=date(2026, 6, 30))
    made = shop.post("/v1/catalogs", json={"name": "drawn"}).raise_for_status().json()
    with archive.open("rb") as file:
        accepted = shop.post(f"{made['url']}/garments", files={"archive": file})
    assert accepted.status_code == httpx.codes.ACCEPTED, accepted.text
    job = wait_for(shop, accepted.headers["Location"])
    assert job["state"] == "succeeded", job
    assert job["result"]["rejected"] == 0
    found: dict[str, Any] = shop.get(made["url"]).raise_for_status().json()
    return found


@pytest.fixture(scope="package")
def release(shop: httpx.Client, catalog: dict[str, Any]) -> dict[str, Any]:
    asked = {"catalog": catalog["id"], "model": "drawn", "budget": {"images": 1500}}
    accepted = shop.post("/v1/training-jobs", json={**asked, "preview_seconds": 1})
    assert accepted.status_code == httpx.codes.ACCEPTED, accepted.text
    job = wait_for(shop, accepted.headers["Location"])
    assert job["state"] == "succeeded", job
    found: dict[str, Any] = shop.get(job["result"]["url"]).raise_for_status().json()
    return found
