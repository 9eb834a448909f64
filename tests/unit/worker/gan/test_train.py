import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shared.errors import CheckpointCorruptError, TrainingDivergedError
from tests.unit.worker.gan.conftest import MakeGarments
from worker.gan.checkpoint import Checkpoint, Checkpoints, FolderCheckpoints
from worker.gan.data import Dataset
from worker.gan.progress import Progress, TrainingInterrupted
from worker.gan.recipe import Hyperparameters, Recipe
from worker.gan.release import TrainedRelease
from worker.gan.train import _Run, kept_share, learning_rate, train
from worker.gan.watchdog import LADDER, LOST_REPORTS, QUIET_IMAGES

Trained = tuple[TrainedRelease, list[Progress], Path]


class MemoryCheckpoints(Checkpoints):
    """The newest checkpoint, in memory."""

    def __init__(self) -> None:
        self.found: Checkpoint | None = None

    def save(self, step: int, files: Mapping[str, bytes]) -> None:
        self.found = Checkpoint(step, files)

    def newest(self) -> Checkpoint | None:
        return self.found


class Watch:
    """A clock that ticks once for every look at it."""

    def __init__(self, tick: float) -> None:
        self.now, self.tick = 0.0, tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


class StopAt:
    """Says stop from the n-th question on."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


def ignore(_: Progress) -> None:
    """Nobody looks."""


def never() -> bool:
    return False


def steps(recipe: Recipe, dataset: Dataset, store: Checkpoints, stop: int) -> None:
    """Train until step `stop` and be interrupted there."""
    with pytest.raises(TrainingInterrupted) as told:
        train(recipe, dataset, store, on_progress=ignore, should_stop=StopAt(stop))
    assert told.value.step == stop


def test_six_steps_equal_three_a_resume_and_three_more(
    garments: MakeGarments, tiny: Hyperparameters, tmp_path: Path
) -> None:
    recipe = Recipe(images=48, seed=9, hyper=tiny)
    whole = MemoryCheckpoints()
    straight = train(recipe, garments(), whole, on_progress=ignore, should_stop=never)
    halves = FolderCheckpoints(tmp_path)
    steps(recipe, garments(), halves, 3)
    resumed = train(recipe, garments(), halves, on_progress=ignore, should_stop=never)
    assert straight.files()["generator.npz"] == resumed.files()["generator.npz"]
    one, two = whole.newest(), halves.newest()
    assert one is not None
    assert two is not None
    assert one.step == two.step == 6
    assert one.files["state.npz"] == two.files["state.npz"]


def test_a_finished_training_resumes_to_the_same_release(
    trained: Trained, garments: MakeGarments, tiny: Hyperparameters
) -> None:
    release, _, folder = trained
    recipe = Recipe(images=96, seed=5, hyper=tiny)
    again = train(
        recipe, garments(), FolderCheckpoints(folder), on_progress=ignore, should_stop=never
    )
    assert again.files()["generator.npz"] == release.files()["generator.npz"]


def test_a_minutes_budget_counts_trained_time_over_resumes(
    garments: MakeGarments, tiny: Hyperparameters
) -> None:
    recipe = Recipe(minutes=1.0, hyper=tiny, checkpoint_seconds=1e9)
    store = MemoryCheckpoints()
    with pytest.raises(TrainingInterrupted):
        train(
            recipe, garments(), store,
            on_progress=ignore, should_stop=StopAt(3), clock=Watch(2.0),
        )  # fmt: skip
    first = json.loads(store.newest().files["state.json"])["elapsed"]  # type: ignore[union-attr]  # saved above
    assert 0 < first < 60
    reports: list[Progress] = []
    release = train(
        recipe, garments(), store,
        on_progress=reports.append, should_stop=never, clock=Watch(2.0),
    )  # fmt: skip
    assert reports[0].fraction > first / 60
    assert reports[-1].fraction == 1.0
    assert 60 <= release.card["seconds"] < 90


def test_progress_tells_where_the_training_stands(trained: Trained) -> None:
    _, reports, _ = trained
    last = reports[-1]
    assert (last.step, last.images_seen, last.fraction) == (12, 96, 1.0)
    assert last.eta_seconds == 0
    assert set(last.losses) == {"discriminator", "generator", "real_slope", "generated_slope"}
    assert last.grid is not None
    assert last.grid.shape == (2 * 16, 8 * 16, 3)
    assert last.grid.dtype == np.uint8


def test_the_card_says_what_was_learned_and_how(trained: Trained) -> None:
    card = json.loads(trained[0].files()["card.json"])
    assert card["trained_on"]["garments"] == 48
    assert card["trained_on"]["fingerprint"] == "bars-48-16-3-0"
    assert sum(card["trained_on"]["attributes"]["shape"].values()) == 48
    assert card["recipe"]["hyper"]["batch"] == 8
    assert (card["steps"], card["images_seen"]) == (12, 96)
    assert card["losses"][-1]["images"] == 96
    assert card["versions"]["tensorflow"].startswith("2.")
    assert card["intended_use"]
    assert card["licence"]


def test_a_checkpoint_of_another_catalog_is_not_gone_on_with(
    trained: Trained, garments: MakeGarments, tiny: Hyperparameters
) -> None:
    with pytest.raises(CheckpointCorruptError, match="another catalog"):
        train(
            Recipe(images=96, seed=5, hyper=tiny), garments(seed=1),
            FolderCheckpoints(trained[2]), on_progress=ignore, should_stop=never,
        )  # fmt: skip


def test_a_checkpoint_with_half_its_arrays_is_refused(
    trained: Trained, garments: MakeGarments, tiny: Hyperparameters
) -> None:
    store = MemoryCheckpoints()
    found = FolderCheckpoints(trained[2]).newest()
    assert found is not None
    store.save(found.step, {**found.files, "state.npz": found.files["state.npz"][:5000]})
    with pytest.raises(CheckpointCorruptError, match="does not fit"):
        train(
            Recipe(images=96, seed=5, hyper=tiny), garments(), store,
            on_progress=ignore, should_stop=never,
        )  # fmt: skip


def test_broken_numbers_send_the_training_back_down_the_ladder_and_then_end_it(
    garments: MakeGarments, tiny: Hyperparameters
) -> None:
    store = MemoryCheckpoints()
    run = _Run(Recipe(images=800, hyper=tiny), garments(), store, Watch(0.1))
    run.advance()
    assert run.save()
    good = run.trainer.state()

    def poison() -> None:
        run.trainer.discriminator.set_weights(
            [np.full_like(w, np.nan) for w in run.trainer.discriminator.get_weights()]
        )

    poison()
    run.advance()
    assert not run.save()
    assert (run.step, run.tries) == (1, 1)
    assert all(np.array_equal(a, good[name]) for name, a in run.trainer.state().items())
    run.advance()
    assert run.save()
    assert json.loads(store.newest().files["state.json"])["tries"] == 1  # type: ignore[union-attr]  # saved above
    assert run.release().card["events"] == [
        {
            "step": 2,
            "cause": "the losses were no longer finite",
            "went_back_to": 1,
            "changed": "half the learning rate",
        }
    ]
    for _ in LADDER[1:]:
        poison()
        run.advance()
        assert not run.save()
    poison()
    run.advance()
    with pytest.raises(TrainingDivergedError, match="after going back 5 times"):
        run.save()


def test_a_collapse_sends_the_training_back_to_before_it_and_is_told_on_the_card(
    garments: MakeGarments, tiny: Hyperparameters
) -> None:
    store = MemoryCheckpoints()
    run = _Run(Recipe(images=800, hyper=tiny), garments(), store, Watch(0.1))
    for _ in range(3):
        run.advance()
        assert run.save()
    run.advance()
    collapse(run)
    run.report(ignore)
    assert (run.step, run.tries) == (2, 1)  # not to step 3, which was saved just before
    assert run.hyper.learning_rate == tiny.learning_rate / 2
    found = store.newest()
    assert found is not None
    assert found.step == 2
    again = _Run(Recipe(images=800, hyper=tiny), garments(), store, Watch(0.1))
    assert (again.step, again.tries, again.hyper) == (2, 1, run.hyper)
    assert "told nearly all" in again.release().card["events"][0]["cause"]


def test_what_may_be_collapsing_is_not_kept(garments: MakeGarments, tiny: Hyperparameters) -> None:
    store = MemoryCheckpoints()
    run = _Run(Recipe(images=800, hyper=tiny), garments(), store, Watch(0.1))
    run.advance()
    assert run.save()
    run.watchdog.see_losses(9.0, 10**6)
    run.advance()
    assert run.save()
    found = store.newest()
    assert found is not None
    assert found.step == 1


def test_at_the_end_of_the_ladder_the_training_goes_on_and_says_so(
    garments: MakeGarments, tiny: Hyperparameters
) -> None:
    run = _Run(Recipe(images=800, hyper=tiny), garments(), MemoryCheckpoints(), Watch(0.1))
    for _ in range(len(LADDER) + 3):
        run.advance()
        collapse(run)
        run.report(ignore)
    assert run.tries == len(LADDER)
    assert run.release().card["events"][-1]["changed"] == "nothing: ladder ended"
    assert len(run.events) == len(LADDER) + 1


def collapse(run: _Run) -> None:
    """Let the watchdog see what it sees of a collapse."""
    for _ in range(LOST_REPORTS):
        run.watchdog.see_losses(9.0, 10**6)
    # The next report's own loss must not end the row of bad ones.
    run.losses = {"generator": 9.0}
    run.images_seen = max(run.images_seen, QUIET_IMAGES)
    run.pending.clear()


def test_the_learning_rate_holds_and_then_falls(tiny: Hyperparameters) -> None:
    rates = [learning_rate(tiny, fraction, step=10**6) for fraction in (0.0, 0.5, 0.75, 1.0)]
    assert rates == pytest.approx([2e-3, 2e-3, 1.1e-3, 2e-4])


def test_the_learning_rate_rises_over_the_first_steps(tiny: Hyperparameters) -> None:
    warm = replace(tiny, warm_steps=200)
    rates = [learning_rate(warm, 0.0, step=step) for step in (0, 99, 199, 500)]
    assert rates == pytest.approx([1e-5, 1e-3, 2e-3, 2e-3])


def test_the_average_follows_at_once_at_first_and_slowly_later(tiny: Hyperparameters) -> None:
    assert kept_share(tiny, 0) == 0
    assert kept_share(tiny, 1000) < kept_share(tiny, 100_000) < kept_share(tiny, 10**9) < 1
    assert kept_share(tiny, 10**9) == kept_share(tiny, 10**10)
