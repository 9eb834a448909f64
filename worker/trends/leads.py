"""Leading segments: where one segment's series of a value moves before the value itself does."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

import numpy as np

from worker.trends.arrays import Bools, Floats, Ints, expit, logit, unlike_rows
from worker.trends.backtest import WANTED_ORIGINS, Trials, errors_of_trials
from worker.trends.forecast import SEASONS_FOR_LITE, renormalise, smoothed_levels
from worker.trends.innovations import SHORT_LAGS, significant_lags
from worker.trends.seasonal import WEEKS_A_YEAR, over_seasons, seasonal_component
from worker.trends.series import Panel

MOST_LEADERS: Final = 6  # the first ones; each costs about a second for 2,000 series
LEVEL_RATE: Final = 0.03  # a week: a leader's jitter is no lead
LEAST_GAIN_OF_ALL: Final = 0.005  # measured: leaders of noise, or of other values, gain up to 0.004
LEAST_GAIN: Final = 0.02  # of one series alone
OFTEN: Final = 2 / 3  # of the trials must be the better for it
_ONE_SIDED_Z: Final = 1.645  # 5%
_FURTHEST_MOVE: Final = 3.0  # usual misses: beyond it a move is a break and says nothing
_FURTHEST_MISS: Final = 4.0
_STRONGEST: Final = 1.0  # a follower does not go further than its leader
_TINY: Final = 1e-9

Segments = Mapping[str, tuple[Floats, Floats]]
"""Shares and trust, [s, t] each, of every segment; rows and periods as of the series forecast."""


@dataclass(frozen=True)
class Lead:
    """How a leading segment is used for one series.

    Attributes:
        segment: the segment that leads.
        lag: by how many periods.
        pull: the part of the leader's move that the series makes after it, on the logit scale.
        alone: the series is led by itself; else it is one of all that follow the segment.
        error_without, error_with: MASE of the series over the trials; each trial was corrected by
            what the other trials taught.
    """

    segment: str
    lag: int
    pull: float
    alone: bool
    error_without: float
    error_with: float


@dataclass(frozen=True)
class Led:
    """A forecast in which leading segments are used where they helped in the trials.

    Attributes:
        leads: by series; None where no segment leads.
        middle: the corrected forecast, logit scale, [s, h].
        trials: the trials, corrected with pulls that the other trials taught.
        note: in plain words, what was found; empty where there was no segment to try.
    """

    leads: tuple[Lead | None, ...]
    middle: Floats
    trials: Trials
    note: str = ""


@dataclass(frozen=True)
class _Tried:
    """One segment, over all trials.

    Attributes:
        moves: what the leader's past announces, in usual misses of the series, at each trial and
            now, [o + 1, s, h].
        lags: at which each series follows, [s].
        pulls: learnt from the other trials, and from all of them, [o + 1, s].
        errors: scaled absolute errors of the corrected trials, [o, s].
        alone: pulls are of each series alone.
    """

    segment: str
    moves: Floats
    lags: Ints
    pulls: Floats
    errors: Floats
    alone: bool = False


def lags_for(season: int) -> tuple[int, ...]:
    """Return the lags to try, in periods: up to eight weeks one by one, then quarters of a year."""
    short = range(1, max(1, round(SHORT_LAGS * season / WEEKS_A_YEAR)) + 1)
    long = (round(season * part / 4) for part in (1, 2, 3, 4))
    return tuple(sorted({*short, *long} - {0}))


def align(panel: Panel, segments: Mapping[str, Panel]) -> dict[str, tuple[Floats, Floats]]:
    """Return the first six segments' shares and trust, rows and periods of ``panel``, [s, t] each.

    A value or a period that a segment's panel lacks has trust 0, and so has the whole segment where
    its periods are of another length. No segment leads its own series.
    """
    when = {start: place for place, start in enumerate(panel.starts.tolist())}
    result = {}
    for segment, other in islice(segments.items(), MOST_LEADERS):
        shares, trust = np.full(panel.totals.shape, 0.5), np.zeros(panel.totals.shape)
        result[segment] = (shares, trust)
        if other.period != panel.period:
            continue
        known = {(name.attribute, name.value): row for row, name in enumerate(other.names)}
        pairs = [
            (row, known[name.attribute, name.value])
            for row, name in enumerate(panel.names)
            if (name.attribute, name.value) in known and name.segment != segment
        ]
        steps = [
            (when[start], place)
            for place, start in enumerate(other.starts.tolist())
            if start in when
        ]
        if pairs and steps:
            into, out = (np.array(column) for column in zip(*pairs, strict=True))
            later, earlier = (np.array(column) for column in zip(*steps, strict=True))
            shares[np.ix_(into, later)] = other.shares[np.ix_(out, earlier)]
            trust[np.ix_(into, later)] = other.trust[np.ix_(out, earlier)]
    return result


def follow(
    middle: Floats,
    trials: Trials,
    own: tuple[Floats, Floats],
    segments: Segments,
    *,
    season: int,
    groups: Ints | None = None,
) -> Led:
    """Correct a forecast by what leading segments announce, where that helped in the trials.

    A leader's deseasonalised level ``lag`` periods before each forecast period (or now, where that
    lies ahead), less its level ``lag`` periods ago, is the move that the series has yet to make; it
    makes a part of it, the pull. There are two ways to be led:

    - *together*: one pull for all series, least squares over the trials. The best segment and lag
      stand where they lower the error of all but the one that gains most by 0.5%, in two trials
      of three, and by more than the spread over series explains. Whether one series follows cannot
      be told from its few overlapping trials: keeping those that did better lost the gain on real
      series (docs/measurements.md).
    - *alone*: the innovations of a series follow those of the leader's, one to eight weeks later,
      by more than chance (cross-correlations by Bartlett's variance, Benjamini & Hochberg over all
      series and segments), and a pull of its own lowers its error by 2%.

    Nothing is changed with fewer than three trials, or trials of less than two years.

    Args:
        middle: the forecast on the logit scale, [s, h].
        trials: of the same series.
        own: shares and trust of the series, [s, t].
        segments: shares and trust of each segment.
        season: periods in a year.
        groups: as in `worker.trends.forecast.forecast`; corrected parts sum to one again.
    """
    unled = Led((None,) * len(middle), middle, trials)
    if not segments:
        return unled
    few = len(trials.origins) < WANTED_ORIGINS or not trials.seen.any()
    if few or trials.origins[0] < SEASONS_FOR_LITE * season:
        return replace(unled, note="There are too few trials to tell whether a segment leads.")
    usual = _usual_misses(trials)
    base = errors_of_trials(trials, trials.predicted)
    tried = _tried(trials, own, segments, season)
    choice = _choose(base, tried)
    if not np.any(choice >= 0):
        return replace(unled, note="No segment leads: none lowers the backtest's error.")
    predicted = np.stack(
        [_corrected(one, tried, choice, usual, place) for place, one in enumerate(trials.predicted)]
    )
    corrected = _corrected(middle, tried, choice, usual, -1)
    if groups is not None:
        corrected = logit(renormalise(expit(corrected), groups))
        predicted = np.stack([logit(renormalise(expit(one), groups)) for one in predicted])
    leads = tuple(_lead(base, tried, row, place) for row, place in enumerate(choice.tolist()))
    note = _note(base, errors_of_trials(trials, predicted), leads)
    return Led(leads, corrected, replace(trials, predicted=predicted), note)


def _moves(
    shares: Floats, trust: Floats, ends: tuple[int, ...], season: int, horizon: int
) -> Iterator[tuple[int, Floats]]:
    """Yield by lag what the leader announces at each end of a history, [ends, s, horizon]."""
    rate = np.array([1 - (1 - LEVEL_RATE) ** (WEEKS_A_YEAR / season)])
    lags, steps = lags_for(season), np.arange(1, horizon + 1)
    # All series of a value follow the same one.
    leaders, led = unlike_rows(shares, trust)
    logits, trust = logit(shares[leaders]), trust[leaders]
    found = np.zeros((len(lags), len(ends), len(leaders), horizon))
    for row, end in enumerate(ends):
        past, weights = logits[:, :end], trust[:, :end]
        seasonal = seasonal_component(past, weights, season=season)
        rest = past - over_seasons(seasonal, end)
        level = smoothed_levels(rest, weights, rate)[:, 0]
        for place, lag in enumerate(lags):
            then = end - 1 - lag
            found[place, row] = level[:, then + np.minimum(steps, lag)] - level[:, [then]]
    return ((lag, moved[:, led]) for lag, moved in zip(lags, found, strict=True))


def _tried(
    trials: Trials, own: tuple[Floats, Floats], segments: Segments, season: int
) -> list[_Tried]:
    """Return what is worth following: the best for all series, then each segment for its own."""
    ends, horizon = (*trials.origins, own[0].shape[1]), trials.actual.shape[2]
    usual, significant = _usual_misses(trials), significant_lags(own, segments, season)
    misses = (trials.actual - trials.predicted) / usual[:, None]
    measured = usual, np.clip(misses, -_FURTHEST_MISS, _FURTHEST_MISS) * trials.seen
    best, least, alone = None, 1 - LEAST_GAIN_OF_ALL, []
    base = errors_of_trials(trials, trials.predicted)
    for segment, (shares, trust) in segments.items():
        mine = np.zeros((len(ends), len(shares), horizon))
        for lag, moved in _moves(shares, trust, ends, season, horizon):
            rows = significant[segment] == lag
            mine[:, rows] = moved[:, rows]
            one = _try(trials, segment, np.full(len(shares), lag), moved, measured)
            gained = _gained_by_all(base, one)
            if gained <= least:
                best, least = one, gained
        if mine.any():
            alone.append(_try(trials, segment, significant[segment], mine, measured, alone=True))
    return ([best] if best else []) + alone


def _gained_by_all(base: Floats, one: _Tried) -> float:
    """Return the error of all series with a leader over that without it; 1 where it is chance."""
    rows = _held_by(one.moves)
    # One value with a lead of its own must not carry all the others along.
    rows[(base - one.errors).sum(0).argmax()] = False
    if not rows.any():
        return 1.0
    before, after = base[:, rows], one.errors[:, rows]
    often = (after.sum(1) < before.sum(1)).mean() >= OFTEN
    if not often or not _beyond_chance(before.mean(0) - after.mean(0)):
        return 1.0
    return float(after.sum() / max(float(before.sum()), _TINY))


def _beyond_chance(gains: Floats) -> bool:
    """Return whether the series' gains lie above 0 by more than their spread explains."""
    spread = gains.std() / math.sqrt(max(len(gains), 1))
    return bool(gains.mean() > _ONE_SIDED_Z * max(float(spread), _TINY))


def _held_by(moves: Floats) -> Bools:
    """Return which series a segment holds, [s]."""
    return np.asarray(np.any(moves != 0, axis=(0, 2)))


def _try(
    trials: Trials,
    segment: str,
    lags: Ints,
    moves: Floats,
    measured: tuple[Floats, Floats],
    *,
    alone: bool = False,
) -> _Tried:
    """Learn pulls from moves [o + 1, s, h] on the logit scale, and judge them by the trials.

    ``measured`` are the usual miss of each series, [s], and its misses in those, [o, s, h].
    """
    usual, misses = measured
    held = np.clip(moves / usual[:, None], -_FURTHEST_MOVE, _FURTHEST_MOVE)
    product = np.einsum("osh,osh->os", held[:-1], misses)
    known = held[:-1] if trials.seen.all() else held[:-1] * trials.seen
    size = np.einsum("osh,osh->os", known, known)
    left_out = [
        _pull(np.delete(product, one, 0), np.delete(size, one, 0), alone=alone)
        for one in range(len(product))
    ]
    pulls = np.stack([*left_out, _pull(product, size, alone=alone)])
    predicted = trials.predicted + pulls[:-1, :, None] * held[:-1] * usual[:, None]
    return _Tried(segment, held, lags, pulls, errors_of_trials(trials, predicted), alone)


def _pull(product: Floats, size: Floats, *, alone: bool) -> Floats:
    """Return least-squares pulls, [s]: one for all, or of each series, half shrunk to none."""
    if alone:
        moving = size.sum(0)
        usual = moving[moving > 0].mean() if np.any(moving > 0) else 1.0
        own = np.clip(product.sum(0) / (moving + usual), 0.0, _STRONGEST)
        return np.asarray(own, dtype=np.float64)
    pull = product.sum() / max(float(size.sum()), _TINY)
    return np.full(product.shape[1], np.clip(pull, 0.0, _STRONGEST))


def _choose(base: Floats, tried: list[_Tried]) -> Ints:
    """Return which try each series follows, -1 for none, [s]: alone where that does better."""
    choice = np.full(base.shape[1], -1)
    least = base.mean(0)
    for place, one in enumerate(tried):
        error = one.errors.mean(0)
        if one.alone:
            often = (one.errors < base).mean(0) >= OFTEN
            rows = often & (error <= (1 - LEAST_GAIN) * base.mean(0)) & (error < least)
        else:
            rows = _held_by(one.moves)
        choice[rows], least[rows] = place, error[rows]
    return choice


def _corrected(
    predicted: Floats, tried: list[_Tried], choice: Ints, usual: Floats, place: int
) -> Floats:
    """Return forecasts [s, h] corrected by the chosen tries at one end of the history."""
    result = predicted.copy()
    for number, one in enumerate(tried):
        rows = choice == number
        pull = (one.pulls[place, rows] * usual[rows])[:, None]
        result[rows] += pull * one.moves[place, rows]
    return result


def _lead(base: Floats, tried: list[_Tried], row: int, choice: int) -> Lead | None:
    if choice < 0:
        return None
    one, told = tried[choice], base[:, row] > 0
    if not told.any():
        return None
    return Lead(
        segment=one.segment,
        lag=int(one.lags[row]),
        pull=float(one.pulls[-1, row]),
        alone=one.alone,
        error_without=float(base[told, row].mean()),
        error_with=float(one.errors[told, row].mean()),
    )


def _note(base: Floats, after: Floats, leads: tuple[Lead | None, ...]) -> str:
    found = [lead for lead in leads if lead is not None]
    together = next((lead for lead in found if not lead.alone), None)
    alone = sum(lead.alone for lead in found)
    parts = []
    if together is not None:
        parts.append(
            f"All values that {together.segment} holds follow it by {together.lag} periods, "
            f"with a pull of {together.pull:.2f}."
        )
    if alone:
        parts.append(f"Values that follow a segment by themselves: {alone}.")
    parts.append(f"The backtest's MASE is {after.mean():.3f} with it, {base.mean():.3f} without.")
    return " ".join(parts)


def _usual_misses(trials: Trials) -> Floats:
    """Return the usual miss of each series on the logit scale, at least a part of all's, [s]."""
    square = ((trials.actual - trials.predicted) ** 2 * trials.seen).sum((0, 2))
    own = np.sqrt(square / np.maximum(trials.seen.sum((0, 2)), 1))
    return np.asarray(np.maximum(own, max(0.1 * float(np.median(own)), 1e-3)), dtype=np.float64)
