"""The front, as `tests.fixtures.front` makes it."""

from tests.fixtures.front import (
    app,
    client,
    filled,
    nobody,
    pictures,
    records,
    rival,
    shop,
    store,
)

__all__ = [
    "app",
    "client",
    "filled",
    "nobody",
    "pictures",
    "records",
    "rival",
    "shop",
    "store",
]
