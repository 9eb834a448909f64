"""What a training is told, and what polls are told of it."""

import json
from dataclasses import fields
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from shared.artifacts import keys
from shared.errors import NotFoundError, ReleaseCorruptError
from shared.records import models
from shared.schemas.jobs import Budget, TrainingSpec
from tests.fixtures.rows import a_release, a_site
from worker.gan.checkpoint import pack
from worker.gan.recipe import Recipe
from worker.jobs.training import (
    METRIC_POINTS,
    baselines_among,
    described,
    metric_points,
    recipe_of,
    start_files,
)
from worker.runtime import Runtime


def a_spec(**changes: Any) -> TrainingSpec:
    base: dict[str, Any] = {
        "catalog_id": "cat_1", "catalog_version": 2, "model": "summer", "size": 32,
        "budget": Budget(images=640), "seed": 3, "attributes": ("category",),
    }  # fmt: skip
    return TrainingSpec.model_validate({**base, **changes})


def test_every_setting_that_the_engine_has_reaches_it() -> None:
    asked: dict[str, Any] = {
        "preset": "residual", "width": "l", "balance": 0.25, "early_stop": 5, "heldout": 0.2,
        "preview_seconds": 7.0, "checkpoint_seconds": 9.0,
    }  # fmt: skip
    recipe = recipe_of(a_spec(**asked))
    expected = {**asked, "images": 640, "minutes": None, "seed": 3}
    known = {field.name for field in fields(Recipe)} & expected.keys()
    assert {name: getattr(recipe, name) for name in known} == {n: expected[n] for n in known}


def readings(count: int) -> list[dict[str, float]]:
    return [{"images": 100 * n, "seconds": n, "value": 1 + n, "low": n, "high": 2 + n}
            for n in range(count)]  # fmt: skip


@pytest.mark.parametrize("count", [0, 1, 2, METRIC_POINTS, METRIC_POINTS + 1, 1000])
def test_a_metrics_curve_is_thinned_and_keeps_its_ends(count: int) -> None:
    shown = metric_points(readings(count))
    assert len(shown) == min(count, METRIC_POINTS)
    if count:
        assert (shown[0].images, shown[-1].images) == (0, 100 * (count - 1))
    assert [one.images for one in shown] == sorted({one.images for one in shown})


def test_a_reading_that_is_no_number_is_left_out_and_an_interval_may_be_missing() -> None:
    nan = float("nan")
    shown = metric_points(
        [
            {"images": 1, "seconds": 1.0, "value": nan},
            {"images": 2, "seconds": 2.0, "value": 5.0, "low": nan, "high": 6.0},
            {"images": 3, "seconds": 3.0, "value": 4.0},
        ]
    )
    assert [(one.images, one.low, one.high) for one in shown] == [(2, None, 6.0), (3, None, None)]


def test_a_training_goes_on_from_all_the_files_of_a_release(runtime: Runtime) -> None:
    site = a_site(runtime.records)
    release = a_release(runtime.records, site)
    folder = f"releases/{release.job_id}/"
    for name in ("generator.npz", "generator.json", "last.npz"):
        runtime.store.put(f"{folder}{name}", name.encode())
    files = start_files(runtime, release.id, site_id=site)
    assert files == {n: n.encode() for n in ("generator.npz", "generator.json", "last.npz")}
    with pytest.raises(NotFoundError):
        start_files(runtime, release.id, site_id=a_site(runtime.records, "rival"))


def test_a_release_that_lost_its_weights_is_no_start(runtime: Runtime) -> None:
    site = a_site(runtime.records)
    release = a_release(runtime.records, site)
    runtime.store.put(f"releases/{release.job_id}/generator.json", b"{}")
    with pytest.raises(ReleaseCorruptError, match=r"generator\.npz"):
        start_files(runtime, release.id, site_id=site)


def test_a_card_says_where_the_release_comes_from_and_has_a_page() -> None:
    buffer = BytesIO()
    Image.fromarray(np.zeros((32, 64, 3), np.uint8)).save(buffer, "PNG")
    weights = pack({"000": np.zeros((3, 4), np.float32), "001": np.zeros(2, np.float32)})
    made = {
        "generator.npz": weights,
        "generator.json": json.dumps({"slots": 2, "format": 2}).encode(),
        "card.json": json.dumps({"steps": 5}).encode(),
        "grid.png": buffer.getvalue(),
    }
    origin: dict[str, str | int] = {"model": "<summer>", "catalog": "shop", "catalog_version": 2}
    files = described(made, spec=a_spec(colours=True), origin=origin)
    card = json.loads(files["card.json"])
    assert (card["steps"], card["slots"], card["origin"]) == (5, 2, origin)
    assert card["spec"]["colours"] is True
    assert b"&lt;summer&gt;" in files["card.html"]
    assert card["needs"] == {"format": 2, "memory": 4 * (12 + 2)}
    assert files["generator.npz"] == weights
    assert keys.release_file("rel_1", "card.html") == "releases/rel_1/card.html"


def test_the_newest_release_of_each_other_preset_stands_beside(runtime: Runtime) -> None:
    site = a_site(runtime.records)
    plain = a_release(runtime.records, site)
    with runtime.records.reading() as tx:
        found = models.releases_of_version(tx, site, plain.catalog_id, 1)
    assert [one.id for one in found] == [plain.id]
    figures = [{"key": "fd_indomain[A@00000000]", "value": 9.0}]
    cards = [
        ("rel_4", {"recipe": {"preset": "mlp"}, "figures": figures}),
        ("rel_3", {"recipe": {"preset": "residual"}, "figures": figures}),
        ("rel_2", {"recipe": {"preset": "dcgan"}}),
        ("rel_1", {"recipe": {"preset": "mlp"}, "figures": []}),
    ]
    releases = [plain.model_copy(update={"id": name, "card": card}) for name, card in cards]
    beside = baselines_among(releases, preset="residual")
    assert beside == [{"preset": "mlp", "release": "rel_4", "figures": figures}]
