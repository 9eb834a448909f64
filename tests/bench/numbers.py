"""What is said of repeated measurements: medians, ranges and ratios taken pair by pair."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np


class Summary(TypedDict):
    """A measurement that was repeated `n` times."""

    median: float
    low: float
    high: float
    n: int


def summary(values: Sequence[float], *, digits: int = 4) -> Summary:
    """Return median, lowest and highest; medians shrug off a neighbour's burst of work.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("There is nothing to summarise; measure at least once.")
    return {
        "median": significant(float(np.median(values)), digits),
        "low": significant(min(values), digits),
        "high": significant(max(values), digits),
        "n": len(values),
    }


def paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> Summary:
    """Summarise ours over theirs, round by round.

    Both of a round ran within the same minute, so that what the machine did besides weighs on
    both; a ratio of two medians from different minutes would not cancel it.
    """
    return summary([a / b for a, b in zip(ours, theirs, strict=True)])


def summaries(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Summarise each number of some rounds, wherever it stands; what one round lacks is left out.

    Lists, such as the load averages, are not summarised.
    """
    return {
        name: summaries([one[name] for one in rounds])
        if isinstance(value, Mapping)
        else summary([one[name] for one in rounds])
        for name, value in rounds[0].items()
        if not isinstance(value, list) and all(name in one for one in rounds)
    }


def significant(value: float, digits: int) -> float:
    """Round to so many significant digits: 12345.6 to 3 is 12300."""
    if value == 0 or not math.isfinite(value):
        return float(value)
    return round(float(value), digits - 1 - math.floor(math.log10(abs(value))))


def plain(value: Any) -> Any:
    """Return data for strict JSON: arrays become lists, and what is not finite becomes None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
