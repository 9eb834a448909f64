"""Whether a release draws: its files are loaded as a worker loads them, and it paints."""

from collections.abc import Mapping

import numpy as np

from shared.errors import ReleaseCorruptError

_SEEDS = (1, 2)


def draws(files: Mapping[str, bytes]) -> str | None:
    """Return what is wrong with a release, or None: it loads, and paints two pictures that differ.

    Args:
        files: of a release, by name.
    """
    from worker.gan.device import prepare
    from worker.gan.release import load_generator

    prepare()
    try:
        generator = load_generator(files)
    except ReleaseCorruptError as error:
        return str(error)
    painted = generator.generate(_SEEDS, [{}] * len(_SEEDS), temper=[1.0] * len(_SEEDS))
    side = generator.size
    if painted.shape[:3] != (len(_SEEDS), side, side) or painted.dtype != np.uint8:
        return f"paints {painted.dtype} {painted.shape}"
    if np.array_equal(painted[0], painted[1]):
        return "paints the same for every seed"
    return None
