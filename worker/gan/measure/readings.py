"""One reading: every figure's number for one set of images, generated, real or noise."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.colour import delta_e
from worker.gan.measure.classifier import hits
from worker.gan.measure.distances import (
    Moments,
    classifier_score,
    frechet_distance,
    kernel_distance,
)
from worker.gan.measure.figures import key
from worker.gan.measure.looking import Seen
from worker.gan.measure.neighbours import prdc
from worker.pictures.crowd import Crowd

FEWEST_OF_VALUE: Final = 20
"""Garments of a value, on each side, below which its own distance is left out."""

MOST_VALUES: Final = 32
"""Values of the first attribute that get their own distance, the commonest first."""

RANKS: Final = {"first": 1.0, "median": 50.0}
"""Percentiles of the distances from held-out garments to the catalog."""

Reading = Iterator[tuple[str, float]]


@dataclass(frozen=True)
class Yardstick:
    """What images are read against.

    Attributes:
        reference: the held-out garments.
        digests: extractor's letter -> its digest.
        catalog: letter -> features of every garment that was trained on; for the spaces in which
            copies are looked for.
        vocabulary: attribute -> its values.
        seed: of the kernel distances' draws.
    """

    reference: Seen
    digests: Mapping[str, str]
    catalog: Mapping[str, NDArray[np.float32]]
    vocabulary: Mapping[str, tuple[str, ...]]
    seed: int

    def read(self, seen: Seen) -> dict[str, float]:
        """Return key -> number for everything that can be read from these images."""
        found: dict[str, float] = {}
        for part in (
            self._distances(seen), self._neighbours(seen), self.classified(seen),
            self._by_value(seen), _colour_error(seen),
        ):  # fmt: skip
            found.update(part)
        return found

    def copies(self, seen: Seen) -> dict[str, float]:
        """Return the shares of images nearer to the catalog than held-out garments are."""
        found = {}
        for letter, limits in self._limits.items():
            distances = Crowd(self.catalog[letter]).nearest(seen.features[letter])
            for rank, limit in limits.items():
                family = f"nearest_training_percentile.{rank}"
                found[self.key(family, letter)] = float((distances < limit).mean())
        return found

    def key(self, family: str, letter: str, condition: str = "") -> str:
        """Return the key of a family as one extractor sees it."""
        return key(family, extractor=letter, digest=self.digests[letter], condition=condition)

    @cached_property
    def _moments(self) -> dict[str, Moments]:
        return {letter: Moments.of(rows) for letter, rows in self.reference.features.items()}

    @cached_property
    def _limits(self) -> dict[str, dict[str, float]]:
        limits = {}
        for letter, rows in self.catalog.items():
            distances = Crowd(rows).nearest(self.reference.features[letter])
            limits[letter] = {
                rank: float(np.percentile(distances, percent)) for rank, percent in RANKS.items()
            }
        return limits

    def _distances(self, seen: Seen) -> Reading:
        for letter, rows in seen.features.items():
            fd = frechet_distance(self._moments[letter], Moments.of(rows))
            yield self.key("fd_indomain", letter), fd
            kd = kernel_distance(rows, self.reference.features[letter], seed=self.seed)
            yield self.key("kd_indomain", letter), kd.value

    def _neighbours(self, seen: Seen) -> Reading:
        for letter in sorted(seen.features)[:2]:
            found = prdc(self.reference.features[letter], seen.features[letter])
            for name in ("precision", "recall", "density", "coverage"):
                yield self.key(f"prdc_indomain.{name}", letter), getattr(found, name)

    def classified(self, seen: Seen) -> Reading:
        """Yield what A says of images: whether they are what was asked, and how sure and varied."""
        for attribute, share in hits(seen.probabilities, seen.labels).items():
            if np.isfinite(share):
                yield self.key("condition_accuracy", "A", attribute), share
        for rows in list(seen.probabilities.values())[:1]:
            yield self.key("classifier_score", "A"), classifier_score(rows)

    def _by_value(self, seen: Seen) -> Reading:
        """Read B, which knows no labels, so that A's mistakes about them do not matter."""
        for attribute, theirs in list(self.reference.labels.items())[:1]:
            values, counts = np.unique(theirs[theirs >= 0], return_counts=True)
            for value in values[np.argsort(-counts, kind="stable")][:MOST_VALUES].tolist():
                ours, known = seen.labels[attribute] == value, theirs == value
                if min(ours.sum(), known.sum()) >= FEWEST_OF_VALUE:
                    distance = kernel_distance(
                        seen.features["B"][ours], self.reference.features["B"][known],
                        seed=self.seed,
                    )  # fmt: skip
                    yield (
                        self.key(
                            "kd_indomain", "B", f"{attribute}={self.vocabulary[attribute][value]}"
                        ),
                        distance.value,
                    )


def _colour_error(seen: Seen) -> Reading:
    if seen.asked is None or seen.colours is None:
        return
    known = np.isfinite(seen.asked).all(axis=1) & np.isfinite(seen.colours).all(axis=1)
    if known.any():
        yield (
            key("colour_error"),
            float(np.median(delta_e(seen.asked[known], seen.colours[known]))),
        )
