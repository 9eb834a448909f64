"""How a training ends: its release, and what the card says of it."""

from typing import TYPE_CHECKING, Any

from worker.gan import card
from worker.gan.anatomy import Anatomy
from worker.gan.release import TrainedRelease

if TYPE_CHECKING:
    from worker.gan.run import Run


def release_of(run: "Run") -> TrainedRelease:
    """Return the best averaged generator with its card, and the last one beside it."""
    last = run.trainer.average.get_weights()
    critic = run.trainer.critic.get_weights()
    best = run.readings.best
    earlier = best is not None and best is not run.readings.curve[-1]
    if earlier:
        run.trainer.average.set_weights(run.readings.weights)
    sheet = run.samples.sheet(run.trainer.sample)
    written = card.write(
        dataset=run.dataset, recipe=run.recipe, device=run.device,
        choices=run.choices, history=told(run),
    )  # fmt: skip
    anatomy = Anatomy(
        run.recipe.preset, run.settings_first, run.dataset.frame, run.dataset.channels,
        dict(run.dataset.vocabulary), run.dataset.slots, run.combinations,
    )  # fmt: skip
    weights = run.readings.weights if earlier else last
    return TrainedRelease(
        weights, anatomy, written, sheet, critic, last if earlier else ()
    )  # fmt: skip


def told(run: "Run") -> dict[str, Any]:
    """Return what the card says of this run."""
    seconds = run.budget.elapsed()
    joules = run.energy.joules()
    best = run.readings.best
    return {
        "steps": run.step,
        "images_seen": run.images_seen,
        "seconds": round(seconds, 1),
        "images_per_second": round(run.images_seen / max(seconds, 1e-9), 1),
        "energy_joules": None if joules is None else round(joules),
        "held_out": 0 if run.heldout is None else run.heldout.n,
        "losses": run.history.curve,
        "metric": run.judge.key if run.judge else None,
        "metric_curve": run.readings.as_dicts(),
        "best_reading": run.readings.curve.index(best) if best else None,
        "augmentation": run.augment.as_dict(),
        "events": run.history.events,
        "warm_start": run.warm.told if run.warm else None,
    }
