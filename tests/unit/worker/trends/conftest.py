"""Made-up worlds whose trends are known, and the real series where they are at hand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from shared.schemas.trends import Period
from worker.trends.arrays import Floats
from worker.trends.observations import Observations, from_rows
from worker.trends.periods import SEASONS, period_starts
from worker.trends.series import Name, Panel

NOW = datetime(2026, 10, 1, 9, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    """A panel, and what each of its series truly does."""

    panel: Panel
    truth: tuple[str, ...]


WorldMaker = Callable[..., World]


def _movement(kind: str, rng: np.random.Generator, periods: int, season: int) -> Floats:
    """Return the log of a share's movement, [t]."""
    years = np.arange(periods) / season
    if kind == "rising":
        return np.asarray(rng.uniform(0.3, 0.6) * (years - years[-1] / 2))
    if kind == "declining":
        return np.asarray(-rng.uniform(0.3, 0.6) * (years - years[-1] / 2))
    if kind == "seasonal":
        return np.asarray(rng.uniform(0.6, 1.0) * np.cos(2 * np.pi * (years - rng.uniform())))
    if kind == "flash":
        height = rng.uniform(0.3, 0.9) * years[-1]
        lift = rng.uniform(2, 4) * np.exp(-0.5 * ((years - height) / 0.05) ** 2)
        return np.asarray(np.log(1 + lift))
    return np.zeros(periods)


def make_world(
    kinds: Sequence[str],
    *,
    groups: int = 20,
    period: Period = "week",
    years: float = 3,
    garments: int = 300,
    scatter: float = 0.0,
    seed: int = 0,
) -> World:
    """Draw counts of ``groups`` attributes, each with one value of every kind and a rest."""
    rng = np.random.default_rng(seed)
    season = SEASONS[period]
    periods = round(years * season)
    names: list[Name] = []
    truth: list[str] = []
    effective, totals = [], []
    for group in range(groups):
        shares = [
            0.08
            * rng.uniform(0.5, 1.5)
            * np.exp(_movement(kind, rng, periods, season) + scatter * rng.normal(size=periods))
            for kind in kinds
        ]
        shares.append(np.maximum(1 - np.sum(shares, axis=0), 0.05))
        whole = np.array(shares) / np.sum(shares, axis=0)
        total = rng.poisson(garments, periods)
        counts = [rng.multinomial(total[step], whole[:, step]) for step in range(periods)]
        effective.append(np.array(counts, dtype=np.float64).T)
        totals.append(np.tile(total.astype(np.float64), (len(whole), 1)))
        names += [Name(f"attribute {group}", f"{kind} {i}") for i, kind in enumerate(kinds)]
        names.append(Name(f"attribute {group}", "rest", rest=True))
        truth += [*kinds, "rest"]
    k, n = np.concatenate(effective), np.concatenate(totals)
    panel = Panel(
        period=period,
        season=season,
        starts=period_starts(np.arange(2700, 2700 + periods), period),
        names=tuple(names),
        garments=k.sum(1),
        totals=n,
        effective=k,
        weighted=k,
        groups=np.repeat(np.arange(groups), len(kinds) + 1),
        thin=n < 30,
    )
    return World(panel, tuple(truth))


@pytest.fixture
def world() -> WorldMaker:
    return make_world


def make_shop(count: int = 3000, *, years: float = 3, seed: int = 0) -> Observations:
    """Draw garments: linen rises, wool is seasonal, neon flashes; a category and a segment."""
    rng = np.random.default_rng(seed)
    days = np.sort(rng.integers(0, round(365.25 * years), count))
    year = days / 365.25
    zero = np.zeros(count)
    material = {
        "cotton": zero + 0.6,
        "linen": 0.9 * (year - years / 2) - 0.3,
        "wool": 0.9 * np.cos(2 * np.pi * year),
        "denim": zero,
    }
    weights = np.exp(np.array(list(material.values())))
    chosen = ((weights / weights.sum(0)).cumsum(0) < rng.random(count)).sum(0)
    return from_rows(
        np.datetime64("2023-10-01") + days.astype("timedelta64[D]"),
        {
            "material": [list(material)[code] for code in chosen],
            "category": [["dress", "coat"][code] for code in rng.integers(0, 2, count)],
            "colour": [["blue", "red"][code] for code in rng.integers(0, 2, count)],
        },
        segments=[["online", "store"][code] for code in rng.integers(0, 2, count)],
    )


@pytest.fixture
def shop() -> Callable[..., Observations]:
    return make_shop


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def real_series() -> Floats:
    """Return 100 real weekly share series, [100, 261]."""
    root = Path(__file__).resolve().parents[4]
    found = root.parent / "shared" / "data" / "trend-series" / "f1_main_100_sequences.csv"
    if not found.exists():
        pytest.skip("the 100 real series are not at ../shared/data/trend-series")
    return np.asarray(np.genfromtxt(found, delimiter=",", skip_header=1)[:, 1:].T)
