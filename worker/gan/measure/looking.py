"""Looking at images once, a thousand at a time, and keeping only what figures need of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.pictures.resize import resize_pixels
from worker.gan.data import Dataset
from worker.gan.frame import Frame
from worker.gan.measure.extractors import Extractors
from worker.gan.measure.judge import AT_ONCE, Sampler, rows, sampled
from worker.gan.measure.trunk import seen_side

MeasureColours = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""uint8 [n, h, w, 3] -> CIELAB float32 [n, 2, 3], main and second colour, NaN where none."""


@dataclass(frozen=True)
class Conditions:
    """What images were asked to be, or, for real ones, what they are.

    Attributes:
        labels: int32 [n, attributes], -1 for unknown.
        colours: CIELAB float32 [n, 0 or 2, 3], NaN for unknown.
    """

    labels: NDArray[np.int32]
    colours: NDArray[np.float32]

    @classmethod
    def of(cls, dataset: Dataset, places: NDArray[np.int64]) -> "Conditions":
        """Take those of some garments."""
        return cls(dataset.label_matrix()[places], dataset.colour_matrix()[places])


@dataclass(frozen=True)
class Seen:
    """What is kept of n images.

    Attributes:
        features: extractor's letter -> float32 [n, d].
        probabilities: attribute -> float32 [n, values], by A; empty without A.
        labels: attribute -> int32 [n], as asked for; -1 where open.
        asked: main colour as asked for, CIELAB [n, 3]; None where colour is no condition.
        colours: main colour as measured, CIELAB [n, 3]; None likewise.
        images: uint8 [n, side, side, channels], of 64 px at most.
    """

    features: Mapping[str, NDArray[np.float32]]
    probabilities: Mapping[str, NDArray[np.float32]]
    labels: Mapping[str, NDArray[np.int32]]
    asked: NDArray[np.float32] | None
    colours: NDArray[np.float32] | None
    images: NDArray[np.uint8]

    @property
    def n(self) -> int:
        """Number of images."""
        return len(self.images)


@dataclass(frozen=True)
class Eye:
    """Looks at images with a catalog's extractors.

    Attributes:
        extractors: of the catalog.
        attributes: of the catalog, in its order.
        measure_colours: the measure of a garment's colours; None measures none.
    """

    extractors: Extractors
    attributes: tuple[str, ...]
    measure_colours: MeasureColours | None = None

    def look(self, chunks: Iterable[NDArray[np.uint8]], conditions: Conditions) -> Seen:
        """Look at images that come in chunks, uint8 [some, height, width, channels]."""
        wants_colour = self.measure_colours is not None and conditions.colours.shape[1] > 0
        glances = [self._glance(chunk, wants_colour=wants_colour) for chunk in chunks]
        joined = {name: np.concatenate([glance[name] for glance in glances]) for name in glances[0]}
        columns = dict(zip(self.attributes, conditions.labels.T, strict=True))
        return Seen(
            _under(joined, "features/"), _under(joined, "probabilities/"), columns,
            conditions.colours[:, 0] if wants_colour else None, joined.get("colours"),
            joined["images"],
        )  # fmt: skip

    def garments(self, dataset: Dataset, places: NDArray[np.int64]) -> Seen:
        """Look at some real garments."""
        chunks = (
            dataset.images[places[start : start + AT_ONCE]]
            for start in range(0, len(places), AT_ONCE)
        )
        return self.look(chunks, Conditions.of(dataset, places))

    def designs(self, sampler: Sampler, dataset: Dataset, *, n: int, seed: int) -> Seen:
        """Look at n images made to the conditions of a dataset's own garments."""
        asked = Conditions.of(dataset, rows(dataset.n, n, seed=seed))
        return self.look(sampled(sampler, asked.labels, asked.colours, seed=seed), asked)

    def noise(self, dataset: Dataset, *, n: int, seed: int) -> Seen:
        """Look at n images of even noise, as if they had been made to a dataset's conditions."""
        asked = Conditions.of(dataset, rows(dataset.n, n, seed=seed))
        return self.look(_noise(dataset.images.shape[1:], n, seed), asked)

    def _glance(
        self, images: NDArray[np.uint8], *, wants_colour: bool
    ) -> dict[str, NDArray[np.float32] | NDArray[np.uint8]]:
        square = Frame(images.shape[1], images.shape[2]).inward(images)
        found: dict[str, NDArray[np.float32] | NDArray[np.uint8]] = {
            "images": resize_pixels(square, seen_side(square.shape[1]))
        }
        a = self.extractors.a
        if a is not None:
            found["features/A"], shares = a.read(images)
            found |= {f"probabilities/{name}": share for name, share in shares.items()}
        for other in (self.extractors.b, self.extractors.c):
            found[f"features/{other.letter}"] = other.features(images)
        if wants_colour and self.measure_colours is not None:
            found["colours"] = self.measure_colours(images)[:, 0]
        return found


def _under(found: Mapping[str, NDArray[np.float32]], prefix: str) -> dict[str, NDArray[np.float32]]:
    return {
        name.removeprefix(prefix): part for name, part in found.items() if name.startswith(prefix)
    }


def _noise(shape: tuple[int, ...], n: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    draw = np.random.default_rng([seed, n])
    for start in range(0, n, AT_ONCE):
        yield draw.integers(0, 256, (min(AT_ONCE, n - start), *shape), np.uint8)
