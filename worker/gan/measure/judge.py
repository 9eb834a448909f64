"""The judge of a training: one distance to held-out garments, cheap enough to read often."""

from collections.abc import Callable, Iterator
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidInputError
from worker.gan.data import Dataset
from worker.gan.measure.distances import Moments, frechet_estimate, kernel_distance
from worker.gan.measure.extractors import Extractor
from worker.gan.measure.figures import Figure, error_interval, key

Sampler = Callable[[NDArray[np.int32], NDArray[np.float32], int], NDArray[np.uint8]]
"""(labels int32 [n, attributes], colours float32 [n, slots, 3], seed) -> uint8 [n, h, w, c]"""

FEW: Final = 512
"""Below this many images a covariance of 128 features is mostly chance; the kernel distance has
no bias at any number."""

AT_ONCE: Final = 1_000
"""Images that a sampler is asked for in one call."""

Distance = Literal["auto", "fd", "kd"]


class Judge:
    """Reads how far a sampler's garments are from real ones, with what is known of those kept.

    Attributes:
        key: of its figures.
    """

    def __init__(
        self, extractor: Extractor, reference: Dataset, *, distance: Distance = "auto"
    ) -> None:
        """Look at the reference once.

        Args:
            extractor: A, where there is one.
            reference: garments held out of the training.
            distance: "fd" (Frechet), "kd" (kernel), or "auto": "fd" from FEW garments on.
        """
        chosen = distance if distance != "auto" else ("fd" if reference.n >= FEW else "kd")
        self.key = key(f"{chosen}_indomain", extractor=extractor.letter, digest=extractor.digest)
        self._extractor = extractor
        self._frechet = chosen == "fd"
        self._features = extractor.features(reference.images)
        self._moments = Moments.of(self._features)
        self._labels = reference.label_matrix()
        self._colours = reference.colour_matrix()

    def read(self, sampler: Sampler, n: int = 2_000, seed: int = 0) -> Figure:
        """Return the distance of n garments made to the reference's own conditions.

        The interval tells the chance of drawing these garments and not others. Read with the same
        `n` and `seed` throughout a training: the same conditions are asked for each time.

        Raises:
            InvalidInputError: the sampler made images of another number or shape.
        """
        order = rows(len(self._labels), n, seed=seed)
        parts = [
            self._extractor.features(images)
            for images in sampled(sampler, self._labels[order], self._colours[order], seed=seed)
        ]
        features = np.concatenate(parts)
        if self._frechet:
            found = frechet_estimate(features, self._moments)
        else:
            found = kernel_distance(features, self._features, seed=seed)
        note = f"against {len(self._labels)} held-out garments"
        return Figure(self.key, found.value, error_interval(found.value, found.error), n, note=note)


def rows(count: int, n: int, *, seed: int) -> NDArray[np.int64]:
    """Return n places among `count`, each as often as the others before any comes again."""
    draw = np.random.default_rng([seed, n])
    return np.concatenate([draw.permutation(count) for _ in range(-(-n // count))])[:n]


def sampled(
    sampler: Sampler, labels: NDArray[np.int32], colours: NDArray[np.float32], *, seed: int
) -> Iterator[NDArray[np.uint8]]:
    """Yield the sampler's images a thousand at a time; each call has its own seed.

    Raises:
        InvalidInputError: the sampler made images of another number.
    """
    starts = range(0, len(labels), AT_ONCE)
    seeds = np.random.SeedSequence([seed, len(labels)]).generate_state(len(starts)).tolist()
    for start, own in zip(starts, seeds, strict=True):
        part = slice(start, start + AT_ONCE)
        images = sampler(labels[part], colours[part], own)
        if len(images) != len(labels[part]):
            raise InvalidInputError(
                f"The sampler was asked for {len(labels[part])} images and made {len(images)}. "
                "It must make one for each row of labels."
            )
        yield images
