"""The judge that trainings use unless told otherwise: a classifier of the catalog's own labels."""

import logging
from collections.abc import Callable, Mapping
from typing import Final

from worker.gan.data import Dataset
from worker.gan.measure.classifier import Classifier, has_labels, train_classifier
from worker.gan.measure.judge import Judge

LOG: Final = logging.getLogger(__name__)

FEWEST: Final = 64
"""Garments held out, below which a distance to them says nothing."""

FILE: Final = "extractor-A.npz"
"""As `Extractors` name it, so that one that is kept serves both."""


class Judging:
    """Makes the judge of a training, from a classifier that is kept or trained now.

    It is trained on the same garments as the networks and never sees the held-out ones; it chooses
    which state is published and when to stop, and enters no loss.

    Attributes:
        classifier: what judges; None until asked, and where there is nothing to learn.
    """

    def __init__(
        self,
        kept: Mapping[str, bytes] | None = None,
        *,
        seed: int = 0,
        on_progress: Callable[[float], None] | None = None,
    ) -> None:
        """Prepare.

        Args:
            kept: files of extractors of the same garments; the classifier in them is used.
            seed: of the classifier, where one is trained.
            on_progress: called with the share of that training that is done; may raise to stop.
        """
        self._kept = kept or {}
        self._seed = seed
        self._on_progress = on_progress
        self.classifier: Classifier | None = None

    def __call__(self, train: Dataset, heldout: Dataset) -> Judge | None:
        """Return the judge; None where the catalog has no labels or holds out too few garments."""
        if heldout.n < FEWEST or not has_labels(train):
            LOG.info("Nothing judges: %d garments held out, or no labels to learn", heldout.n)
            return None
        if FILE in self._kept:
            self.classifier = Classifier.from_bytes(self._kept[FILE])
        else:
            self.classifier = train_classifier(
                train, seed=self._seed, on_progress=self._on_progress
            )
        return Judge(self.classifier, heldout)
