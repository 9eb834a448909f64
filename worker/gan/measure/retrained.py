"""Fresh classifiers: trained on generated garments and tested on real ones, and the converse."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from worker.gan.measure import trunk
from worker.gan.measure.classifier import Classifier, classifier_of
from worker.gan.measure.figures import key
from worker.gan.measure.fitting import default_steps
from worker.gan.measure.looking import Seen

_LETTER: Final = "T"


@dataclass(frozen=True)
class Retrained:
    """Trains and tests fresh classifiers for the classification accuracy scores.

    Ravuri & Vinyals 2019, arXiv 1905.10887; as GAN-train and GAN-test, Shmelkov et al. 2018,
    arXiv 1807.09499.

    Attributes:
        test: the held-out garments.
        vocabulary: attribute -> its values.
        seed: of the classifiers.
        steps: that each is trained for.
        digest: names how they are trained and on what they are tested.
    """

    test: Seen
    vocabulary: Mapping[str, tuple[str, ...]]
    seed: int
    steps: int
    digest: str

    @classmethod
    def of(
        cls, test: Seen, vocabulary: Mapping[str, tuple[str, ...]], *,
        fingerprint: str, n: int, seed: int, steps: int | None,
    ) -> "Retrained":  # fmt: skip
        """Settle the number of steps: half of what extractor A gets for as many garments."""
        steps = steps or max(64, default_steps(n) // 2)
        about = json.dumps([trunk.ARCHITECTURE, steps, n, fingerprint])
        return cls(test, vocabulary, seed, steps, hashlib.sha256(about.encode()).hexdigest()[:8])

    def train(
        self, seen: Seen, *, on_progress: Callable[[float], None] | None = None
    ) -> Classifier:
        """Train a fresh one on these images and what they were asked to be."""
        labels = np.stack(list(seen.labels.values()), axis=1)
        return classifier_of(
            seen.images, labels, self.vocabulary, seed=self.seed, steps=self.steps,
            on_progress=on_progress,
        )  # fmt: skip

    def read(self, classifier: Classifier, tested: Seen, family: str) -> dict[str, float]:
        """Return key -> share that a classifier tells right, for each attribute."""
        shares = classifier.accuracy(tested.images, tested.labels)
        return {
            key(family, extractor=_LETTER, digest=self.digest, condition=attribute): share
            for attribute, share in shares.items()
            if np.isfinite(share)
        }
