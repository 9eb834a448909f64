"""Made-up worlds whose trends are known, and the real series where they are at hand."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from tests.bench.trend_worlds import World, make_world
from worker.trends.arrays import Floats
from worker.trends.observations import Observations, from_rows

NOW = datetime(2026, 10, 1, 9, tzinfo=UTC)


WorldMaker = Callable[..., World]


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
    return _real("f1_main_100_sequences.csv")


@pytest.fixture(scope="session")
def real_leaders() -> Floats:
    """Return the same 100 values as influencers show them, [100, 261]."""
    return _real("f1_fashion_forward_100_sequences.csv")


def _real(name: str) -> Floats:
    root = Path(__file__).resolve().parents[4]
    found = root.parent / "shared" / "data" / "trend-series" / name
    if not found.exists():
        pytest.skip("the 100 real series are not at ../shared/data/trend-series")
    return np.asarray(np.genfromtxt(found, delimiter=",", skip_header=1)[:, 1:].T)
