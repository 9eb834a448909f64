"""Settling a training's recipe: what is open is chosen, or taken from a checkpoint or a release."""

from dataclasses import replace

from shared.errors import CheckpointCorruptError
from worker.gan.choices import Situation, resolve
from worker.gan.data import Dataset
from worker.gan.device import Device
from worker.gan.recipe import Precision, Recipe
from worker.gan.state import State
from worker.gan.warm import WarmStart

KEPT = ("preset", "width", "hyper", "heldout")
"""What a resume takes from the first start, whatever is asked now."""


def settle(
    asked: Recipe, dataset: Dataset, *, device: Device, warm: WarmStart | None
) -> tuple[Recipe, list[str]]:
    """Choose what is open for a training that begins.

    Args:
        asked: the recipe.
        dataset: what to learn.
        device: what it will run on.
        warm: a release to go on from, whose preset and settings are taken.

    Returns:
        The recipe with nothing open, and one sentence a choice.
    """
    situation = _situation(dataset, device)
    settled, words = resolve(warm.lead(asked) if warm else asked, situation)
    more = [warm.words if warm else None, dataset.frame.words()]
    return settled, [*words, *(sentence for sentence in more if sentence)]


def usual_rate(settled: Recipe, dataset: Dataset, *, device: Device) -> float:
    """Return the learning rate that would be chosen here, whatever was asked for."""
    chosen, _ = resolve(replace(settled, hyper=None), _situation(dataset, device))
    if chosen.hyper is None:
        raise AssertionError("a settled recipe has its settings")
    return chosen.hyper.learning_rate


def settle_again(
    asked: Recipe, dataset: Dataset, saved: State, *, device: Device
) -> tuple[Recipe, list[str]]:
    """Keep what was chosen when the training began, and take the new budget.

    The precision is kept as well, unless another one is asked for now or the device that goes on
    has to emulate it.

    Raises:
        CheckpointCorruptError: the checkpoint is of another catalog, seed or network.
    """
    before = saved.recipe
    same = (
        saved.fingerprint == dataset.fingerprint
        and before.seed == asked.seed
        and asked.hyper in {None, before.hyper}
        and asked.preset in {"auto", before.preset}
    )
    if not same:
        raise CheckpointCorruptError(
            "The checkpoint is of another catalog, seed or network. "
            "Resume with the first ones, or start in an empty place."
        )
    kept = replace(asked, **{name: getattr(before, name) for name in KEPT})
    precision, words = _precision_again(asked, before, device)
    return replace(kept, precision=precision), [*saved.choices, *words]


def _situation(dataset: Dataset, device: Device) -> Situation:
    return Situation(
        dataset.frame.side, dataset.channels, dataset.n, dataset.imbalance(), device.kind,
        colours=dataset.slots > 0, halves=device.halves,
    )  # fmt: skip


def _precision_again(asked: Recipe, before: Recipe, device: Device) -> tuple[Precision, list[str]]:
    now = before.precision if asked.precision == "auto" else asked.precision
    if now == "bfloat16" and asked.precision == "auto" and not device.halves:
        now = "float32"
    if now == before.precision:
        return now, []
    return now, [f"Precision {now} from here on: the training goes on on {device.name}."]
