"""Missing labels, predicted from the labelled part; used only where they were right before.

A classifier is measured on garments that it did not learn from. An attribute is predicted where it
was right often enough, and more often than naming the commonest value; then only predictions as
sure as those of which nine in ten (at a limit of 0.8) were right are kept; and of these only values
that were themselves right that often. A garment unlike all labelled ones gets none: that a label is
missing may mean that it does not apply.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from worker.labels.classifier import Classifier, fit

Floats = NDArray[np.float32]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]

FEWEST: Final = 80
"""Labelled garments from which an attribute is learned."""

MOST_VALUES: Final = 128
LEAST_GAIN: Final = 0.05
"""By how much predictions must beat naming the commonest value."""

UNKNOWN: Final = -1
_MOST_LEARNED: Final = 20_000  # more labelled garments would add little
_FOLDS: Final = 5
_ALL_FOLDS: Final = 5_000  # labelled garments above which one fold tells enough
_RIDGES: Final = (1.0, 10.0, 100.0)
_LEAST_KEPT: Final = 20  # held-out predictions, to say how often the sure ones are right
_LEAST_OF_VALUE: Final = 5
_APPLIES: Final = 0.25  # of the share labelled, among garments alike: below, it seems not to apply


@dataclass(frozen=True)
class ValueFigures:
    """How one value was told on held-out garments.

    Attributes:
        garments: that have it.
        found: part of them that was told so, of all predictions.
        kept: sure predictions of it.
        right: part of those that was right; None where there were none.
        used: whether it is predicted.
    """

    garments: int
    found: float
    kept: int
    right: float | None
    used: bool


@dataclass(frozen=True)
class Filled:
    """What became of one attribute.

    Attributes:
        used: whether anything is predicted.
        reason: why not, in plain words; None where it is.
        labelled: garments that it was learned from and measured on.
        accuracy: part of held-out garments told right; None where it was not measured.
        majority: what naming the commonest value would have got right.
        threshold: the chance from which a prediction is sure; None where none is.
        kept: part of held-out predictions that were as sure.
        right: part of those that was right.
        values: figures by code.
        codes: int64 [n]: the predicted value, where one is missing and told; else -1.
        chances: float32 [n]: how sure that is; 0 elsewhere.
    """

    used: bool
    reason: str | None
    labelled: int
    accuracy: float | None
    majority: float | None
    threshold: float | None
    kept: float
    right: float | None
    values: tuple[ValueFigures, ...]
    codes: Codes
    chances: Floats


def fill(
    embeddings: Floats,
    codes: Codes,
    missing: Mask,
    *,
    values: int,
    styles: Codes,
    limit: float,
    seed: int = 0,
) -> Filled:
    """Predict an attribute where it is missing.

    Args:
        embeddings: float32 [n, d] of one encoder.
        codes: int64 [n]; -1 where missing, or where the value is too rare to be learned.
        missing: bool [n]: where a prediction is wanted. Elsewhere -1 is a rare value, and what is
            told of it on held-out garments counts as wrong.
        values: how many values there are.
        styles: int64 [n], groups of garments that look alike; -1 none.
        limit: the least part of held-out garments that must be told right, 0.5-1.
        seed: of the folds.
    """
    labelled = np.flatnonzero(~missing)
    refused = _refused(labelled, codes, missing, values)
    if refused is not None:
        return _nothing(len(codes), len(labelled), refused)
    learned = np.random.default_rng(seed).permutation(labelled)[:_MOST_LEARNED]
    ridge, told = _measured(embeddings[learned], codes[learned], values)
    rows = learned[told.rows]
    sure = (1 + limit) / 2
    figures = _Figures.of(told, codes[rows], values, limit=limit, sure=sure)
    reason = figures.refused(limit)
    if reason is not None:
        return figures.filled(len(codes), len(learned), reason)
    known = learned[codes[learned] != UNKNOWN]
    classifier = fit(embeddings[known], codes[known], values, ridge=ridge)
    applies = missing & _applicable(missing, styles)
    return figures.predicted(classifier, embeddings, applies, len(learned))


def _refused(labelled: Codes, codes: Codes, missing: Mask, values: int) -> str | None:
    if not missing.any():
        return "no garment is without it"
    if len(labelled) < FEWEST:
        return f"{len(labelled)} garments have it; {FEWEST} are needed to learn from"
    if not 2 <= values <= MOST_VALUES:  # noqa: PLR2004 - one value is no choice
        return f"it has {values} values that are common enough; 2 to {MOST_VALUES} can be learned"
    if (codes[labelled] != UNKNOWN).sum() < FEWEST:
        return "most of its values are too rare to be learned"
    return None


@dataclass(frozen=True)
class _Told:
    """Held-out garments: their rows, and how likely each value was held, [m, values]."""

    rows: Codes
    chances: Floats


def _measured(embeddings: Floats, codes: Codes, values: int) -> tuple[float, _Told]:
    """Return the ridge that did best on held-out garments, and what was told of them."""
    tried = {ridge: _held_out(embeddings, codes, values, ridge) for ridge in _RIDGES}

    def fit_of(told: _Told) -> float:
        truth = codes[told.rows]
        known = truth != UNKNOWN
        chance = told.chances[known, truth[known]]
        return float(np.log(np.maximum(chance, 1e-6)).mean())

    best = max(tried, key=lambda ridge: fit_of(tried[ridge]))
    return best, tried[best]


def _held_out(embeddings: Floats, codes: Codes, values: int, ridge: float) -> _Told:
    rows, chances = [], []
    for held in _folds(len(codes)):
        learned = np.ones(len(codes), np.bool_)
        learned[held] = False
        learned &= codes != UNKNOWN
        classifier = fit(embeddings[learned], codes[learned], values, ridge=ridge)
        rows.append(held)
        chances.append(classifier.chances(embeddings[held]))
    return _Told(np.concatenate(rows), np.concatenate(chances))


def _folds(count: int) -> Iterator[Codes]:
    """Yield rows to hold out; the rows come in random order already."""
    folds = _FOLDS if count <= _ALL_FOLDS else 1
    for fold in range(folds):
        yield np.arange(fold, count, _FOLDS)


def _applicable(missing: Mask, styles: Codes) -> Mask:
    """Tell which garments are of a style of which a fair part is labelled."""
    overall = 1 - missing.mean()
    inside = styles != UNKNOWN
    count = int(styles.max(initial=-1)) + 1
    all_of = np.bincount(styles[inside], minlength=count)
    labelled_of = np.bincount(styles[inside & ~missing], minlength=count)
    fair = labelled_of >= _APPLIES * overall * all_of
    return np.asarray(inside & fair[np.where(inside, styles, 0)]) if count else inside


@dataclass(frozen=True)
class _Figures:
    accuracy: float
    majority: float
    threshold: float | None
    kept: float
    right: float | None
    values: tuple[ValueFigures, ...]

    @classmethod
    def of(cls, told: _Told, truth: Codes, values: int, *, limit: float, sure: float) -> "_Figures":
        guess, chance = told.chances.argmax(axis=1), told.chances.max(axis=1)
        hit = guess == truth
        threshold = _threshold(chance, hit, sure)
        kept = np.zeros(len(hit), np.bool_) if threshold is None else chance >= threshold
        counts = np.bincount(truth[truth != UNKNOWN], minlength=values)
        return cls(
            accuracy=float(hit.mean()),
            majority=float(counts.max() / len(truth)),
            threshold=threshold,
            kept=float(kept.mean()),
            right=float(hit[kept].mean()) if kept.any() else None,
            values=tuple(
                _value(truth == code, guess == code, kept, limit) for code in range(values)
            ),
        )

    def refused(self, limit: float) -> str | None:
        if self.accuracy < limit:
            return (
                f"of held-out garments {self.accuracy:.0%} were told right; {limit:.0%} are asked"
            )
        if self.accuracy < self.majority + LEAST_GAIN:
            return (
                f"of held-out garments {self.accuracy:.0%} were told right, and naming the "
                f"commonest value gets {self.majority:.0%}"
            )
        if not any(value.used for value in self.values):
            return "no value was told surely enough"
        return None

    def predicted(
        self, classifier: Classifier, embeddings: Floats, applies: Mask, labelled: int
    ) -> Filled:
        codes = np.full(len(embeddings), UNKNOWN)
        chances = np.zeros(len(embeddings), np.float32)
        rows = np.flatnonzero(applies)
        told = classifier.chances(embeddings[rows])
        guess, chance = told.argmax(axis=1), told.max(axis=1)
        used = np.array([value.used for value in self.values])
        sure = (chance >= (self.threshold or 0)) & used[guess]
        codes[rows[sure]], chances[rows[sure]] = guess[sure], chance[sure]
        return self._as_filled(None, labelled, codes, chances)

    def filled(self, count: int, labelled: int, reason: str) -> Filled:
        nothing = np.full(count, UNKNOWN)
        return self._as_filled(reason, labelled, nothing, np.zeros(count, np.float32))

    def _as_filled(
        self, reason: str | None, labelled: int, codes: Codes, chances: Floats
    ) -> Filled:
        return Filled(
            used=reason is None,
            reason=reason,
            labelled=labelled,
            accuracy=self.accuracy,
            majority=self.majority,
            threshold=self.threshold,
            kept=self.kept,
            right=self.right,
            values=self.values,
            codes=codes,
            chances=chances,
        )


def _threshold(chance: Floats, hit: Mask, sure: float) -> float | None:
    """Return the lowest chance from which held-out predictions are right often enough."""
    order = np.argsort(-chance, kind="stable")
    right = np.cumsum(hit[order]) / np.arange(1, len(hit) + 1)
    enough = np.flatnonzero(right[_LEAST_KEPT - 1 :] >= sure)
    return float(chance[order][enough[-1] + _LEAST_KEPT - 1]) if len(enough) else None


def _value(is_it: Mask, told: Mask, kept: Mask, limit: float) -> ValueFigures:
    sure = told & kept
    right = float(is_it[sure].mean()) if sure.any() else None
    return ValueFigures(
        garments=int(is_it.sum()),
        found=float(told[is_it].mean()) if is_it.any() else 0.0,
        kept=int(sure.sum()),
        right=right,
        used=bool(sure.sum() >= _LEAST_OF_VALUE and right is not None and right >= limit),
    )


def _nothing(count: int, labelled: int, reason: str) -> Filled:
    return Filled(
        used=False,
        reason=reason,
        labelled=labelled,
        accuracy=None,
        majority=None,
        threshold=None,
        kept=0.0,
        right=None,
        values=(),
        codes=np.full(count, UNKNOWN),
        chances=np.zeros(count, np.float32),
    )
