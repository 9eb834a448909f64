"""A small drawn catalog: two cuts that the embedding tells apart, four colours, three materials."""

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from shared import colour
from shared.taste import space
from shared.taste.gallery import Gallery, hang
from shared.taste.items import Items

NOW = datetime(2026, 6, 1, tzinfo=UTC)
CATEGORIES = ("coat", "dress", "shirt")
MATERIALS = ("cotton", "silk", "wool")
COLOURS = ("navy", "red", "green", "beige")


def drawn(count: int = 240, seed: int = 0, prefix: str = "g") -> Items:
    """Garment k has category k % 3, colour k % 4 and a material at random."""
    rng = np.random.default_rng(seed)
    axes = np.random.default_rng(99).normal(size=(6, 128))
    category = np.arange(count) % len(CATEGORIES)
    material = rng.integers(0, len(MATERIALS), count)
    hidden = rng.normal(size=(count, 3))
    hidden = np.concatenate([np.eye(len(CATEGORIES))[category] * 2, hidden], axis=1)
    embeddings = hidden @ axes + 0.5 * rng.normal(size=(count, 128))
    embeddings /= np.sqrt((embeddings**2).mean())
    labs = np.stack([colour.hex_to_lab(str(colour.code_of(name))) for name in COLOURS])
    colours = np.full((count, 2, 3), np.nan, np.float32)
    colours[:, 0] = labs[np.arange(count) % len(COLOURS)] + 2 * rng.normal(size=(count, 3))
    return Items(
        ids=tuple(f"{prefix}{number}" for number in range(count)),
        embeddings=embeddings.astype(np.float32),
        colours=colours,
        labels=np.stack([category, material], axis=1).astype(np.int32),
        vocabulary={"category": CATEGORIES, "material": MATERIALS},
    )


@pytest.fixture(scope="session")
def items() -> Items:
    return drawn()


@pytest.fixture(scope="session")
def gallery(items: Items) -> Gallery:
    return hang(items, space.learn(items))


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def draw() -> Callable[..., Items]:
    return drawn


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
