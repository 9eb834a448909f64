import json
from collections.abc import Mapping

import numpy as np
import pytest

from tests.unit.worker.gan.conftest import MakeGarments
from tests.unit.worker.gan.test_train import MemoryCheckpoints, ignore, never
from worker.gan.data import Dataset
from worker.gan.judging import FEWEST, FILE, LEAST_STEPS, Judging, steps_for
from worker.gan.measuring import Depth, depth_for, with_figures
from worker.gan.recipe import Hyperparameters, Recipe
from worker.gan.release import TrainedRelease
from worker.gan.train import train

SMALL = Depth(n=60, readings=2)


def judged(dataset: Dataset, judging: Judging, tiny: Hyperparameters) -> TrainedRelease:
    return train(
        Recipe(images=80, hyper=tiny), dataset, MemoryCheckpoints(),
        on_progress=ignore, should_stop=never, judge=judging,
    )  # fmt: skip


def test_a_release_is_measured_and_what_measured_it_is_kept(
    garments: MakeGarments, tiny: Hyperparameters
) -> None:
    catalog = garments(n=10 * FEWEST)
    kept: dict[str, bytes] = {}

    def keep(files: Mapping[str, bytes]) -> None:
        kept.update(files)

    judging = Judging(steps=40, keep=keep)
    release = judged(catalog, judging, tiny)
    assert list(kept) == [FILE]
    assert release.card["metric"].startswith("kd_indomain[A@")
    measured, files = with_figures(release, catalog, judging, heldout=0.1, depth=SMALL)
    keys = {figure["key"].partition("[")[0] for figure in measured.card["figures"]}
    assert {"fd_indomain", "kd_indomain", "condition_accuracy", "train_on_generated"} <= keys
    assert sorted(files) == ["extractor-A.npz", "extractor-B.npz", "extractor-C.npz"]
    again = Judging(files, steps=40)
    repeated = judged(catalog, again, tiny)
    assert repeated.card["metric"] == release.card["metric"]
    assert json.dumps(measured.card)


def test_too_few_held_out_garments_measure_nothing_and_say_so(
    garments: MakeGarments, tiny: Hyperparameters
) -> None:
    catalog, judging = garments(n=100), Judging(steps=40)
    release = judged(catalog, judging, tiny)
    assert release.card["metric"] is None
    measured, files = with_figures(release, catalog, judging, heldout=0.1, depth=SMALL)
    assert measured.card["figures"] == []
    assert "Only 10 garments" in measured.card["figures_note"]
    assert files == {}


def test_a_catalog_without_labels_is_not_judged(garments: MakeGarments) -> None:
    plain = Dataset(garments(n=200).images, {}, {}, "plain")
    rows, held = plain.split(0.4)
    assert Judging(steps=2)(plain.take(rows), plain.take(held)) is None


def test_a_short_training_is_judged_by_a_shorter_one() -> None:
    assert steps_for(60_000, minutes=1, images=None) < steps_for(60_000, minutes=10, images=None)
    assert steps_for(60_000, minutes=600, images=None) == steps_for(60_000, minutes=60, images=None)
    assert steps_for(100, minutes=None, images=64) == LEAST_STEPS


@pytest.mark.parametrize(("minutes", "n"), [(None, 1000), (3, 1000), (10, 2000), (30, 10_000)])
def test_a_long_training_is_measured_thoroughly(minutes: float | None, n: int) -> None:
    assert depth_for(minutes).n == n


def test_a_judge_that_is_told_to_stop_stops(garments: MakeGarments) -> None:
    catalog = garments(n=200)
    rows, held = catalog.split(0.4)

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Judging(steps=10, on_progress=stop)(catalog.take(rows), catalog.take(held))
    assert np.all(np.isin(held, rows, invert=True))
