"""The main job over HTTP with the real processes, and what happens when one of them dies."""

import time
from collections import Counter
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from shared.provenance.opened import look
from shared.records import Records, jobs
from tests.fixtures.stack import Stack, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def design(shop: httpx.Client, release: dict[str, Any], **changes: Any) -> str:
    body = {"release": release["id"], "count": 1, **changes}
    accepted = shop.post("/v1/design-jobs", json=body)
    assert accepted.status_code == httpx.codes.ACCEPTED, accepted.text
    return accepted.headers["Location"]


def test_the_catalog_holds_what_was_sent(shop: httpx.Client, catalog: dict[str, Any]) -> None:
    assert catalog["version"] == 1
    assert catalog["garments"] >= 390  # a few drawn ones may be exact copies
    assert {"category", "colour", "pattern"} <= catalog["attributes"].keys()
    page = shop.get(f"{catalog['url']}/garments?limit=5").raise_for_status().json()
    garment = page["items"][0]
    image = shop.get(garment["image_url"]).raise_for_status()
    assert Image.open(BytesIO(image.content)).size == (catalog["image_size"],) * 2
    again = shop.get(garment["image_url"], headers={"If-None-Match": image.headers["ETag"]})
    assert again.status_code == httpx.codes.NOT_MODIFIED


def test_a_training_publishes_a_release_with_a_card_and_a_grid(
    shop: httpx.Client, release: dict[str, Any]
) -> None:
    assert release["number"] == 1
    assert "category" in release["vocabulary"]
    assert release["card"]
    grid = shop.get(release["grid_url"]).raise_for_status()
    assert np.asarray(Image.open(BytesIO(grid.content))).std() > 1


def test_designs_come_back_with_their_seeds_and_the_same_seed_gives_the_same_bytes(
    shop: httpx.Client, release: dict[str, Any]
) -> None:
    category = release["vocabulary"]["category"][0]
    condition = {"category": category}
    one = wait_for(shop, design(shop, release, count=3, seed=7, condition=condition))
    two = wait_for(shop, design(shop, release, count=1, seed=8, condition=condition))
    assert [made["seed"] for made in one["result"]["designs"]] == [7, 8, 9]
    same = one["result"]["designs"][1], two["result"]["designs"][0]
    first, second = (shop.get(made["image_url"]).raise_for_status() for made in same)
    assert first.content == second.content
    mark = look(first.content).mark
    assert mark is not None
    assert (mark.release_id, mark.seed) == (release["id"], 8)
    assert first.headers["Content-Type"] == "image/png"
    assert "immutable" in first.headers["Cache-Control"]


def test_a_shopper_who_likes_garments_gets_designs_and_garments_and_is_forgotten(
    shop: httpx.Client, catalog: dict[str, Any], release: dict[str, Any]
) -> None:
    counts: dict[str, int] = catalog["attributes"]["category"]
    category = max(counts, key=lambda value: counts[value])
    query = {"attribute": f"category:{category}", "limit": "6"}
    page = shop.get(f"{catalog['url']}/garments", params=query).raise_for_status().json()
    liked = page["items"]
    said = {"preferences": [{"kind": "like", "item": one["id"]} for one in liked]}
    place = "/v1/shoppers/c-42"
    shop.post(f"{place}/preferences", json=said).raise_for_status()
    beliefs = shop.get(f"{place}/taste").raise_for_status().json()["beliefs"]
    assert category in {one["value"] for one in beliefs if one["direction"] == "likes"}
    found = shop.get(f"{place}/recommendations?count=6").raise_for_status().json()["items"]
    assert not {one["garment_id"] for one in found} & {one["id"] for one in liked}
    job = wait_for(shop, design(shop, release, count=4, shopper="c-42"))
    assert job["state"] == "succeeded", job
    made = job["result"]["designs"]
    assert len(made) == 4
    assert all(0 <= one["score"] <= 1 and one["reasons"] for one in made)
    assert sum(one["condition"].get("category") == category for one in made) >= 2
    similar = shop.get(f"{made[0]['url']}/similar?count=3").raise_for_status().json()["items"]
    assert len(similar) == 3
    shop.delete(place).raise_for_status()
    for gone in (place, job["url"], made[0]["url"], made[0]["image_url"]):
        assert shop.get(gone).status_code == httpx.codes.NOT_FOUND


def test_designs_are_made_from_designs(shop: httpx.Client, release: dict[str, Any]) -> None:
    job = wait_for(shop, design(shop, release, count=2, seed=3))
    first, second = (one["id"] for one in job["result"]["designs"])
    asked = shop.post(f"/v1/designs/{first}/variations", json={"count": 2, "strength": 0})
    varied = wait_for(shop, asked.raise_for_status().headers["Location"])
    same = [shop.get(one["image_url"]).content for one in varied["result"]["designs"]]
    pixels = {look(one).pixels_sha256 for one in same}
    original = shop.get(job["result"]["designs"][0]["image_url"]).content
    assert pixels == {look(original).pixels_sha256}
    pair = {"first": first, "second": second}
    asked = shop.post("/v1/designs/walk", json={**pair, "frames": 6})
    walked = wait_for(shop, asked.raise_for_status().headers["Location"])
    picture = shop.get(walked["result"]["designs"][0]["image_url"]).content
    assert getattr(Image.open(BytesIO(picture)), "n_frames", 1) > 3


def test_two_generation_workers_share_the_queue(
    stack: Stack, shop: httpx.Client, release: dict[str, Any]
) -> None:
    places = [design(shop, release, count=16, seed=100 * n) for n in range(12)]
    assert {wait_for(shop, place)["state"] for place in places} == {"succeeded"}
    workers: Counter[str] = Counter()
    records = Records(stack.settings.database)
    with records.reading() as tx:
        for place in places:
            workers.update(one.worker for one in jobs.attempts_at(tx, place.rsplit("/", 1)[1]))
    records.close()
    assert len(workers) == 2, workers


def test_a_killed_generation_worker_loses_no_job(
    stack: Stack, shop: httpx.Client, release: dict[str, Any]
) -> None:
    places = [design(shop, release, count=16, seed=5000 + 100 * n) for n in range(10)]
    deadline = time.monotonic() + 30
    records = Records(stack.settings.database)
    try:
        while not _held(records, places):
            assert time.monotonic() < deadline, "no worker took the work"
            time.sleep(0.005)
        stack.kill("generate")
        stack.kill("generate2")
    finally:
        records.close()
    stack.start("generate")
    for place in places:
        job = wait_for(shop, place)
        assert job["state"] == "succeeded", job
        assert len(job["result"]["designs"]) == 16
        designs = shop.get(f"/v1/designs?job={job['id']}&limit=64").raise_for_status().json()
        assert sorted(one["position"] for one in designs["items"]) == list(range(16))
    stack.start("generate", name="generate2")


def test_a_trend_report_is_made_and_not_again_when_nothing_changed(
    shop: httpx.Client, catalog: dict[str, Any]
) -> None:
    accepted = shop.post("/v1/trend-reports", json={"catalog": catalog["id"]})
    job = wait_for(shop, accepted.headers["Location"])
    assert job["state"] == "succeeded", job
    page = shop.get(job["result"]["page_url"]).raise_for_status()
    assert "<html" in page.text
    report = shop.get(job["result"]["url"]).raise_for_status().json()
    assert any(name.endswith(".png") for name in report["files"])
    body = {"catalog": catalog["id"], "only_if_changed": True}
    again = shop.post("/v1/trend-reports", json=body)
    second = wait_for(shop, again.headers["Location"])
    assert second["reason"] == "unchanged"
    assert second["result"]["report_id"] == job["result"]["report_id"]


def test_beat_makes_the_sites_report_by_itself(shop: httpx.Client, catalog: dict[str, Any]) -> None:
    assert catalog["garments"]
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        found = shop.get("/v1/jobs?kind=trend_report&limit=100").raise_for_status().json()
        if any(
            job["spec"]["only_if_changed"] and not job["spec"]["catalog_id"]
            for job in found["items"]
        ):
            return
        time.sleep(1)
    raise AssertionError("beat queued no report of the whole site")


def test_a_training_whose_worker_is_told_to_stop_goes_on_with_the_next(
    stack: Stack, shop: httpx.Client, catalog: dict[str, Any]
) -> None:
    asked = {"catalog": catalog["id"], "model": "moved", "budget": {"images": 4000}}
    place = shop.post("/v1/training-jobs", json=asked).headers["Location"]
    seen = wait_for_step(shop, place)
    worker = stack.processes.pop("train")
    worker.terminate()
    assert worker.wait(30) == 0
    back = shop.get(place).json()
    assert (back["state"], back["reason"]) == ("queued", "drained")
    stack.start("train")
    job = wait_for(shop, place)
    assert (job["state"], job["attempts"]) == ("succeeded", 2)
    card = shop.get(job["result"]["url"]).json()["card"]
    assert card["images_seen"] >= 4000
    assert card["steps"] > seen


def wait_for_step(shop: httpx.Client, place: str) -> int:
    """Return the step that a training is at, once it makes steps."""
    deadline = time.monotonic() + 60
    while not (step := (shop.get(place).json().get("progress") or {}).get("step")):
        assert time.monotonic() < deadline, shop.get(place).text
        time.sleep(0.2)
    return int(step)


def test_a_running_training_is_cancelled(shop: httpx.Client, catalog: dict[str, Any]) -> None:
    asked = {"catalog": catalog["id"], "model": "never", "budget": {"minutes": 30}}
    accepted = shop.post("/v1/training-jobs", json=asked)
    place = accepted.headers["Location"]
    wait_for_step(shop, place)
    asked_at = time.monotonic()
    shop.post(f"{place}/cancel").raise_for_status()
    job = wait_for(shop, place, seconds=20)
    assert job["state"] == "cancelled"
    print(f"cancelled after {time.monotonic() - asked_at:.1f} s")  # noqa: T201 - shown with -s
    assert shop.get("/v1/models/never").status_code == httpx.codes.NOT_FOUND


def test_another_site_sees_nothing_of_all_this(
    stack: Stack, catalog: dict[str, Any], release: dict[str, Any]
) -> None:
    with stack.client(stack.new_key("rival")) as rival:
        for url in (catalog["url"], release["url"], release["grid_url"]):
            assert rival.get(url).status_code == httpx.codes.NOT_FOUND
        assert rival.get("/v1/jobs").json()["items"] == []
        refused = rival.post("/v1/design-jobs", json={"release": release["id"]})
        assert refused.status_code == httpx.codes.NOT_FOUND


def _held(records: Records, places: list[str]) -> bool:
    with records.reading() as tx:
        found = [jobs.get(tx, place.rsplit("/", 1)[1]) for place in places]
    return any(job.state == "running" for job in found)
