"""The whole suite: every figure of a generator, with what real garments and noise would get."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from shared.errors import InvalidInputError
from worker.gan.data import Dataset
from worker.gan.measure.classifier import Classifier, has_labels
from worker.gan.measure.extractors import Extractors
from worker.gan.measure.figures import Figure, mean_interval, parts
from worker.gan.measure.judge import FEW, Judge, Sampler, rows
from worker.gan.measure.looking import Eye, MeasureColours, Seen
from worker.gan.measure.readings import RANKS, Yardstick
from worker.gan.measure.retrained import Retrained

LIGHT_IMAGES: Final = 2_000
"""Images of a light measurement at most."""

_HIGHER_IS_BETTER: Final = (
    "prdc_indomain", "classifier_score", "condition_accuracy", "train_on", "test_on",
)  # fmt: skip

_COPY_SPACES: Final = ("B", "C")
"""A would not do: it draws all garments of a value together, and then all look like copies."""

_NOTES: Final = {
    "classifier_score": "of the first attribute; the ceiling is the held-out garments' own score",
    "condition_accuracy": "the ceiling is how often the classifier is right on held-out garments",
    "colour_error": "median CIEDE2000 between the main colour asked for and the one measured",
    "nearest_training_percentile": (
        "share nearer to a training garment than that percentile of held-out garments; the floor "
        "is theirs, the ceiling that of a catalog learned by heart"
    ),
    "train_on_generated": "the ceiling is that of as many real training garments",
    "test_on_generated": "by a classifier of real garments; the ceiling is theirs, held out",
}

_TRAINED, _TESTED = "train_on_generated", "test_on_generated"


def measure(  # noqa: PLR0913 - one keyword an option
    sampler: Sampler,
    *,
    train: Dataset,
    test: Dataset,
    extractors: Extractors,
    seed: int,
    n: int = 10_000,
    seeds: int = 5,
    light: bool = False,
    measure_colours: MeasureColours | None = None,
    classifier_steps: int | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> list[Figure]:
    """Measure a generator against garments that were held out of its training.

    Garments are asked for by the held-out garments' own labels and colours, so that both sides
    have the same mixture. Each number is the mean over several seeds, with Student's interval.

    Args:
        sampler: makes images.
        train: what generator and extractors learned.
        test: what neither has seen, of the same size, channels and vocabulary.
        extractors: of this catalog; without A, figures that need labels are left out.
        seed: every draw follows from it.
        n: garments to make for a reading; half of the training garments at most, so that real
            ones can be measured in the same number.
        seeds: readings.
        light: only the distance of a `Judge`, on at most LIGHT_IMAGES garments.
        measure_colours: measures a garment's colours; None leaves `colour_error` out.
        classifier_steps: of the classifiers trained on generated garments; None chooses by n.
        on_progress: called between parts with the share done, 0..1; may raise to stop.

    Raises:
        InvalidInputError: sampler or extractors are for other images, or there are fewer than
            six garments to compare.
    """
    if light:
        judge = Judge(extractors.a or extractors.b, test)
        return [judge.read(sampler, min(n, LIGHT_IMAGES), seed)]
    _check_alike(train, test)
    n = min(n, train.n // 2)
    eye = Eye(extractors, tuple(train.vocabulary), measure_colours)
    told = _Told(on_progress, parts=2 * seeds + 5)
    bench = _Bench.set_up(
        eye, train, test, n=n, seed=seed, classifier_steps=classifier_steps, told=told
    )
    runs = []
    for number in range(seeds):
        seen = eye.designs(sampler, test, n=n, seed=_seed(seed, number))
        told()
        runs.append(bench.read(seen))
        told()
    floors, ceilings = bench.real(), bench.noise()
    told()
    return _figures(bench, runs, floors, ceilings, n=n)


def _figures(
    bench: "_Bench",
    runs: Sequence[Mapping[str, float]],
    floors: Mapping[str, float],
    ceilings: Mapping[str, float],
    *,
    n: int,
) -> list[Figure]:
    """Put each number that every reading has beside what real garments and noise get."""
    common = [key for key in runs[0] if all(key in run for run in runs)]
    return [
        _figure(
            key,
            [run[key] for run in runs],
            n=n,
            real=floors.get(key),
            noise=ceilings.get(key),
            note=bench.note(key),
        )
        for key in common
    ]


def _check_alike(train: Dataset, test: Dataset) -> None:
    ours, theirs = (
        {"images": one.images.shape[1:], "vocabulary": dict(one.vocabulary)}
        for one in (train, test)
    )
    if ours != theirs:
        raise InvalidInputError(
            f"The training garments have {ours}, those held out {theirs}. "
            "Split one catalog in two.",
        )


class _Told:
    """Counts parts for whoever wants to know how far it is."""

    def __init__(self, on_progress: Callable[[float], None] | None, *, parts: int) -> None:
        self._on_progress, self._parts, self._done = on_progress, parts, 0

    def __call__(self) -> None:
        self._done += 1
        if self._on_progress is not None:
            self._on_progress(min(1.0, self._done / self._parts))


@dataclass(frozen=True)
class _Bench:
    """All that readings are made with."""

    yardstick: Yardstick
    half: Seen
    noise_seen: Seen
    retrained: Retrained | None
    on_real: Classifier | None

    @classmethod
    def set_up(
        cls, eye: Eye, train: Dataset, test: Dataset, *,
        n: int, seed: int, classifier_steps: int | None, told: _Told,
    ) -> "_Bench":  # fmt: skip
        reference = eye.garments(test, np.arange(test.n))
        half = eye.garments(train, rows(train.n, n, seed=seed))
        told()
        present = {one.letter: one for one in eye.extractors.present()}
        catalog = {letter: present[letter].features(train.images) for letter in _COPY_SPACES}
        told()
        yardstick = Yardstick(
            reference, {letter: one.digest for letter, one in present.items()}, catalog,
            train.vocabulary, seed,
        )  # fmt: skip
        noise = eye.noise(test, n=n, seed=seed)
        told()
        retrained = on_real = None
        if has_labels(train):
            retrained = Retrained.of(
                reference, train.vocabulary, fingerprint=test.fingerprint, n=n, seed=seed,
                steps=classifier_steps,
            )  # fmt: skip
            on_real = retrained.train(half)
        told()
        return cls(yardstick, half, noise, retrained, on_real)

    def read(self, seen: Seen) -> dict[str, float]:
        """Read generated garments."""
        found = self.yardstick.read(seen) | self.yardstick.copies(seen)
        if self.retrained is not None and self.on_real is not None:
            fresh = self.retrained.train(seen)
            found |= self.retrained.read(fresh, self.yardstick.reference, _TRAINED)
            found |= self.retrained.read(self.on_real, seen, _TESTED)
        return found

    def real(self) -> dict[str, float]:
        """Read as many real garments in the generated ones' place.

        A has seen the training's garments and would be too sure of them, so what it says of real
        ones is taken from those held out; a real garment is as near to the catalog as they are.
        """
        found = self.yardstick.read(self.half)
        found.update(self.yardstick.classified(self.yardstick.reference))
        found |= self._copies({rank: percent / 100.0 for rank, percent in RANKS.items()})
        if self.retrained is not None and self.on_real is not None:
            for family in (_TRAINED, _TESTED):
                found |= self.retrained.read(self.on_real, self.yardstick.reference, family)
        return found

    def noise(self) -> dict[str, float]:
        """Read noise in their place; for copies, the worst is a catalog learned by heart."""
        found = self.yardstick.read(self.noise_seen)
        found |= self._copies(dict.fromkeys(RANKS, 1.0))
        if self.retrained is not None and self.on_real is not None:
            tested = self.retrained.read(self.on_real, self.noise_seen, _TESTED)
            # One that is trained on noise guesses, and so does one that is tested on it.
            found |= tested | {key.replace(_TESTED, _TRAINED): v for key, v in tested.items()}
        return found

    def note(self, key: str) -> str:
        """Say what a reader of a figure must know."""
        family = parts(key)["family"].partition(".")[0]
        few = min(self.half.n, self.yardstick.reference.n) < FEW
        against = f"against {self.yardstick.reference.n} held-out garments"
        if family == "fd_indomain" and few:
            return f"{against}: so few that much of it is chance; read kd_indomain instead"
        return _NOTES.get(family, against)

    def _copies(self, shares: Mapping[str, float]) -> dict[str, float]:
        return {
            self.yardstick.key(f"nearest_training_percentile.{rank}", letter): share
            for letter in _COPY_SPACES
            for rank, share in shares.items()
        }


def _figure(
    key: str, values: Sequence[float], *, n: int, real: float | None, noise: float | None,
    note: str,
) -> Figure:  # fmt: skip
    mean, interval = mean_interval(values)
    least, most = real, noise
    if parts(key)["family"].startswith(_HIGHER_IS_BETTER):
        least, most = noise, real
    return Figure(key, mean, interval, n, least, most, note)


def _seed(seed: int, number: int) -> int:
    """Return a seed a reading, unrelated between readings."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
