import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shared.errors import CheckpointCorruptError, InvalidInputError, TrainingDivergedError
from tests.unit.worker.gan.conftest import MakeGarments
from worker.gan.checkpoint import Checkpoint, Checkpoints, FolderCheckpoints
from worker.gan.data import Dataset
from worker.gan.measure.figures import Figure
from worker.gan.measure.judge import Sampler
from worker.gan.progress import Progress, TrainingInterrupted
from worker.gan.recipe import Hyperparameters, Recipe
from worker.gan.release import TrainedRelease, load_generator
from worker.gan.run import Run
from worker.gan.train import train
from worker.gan.trainers import build_trainer
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


def started(tiny: Hyperparameters, dataset: Dataset, store: Checkpoints) -> Run:
    recipe = Recipe(images=800, hyper=tiny, heldout=0.0)
    return Run(
        recipe, dataset, store,
        clock=Watch(0.1), start=None, judge=None, build=build_trainer,
    )  # fmt: skip


class FakeJudge:
    """Reads what it is told to."""

    key = "fd_indomain[A@00000000]"

    def __init__(self, values: list[float]) -> None:
        self.values = values
        self.shapes: list[tuple[int, ...]] = []

    def read(self, sampler: Sampler, n: int, seed: int) -> Figure:
        labels = np.zeros((n // 100, 2), np.int32)
        self.shapes.append(sampler(labels, np.zeros((n // 100, 0, 3), np.float32), seed).shape)
        value = self.values.pop(0) if self.values else 50.0
        return Figure(self.key, value, (value - 1, value + 1), n)


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
            on_progress=ignore, should_stop=StopAt(3), clock=Watch(0.5),
        )  # fmt: skip
    first = json.loads(store.newest().files["state.json"])["elapsed"]  # type: ignore[union-attr]  # saved above
    assert 0 < first < 60
    reports: list[Progress] = []
    release = train(
        recipe, garments(), store,
        on_progress=reports.append, should_stop=never, clock=Watch(0.5),
    )  # fmt: skip
    assert reports[0].fraction > first / 60
    assert reports[-1].fraction == 1.0
    assert 60 <= release.card["seconds"] < 90


def test_progress_tells_where_the_training_stands(trained: Trained) -> None:
    _, reports, _ = trained
    last = reports[-1]
    assert (last.step, last.images_seen, last.fraction) == (12, 96, 1.0)
    assert last.eta_seconds == 0
    assert {"discriminator", "generator", "real_slope", "margin"} <= set(last.losses)
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
    run = started(tiny, garments(), store)
    run.advance()
    assert run.save()
    good = run.trainer.state()

    def poison() -> None:
        run.trainer.critic.set_weights(
            [np.full_like(w, np.nan) for w in run.trainer.critic.get_weights()]
        )

    poison()
    run.advance()
    assert not run.save()
    assert (run.step, run.recovery.tries) == (1, 1)
    assert all(np.array_equal(a, good[name]) for name, a in run.trainer.state().items())
    run.advance()
    assert run.save()
    assert json.loads(store.newest().files["state.json"])["tries"] == 1  # type: ignore[union-attr]  # saved above
    assert run.release().card["events"] == [
        {
            "step": 2,
            "cause": "the losses or gradients were no longer finite",
            "went_back_to": 1,
            "changed": "half the learning rate, and at most the usual one",
        }
    ]
    for _ in LADDER[1:]:
        poison()
        run.advance()
        assert not run.save()
    assert run.step == 0  # the last rung begins anew
    assert run.seed != 0
    poison()
    run.advance()
    with pytest.raises(TrainingDivergedError, match=f"after going back {len(LADDER)} times"):
        run.save()


def test_a_collapse_sends_the_training_back_to_before_it_and_is_told_on_the_card(
    garments: MakeGarments, tiny: Hyperparameters
) -> None:
    store = MemoryCheckpoints()
    run = started(tiny, garments(), store)
    for _ in range(3):
        run.advance()
        assert run.save()
    run.advance()
    collapse(run)
    run.report(ignore)
    assert (run.step, run.recovery.tries) == (2, 1)  # not to step 3, which was saved just before
    assert run.hyper.learning_rate == tiny.learning_rate / 2
    found = store.newest()
    assert found is not None
    assert found.step == 2
    again = started(tiny, garments(), store)
    assert (again.step, again.recovery.tries, again.hyper) == (2, 1, run.hyper)
    assert "told nearly all" in again.release().card["events"][0]["cause"]


def measured(
    tiny: Hyperparameters, dataset: Dataset, store: Checkpoints, values: list[float]
) -> Run:
    recipe = Recipe(images=800, hyper=tiny, heldout=0.2)
    return Run(
        recipe, dataset, store,
        clock=Watch(0.1), start=None, judge=lambda _train, _held: FakeJudge(values),
        build=build_trainer,
    )  # fmt: skip


def advanced(run: Run, steps: int) -> None:
    """Train, and let the watchdog take what comes for telling."""
    for _ in range(steps):
        run.advance()
    run.images_seen = max(run.images_seen, QUIET_IMAGES)


def test_a_metric_far_off_its_best_sends_the_training_back_to_where_it_was_best(
    garments: MakeGarments, tiny: Hyperparameters
) -> None:
    store = MemoryCheckpoints()
    run = measured(tiny, garments(), store, [30.0, 20.0, 70.0])
    advanced(run, 1)
    run.measure()
    advanced(run, 1)
    run.measure()
    best = run.trainer.state()
    advanced(run, 1)
    assert run.save()
    run.measure()
    assert run.watchdog.uneasy
    run.report(ignore)
    assert (run.step, run.recovery.tries) == (2, 1)  # not to step 3, the newest that was saved
    assert all(np.array_equal(a, best[name]) for name, a in run.trainer.state().items())
    assert "as far off as at its best" in run.release().card["events"][0]["cause"]


def test_what_was_proven_good_outlives_a_resume(
    garments: MakeGarments, tiny: Hyperparameters
) -> None:
    store = MemoryCheckpoints()
    run = measured(tiny, garments(), store, [20.0])
    advanced(run, 2)
    run.measure()
    best = run.trainer.state()
    run.advance()
    assert run.save()
    again = measured(tiny, garments(), store, [70.0])
    assert again.step == 3
    again.images_seen = QUIET_IMAGES
    again.measure()
    again.report(ignore)
    assert again.step == 2
    assert all(np.array_equal(a, best[name]) for name, a in again.trainer.state().items())


def test_a_worse_reading_within_what_readings_err_is_no_collapse(
    garments: MakeGarments, tiny: Hyperparameters
) -> None:
    run = measured(tiny, garments(), MemoryCheckpoints(), [20.0, 40.0])
    for _ in range(2):
        advanced(run, 1)
        run.measure()
    assert len(run.readings.curve) == 2
    assert run.watchdog.verdict() is None


def test_what_may_be_collapsing_is_not_kept(garments: MakeGarments, tiny: Hyperparameters) -> None:
    store = MemoryCheckpoints()
    run = started(tiny, garments(), store)
    run.advance()
    assert run.save()
    run.watchdog.see_losses({"generator": 9.0}, 10**6)
    run.advance()
    assert run.save()
    found = store.newest()
    assert found is not None
    assert found.step == 1


def test_at_the_end_of_the_ladder_the_training_goes_on_and_says_so(
    garments: MakeGarments, tiny: Hyperparameters
) -> None:
    run = started(tiny, garments(), MemoryCheckpoints())
    for _ in range(len(LADDER) + 3):
        run.advance()
        collapse(run)
        run.report(ignore)
    assert run.recovery.tries == len(LADDER)
    assert run.release().card["events"][-1]["changed"] == "nothing: ladder ended"
    assert len(run.history.events) == len(LADDER) + 1


def collapse(run: Run) -> None:
    """Let the watchdog see what it sees of a collapse."""
    for _ in range(LOST_REPORTS):
        run.watchdog.see_losses({"generator": 9.0}, 10**6)
    # The next report's own loss must not end the row of bad ones.
    run.losses = {"generator": 9.0}
    run.images_seen = max(run.images_seen, QUIET_IMAGES)
    run.pending.clear()


def test_resume_repeats_to_the_bit_after_rate_and_augmentation_have_moved(
    garments: MakeGarments, tiny: Hyperparameters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.gan.adapting.EVERY_IMAGES", 16)
    monkeypatch.setattr("worker.gan.adapting.SHORTEST_SWING", 100)
    hyper = replace(tiny, cutout=0.3, augment=0.4, augment_target=0.01, ramp=0.5, warm_steps=4)
    recipe = Recipe(images=96, seed=9, hyper=hyper)
    catalog = garments(n=160)
    whole, halves = MemoryCheckpoints(), FolderCheckpoints(tmp_path)
    straight = train(recipe, catalog, whole, on_progress=ignore, should_stop=never)
    steps(recipe, catalog, halves, 7)
    resumed = train(recipe, catalog, halves, on_progress=ignore, should_stop=never)
    one, two = whole.newest(), halves.newest()
    assert one is not None
    assert two is not None
    assert one.files["state.npz"] == two.files["state.npz"]
    assert straight.card["augmentation"] == resumed.card["augmentation"]
    assert straight.card["augmentation"]["chance"] != 0.4


def test_the_best_state_by_the_metric_is_the_release_and_the_last_is_kept(
    garments: MakeGarments, tiny: Hyperparameters
) -> None:
    fake = FakeJudge([20.0])
    recipe = Recipe(images=96, hyper=tiny, measure_seconds=2.0)
    release = train(
        recipe, garments(n=160), MemoryCheckpoints(), clock=Watch(0.1),
        on_progress=ignore, should_stop=never, judge=lambda _train, _held: fake,
    )  # fmt: skip
    files = release.files()
    assert fake.shapes[0] == (20, 16, 16, 3)
    assert release.card["metric"] == fake.key
    curve = release.card["metric_curve"]
    assert len(curve) > 1
    assert curve[release.card["best_reading"]]["value"] == 20.0
    assert curve[-1]["images"] == 96
    assert files["last.npz"] != files["generator.npz"]


def test_a_metric_that_is_best_at_the_end_leaves_one_set_of_weights(
    garments: MakeGarments, tiny: Hyperparameters
) -> None:
    release = train(
        Recipe(images=64, hyper=tiny), garments(n=160), MemoryCheckpoints(),
        on_progress=ignore, should_stop=never, judge=lambda _train, _held: FakeJudge([9.0]),
    )  # fmt: skip
    assert len(release.card["metric_curve"]) == 1
    assert "last.npz" not in release.files()


def test_readings_survive_a_resume(
    garments: MakeGarments, tiny: Hyperparameters, tmp_path: Path
) -> None:
    recipe = Recipe(images=160, hyper=tiny, measure_seconds=2.0)
    store, catalog = FolderCheckpoints(tmp_path), garments(n=160)
    with pytest.raises(TrainingInterrupted):
        train(
            recipe, catalog, store, clock=Watch(0.1),
            on_progress=ignore, should_stop=StopAt(10),
            judge=lambda _train, _held: FakeJudge([20.0]),
        )  # fmt: skip
    release = train(
        recipe, catalog, store, clock=Watch(0.1),
        on_progress=ignore, should_stop=never, judge=lambda _train, _held: FakeJudge([]),
    )  # fmt: skip
    assert release.card["metric_curve"][0]["value"] == 20.0
    assert release.card["best_reading"] == 0


def test_a_metric_that_has_settled_ends_the_training(
    garments: MakeGarments, tiny: Hyperparameters
) -> None:
    recipe = Recipe(images=8000, hyper=tiny, measure_seconds=0.0, early_stop=3)
    reports: list[Progress] = []
    release = train(
        recipe, garments(n=160), MemoryCheckpoints(), clock=Watch(0.01),
        on_progress=reports.append, should_stop=never,
        judge=lambda _train, _held: FakeJudge([]),
    )  # fmt: skip
    assert release.card["images_seen"] < 8000
    assert release.card["events"][-1]["changed"] == "ended early"
    assert reports[-1].fraction == 1.0
    assert reports[-1].metric == FakeJudge.key
    assert len(reports[-1].metrics) == 4


def test_a_training_goes_on_from_a_release_with_a_grown_vocabulary(
    trained: Trained, garments: MakeGarments
) -> None:
    catalog = garments(n=60)
    grown = replace(
        catalog,
        labels={**catalog.labels, "season": (np.arange(60) % 2).astype(np.int32)},
        vocabulary={
            "shape": ("upright", "flat", "round"),
            "shade": ("light", "dark"),
            "season": ("summer", "winter"),
        },
        fingerprint="grown",
    )
    release = train(
        Recipe(images=16, seed=1), grown, MemoryCheckpoints(),
        on_progress=ignore, should_stop=never, start=trained[0].files(),
    )  # fmt: skip
    assert release.card["warm_start"]["vocabulary"] == dict(trained[0].anatomy.vocabulary)
    assert "shape=round" in " ".join(release.card["choices"])
    assert release.anatomy.vocabulary["season"] == ("summer", "winter")


def test_a_warm_start_begins_where_the_release_ended(
    trained: Trained, garments: MakeGarments, tiny: Hyperparameters
) -> None:
    catalog = garments(n=60)
    grown = replace(
        catalog,
        labels={**catalog.labels, "season": np.zeros(60, np.int32)},
        vocabulary={**catalog.vocabulary, "season": ("summer", "winter")},
        fingerprint="grown",
    )
    run = Run(
        Recipe(images=80), grown, MemoryCheckpoints(), clock=Watch(0.1),
        start=trained[0].files(), judge=None, build=build_trainer,
    )  # fmt: skip
    before = load_generator(trained[0].files())
    points = np.random.default_rng(0).standard_normal((4, tiny.latent)).astype(np.float32)
    none = np.zeros((4, 0, 3), np.float32)
    labels = np.array([[0, 1], [1, -1], [-1, -1], [1, 0]], np.int32)
    with_season = np.column_stack([labels, [0, 1, -1, 0]]).astype(np.int32)
    theirs = before.network(points, labels, none).numpy()
    ours = run.trainer.sample(points, with_season, none)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_release_of_another_size_is_no_start(trained: Trained, garments: MakeGarments) -> None:
    with pytest.raises(InvalidInputError, match="16x16 px"):
        train(
            Recipe(images=16), garments(size=20), MemoryCheckpoints(),
            on_progress=ignore, should_stop=never, start=trained[0].files(),
        )  # fmt: skip


def test_a_catalog_of_odd_size_is_learned_and_given_back(
    garments: MakeGarments, tiny: Hyperparameters
) -> None:
    hyper = replace(tiny, generator_widths=(8, 8, 8), discriminator_widths=(8, 8))
    release = train(
        Recipe(images=16, hyper=hyper),
        garments(size=22), MemoryCheckpoints(), on_progress=ignore, should_stop=never,
    )  # fmt: skip
    made = load_generator(release.files()).generate([1], [{}])
    assert made.shape == (1, 22, 22, 3)
    assert any("padded to 24x24" in choice for choice in release.card["choices"])
