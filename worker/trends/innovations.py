"""Innovations: what is new in a series, and whether it follows what was new in another."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from worker.trends.arrays import Floats, Ints, by_blocks, logit, unlike_rows
from worker.trends.chance import benjamini_hochberg, two_sided
from worker.trends.forecast import smoothed_levels
from worker.trends.seasonal import WEEKS_A_YEAR, over_seasons, seasonal_component

SHORT_LAGS: Final = 8  # weeks, each of them tried
SIGNIFICANT: Final = 0.05
_RATE: Final = 0.1  # of the level, a week
_STEPS: Final = range(1, 11)  # as far as a series remembers what was new
_FURTHEST: Final = 3.0  # standard deviations
_TINY: Final = 1e-9


def significant_lags(
    own: tuple[Floats, Floats], segments: Mapping[str, tuple[Floats, Floats]], season: int
) -> dict[str, Ints]:
    """Return by segment the lag at which its innovations lead those of each series, 0 for none.

    Cross-correlations of what is new in each period against the level before it, at lags of one to
    eight weeks, held against Bartlett's variance for two series that know nothing of each other;
    Bonferroni over lags, Benjamini & Hochberg over all series and segments, at 5%.

    Args:
        own: shares and trust of the series, [s, t].
        segments: shares and trust of each segment, [s, t].
        season: periods in a year.
    """
    mine = _innovations(*own, season)
    echoes = [_correlation(mine, mine, step) for step in _STEPS]
    longest = max(1, round(SHORT_LAGS * season / WEEKS_A_YEAR))
    lags, p_values = [], []
    for shares, trust in segments.values():
        z = _lagged(mine, echoes, _innovations(shares, trust, season), longest)
        lags.append(np.where(z.max(1) > 0, z.argmax(1) + 1, 0))
        p_values.append(np.minimum(1.0, longest * two_sided(z.max(1))))
    found = benjamini_hochberg(np.concatenate(p_values)) <= SIGNIFICANT
    kept = np.concatenate(lags) * found
    return dict(zip(segments, np.split(kept, len(segments)), strict=True))


def _innovations(shares: Floats, trust: Floats, season: int) -> tuple[Floats, Floats]:
    """Return what is new in each period against the level before, [s, t], and where it is known."""
    once, rows = unlike_rows(shares, trust)
    logits, trust = logit(shares[once]), trust[once]
    rate = np.array([1 - (1 - _RATE) ** (WEEKS_A_YEAR / season)])
    seasonal = seasonal_component(logits, trust, season=season)
    rest = logits - over_seasons(seasonal, logits.shape[1])
    news = np.zeros_like(rest)
    news[:, 1:] = rest[:, 1:] - smoothed_levels(rest, trust, rate)[:, 0, :-1]
    known = (trust > 0).astype(np.float64)
    known[:, : season // 4] = 0.0  # the level has to settle first
    spread = np.sqrt((news**2 * known).sum(1) / np.maximum(known.sum(1), 1))
    news = np.clip(news / np.maximum(spread, _TINY)[:, None], -_FURTHEST, _FURTHEST)
    return (news * known)[rows], known[rows]


def _lagged(
    mine: tuple[Floats, Floats],
    echoes: Sequence[Floats],
    leader: tuple[Floats, Floats],
    longest: int,
) -> Floats:
    """Return z of the cross-correlation at lags 1..longest, [s, longest]; 0 where unknown.

    ``echoes`` are the correlations of ``mine`` with itself, [s] at each of ``_STEPS``.
    """
    echo = np.ones(len(mine[0]))
    for step, own in zip(_STEPS, echoes, strict=True):
        echo += 2 * own * _correlation(leader, leader, step)
    spread = np.sqrt(np.maximum(echo, 1.0))
    columns = []
    for lag in range(1, longest + 1):
        count = (mine[1][:, lag:] * leader[1][:, :-lag]).sum(1)
        columns.append(_correlation(mine, leader, lag) * np.sqrt(count) / spread)
    return np.stack(columns, axis=1)


def _correlation(later: tuple[Floats, Floats], sooner: tuple[Floats, Floats], lag: int) -> Floats:
    """Return correlations of standardised values [s, t] with others ``lag`` periods before, [s]."""

    def correlated(later: Floats, known: Floats, sooner: Floats, seen: Floats) -> Floats:
        together = (later[:, lag:] * sooner[:, :-lag]).sum(1)
        both = (known[:, lag:] * seen[:, :-lag]).sum(1)
        return np.asarray(together / np.maximum(both, 1.0), dtype=np.float64)

    return by_blocks(correlated, *later, *sooner)
