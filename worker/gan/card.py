"""The card of a release: what it learned from, how, on what, and what it is for."""

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from worker.gan.data import Dataset
from worker.gan.device import Device
from worker.gan.recipe import Recipe

INTENDED = (
    "Sketching ideas for garments in the manner of this catalog: moodboards, variations, "
    "suggestions that a person looks at before anybody buys."
)
NOT_INTENDED = (
    "Not pictures of garments that exist; not for showing shoppers as goods in stock; not for "
    "garments unlike those in the catalog; no proof that a design is new or free of others' "
    "rights."
)
LICENCE = (
    "The weights are derived from the catalog's images: whoever holds the rights to those decides "
    "what may be done with the weights and the designs. The code that trained them is Apache-2.0."
)


def write(
    *,
    dataset: Dataset,
    recipe: Recipe,
    device: Device,
    choices: Sequence[str],
    history: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the card as plain data for JSON.

    Args:
        dataset: what was learned.
        recipe: resolved, with its hyper-parameters.
        device: what it ran on last.
        choices: one sentence a choice made by `auto`.
        history: steps, images, seconds, speed, loss curve and what was mended, from the run.
    """
    return {
        "format": 1,
        "trained_on": {
            "garments": dataset.n,
            "size": dataset.size,
            "channels": dataset.channels,
            "colours": dataset.slots > 0,
            "fingerprint": dataset.fingerprint,
            "attributes": dataset.counts(),
        },
        "recipe": recipe.as_dict(),
        "choices": list(choices),
        "device": {"kind": device.kind, "name": device.name, "policy": device.policy},
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("toile", "keras", "numpy")},
            "tensorflow": _tensorflow_version(),
        },
        **history,
        "intended_use": INTENDED,
        "not_intended_use": NOT_INTENDED,
        "licence": LICENCE,
    }


def _tensorflow_version() -> str:
    """The package is tensorflow or tensorflow-cpu, by platform; the module knows."""
    import tensorflow as tf

    return str(tf.__version__)
