"""The three extractors of a catalog: A knows its labels, B its images, C nothing.

None of them ever enters a training loss: a distance that the generator was trained on says nothing
(Kynkaanniemi et al. 2022, arXiv 2203.06026). A alone would not do: a classifier's features are
blind to what does not tell its values apart, so B and C look as well.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from shared.errors import UnreadableSourceError
from worker.gan.data import Dataset
from worker.gan.measure.classifier import Classifier, has_labels, train_classifier
from worker.gan.measure.encoder import Encoder, train_encoder
from worker.gan.measure.untrained import Untrained


def file_of(letter: str) -> str:
    """Return the name of an extractor's file, by which one that is kept is found again."""
    return f"extractor-{letter}.npz"


class Extractor(Protocol):
    """Turns images into features that can be compared.

    Attributes:
        letter: "A", "B" or "C".
        digest: 8 hex digits that name its architecture and weights.
    """

    letter: ClassVar[str]
    digest: str

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [n, height, width, channels] -> float32 [n, d]; always the same for an image."""


@dataclass(frozen=True)
class Extractors:
    """A catalog's three extractors.

    Attributes:
        a: the classifier; None where the catalog has no labels to learn.
        b: the self-supervised encoder.
        c: the untrained network.
    """

    a: Classifier | None
    b: Encoder
    c: Untrained

    @classmethod
    def train(
        cls,
        dataset: Dataset,
        *,
        seed: int,
        steps: int | None = None,
        on_progress: Callable[[float], None] | None = None,
    ) -> Self:
        """Train A and B on a catalog, without the garments that are held out for measuring.

        Args:
            dataset: what to learn.
            seed: every draw follows from it; the same seed gives the same weights.
            steps: of each; None chooses by the number of garments.
            on_progress: called after each step with the share done, 0..1; may raise to stop.
        """
        labelled = has_labels(dataset)
        first, second = _shares(on_progress, parts=2) if labelled else (None, on_progress)
        return cls(
            train_classifier(dataset, seed=seed, steps=steps, on_progress=first)
            if labelled
            else None,
            train_encoder(dataset, seed=seed, steps=steps, on_progress=second),
            Untrained(frame=dataset.frame, channels=dataset.channels),
        )

    def present(self) -> list[Extractor]:
        """Return those that there are, A first."""
        return [self.a, self.b, self.c] if self.a else [self.b, self.c]

    def to_files(self) -> dict[str, bytes]:
        """Return one .npz an extractor, by file name; the same extractors give the same bytes."""
        every: list[Any] = self.present()
        return {file_of(one.letter): one.to_bytes() for one in every}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """Read what `to_files` wrote; without A's file, A is None.

        Raises:
            UnreadableSourceError: a file is missing or damaged.
        """
        try:
            b, c = files[file_of(Encoder.letter)], files[file_of(Untrained.letter)]
        except KeyError as problem:
            raise UnreadableSourceError(
                f"There is no {problem} among {sorted(files)}. Train the extractors anew."
            ) from problem
        a = files.get(file_of(Classifier.letter))
        return cls(
            Classifier.from_bytes(a) if a is not None else None,
            Encoder.from_bytes(b),
            Untrained.from_bytes(c),
        )


def _shares(
    on_progress: Callable[[float], None] | None, *, parts: int
) -> list[Callable[[float], None] | None]:
    """Return one function a part, each telling its own stretch of the whole."""
    if on_progress is None:
        return [None] * parts

    def told(part: int) -> Callable[[float], None]:
        return lambda share: on_progress((part + share) / parts)

    return [told(part) for part in range(parts)]
