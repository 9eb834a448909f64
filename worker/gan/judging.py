"""The judge that trainings use unless told otherwise: a classifier of the catalog's own labels."""

import logging
from collections.abc import Callable, Mapping
from typing import Final

from shared.errors import UnreadableSourceError
from worker.gan.data import Dataset
from worker.gan.measure.classifier import Classifier, has_labels, train_classifier
from worker.gan.measure.extractors import file_of
from worker.gan.measure.fitting import default_steps
from worker.gan.measure.judge import Judge

LOG: Final = logging.getLogger(__name__)

FEWEST: Final = 64
"""Garments held out, below which a distance to them says nothing."""

LEAST_STEPS: Final = 32

STEPS_A_MINUTE: Final = 100
"""Of an extractor's training, for each minute of the generator's: a tenth of its time, about."""

IMAGES_A_STEP: Final = 500
"""The same for a budget in images: an eighth of them for A, a quarter for B."""

FILE: Final = file_of(Classifier.letter)
"""Of the classifier: one that is kept serves the judge and the figures."""


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
        steps: int | None = None,
        keep: Callable[[dict[str, bytes]], None] | None = None,
        on_progress: Callable[[float], None] | None = None,
    ) -> None:
        """Prepare.

        Args:
            kept: files of extractors of the same garments; the classifier in them is used.
            steps: of each extractor's training; None chooses by the number of garments.
            keep: given the classifier's file as soon as it is trained, so that a resume need not
                train it again.
            on_progress: called with the share of that training that is done; may raise to stop.
        """
        self.kept = kept or {}
        self.steps = steps
        self._keep = keep
        self._on_progress = on_progress
        self.classifier: Classifier | None = None

    def __call__(self, train: Dataset, heldout: Dataset) -> Judge | None:
        """Return the judge; None where the catalog has no labels or holds out too few garments."""
        if heldout.n < FEWEST or not has_labels(train):
            LOG.info("Nothing judges: %d garments held out, or no labels to learn", heldout.n)
            return None
        self.classifier = self._classifier_kept() or self._classifier_trained(train)
        return Judge(self.classifier, heldout)

    def _classifier_kept(self) -> Classifier | None:
        try:
            return Classifier.from_bytes(self.kept[FILE]) if FILE in self.kept else None
        except UnreadableSourceError as error:
            LOG.warning("The kept classifier is trained again: %s", error)
            return None

    def _classifier_trained(self, train: Dataset) -> Classifier:
        trained = train_classifier(train, seed=0, steps=self.steps, on_progress=self._on_progress)
        if self._keep is not None:
            self._keep({FILE: trained.to_bytes()})
        return trained


def steps_for(garments: int, *, minutes: float | None, images: int | None) -> int:
    """Return how long to train each extractor beside a training of such a budget.

    A long training earns extractors that know their catalog well; a short one must not wait for
    them longer than for itself.
    """
    full = default_steps(garments)
    if minutes is not None:
        return max(LEAST_STEPS, min(full, round(STEPS_A_MINUTE * minutes)))
    return max(LEAST_STEPS, min(full, (images or 0) // IMAGES_A_STEP))
