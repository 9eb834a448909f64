"""Lists: some items, newest first, and where the next ones start."""

from typing import Generic, TypeVar

from pydantic import Field

from shared.schemas.base import Schema

Item = TypeVar("Item")


class Listing(Schema, Generic[Item]):
    """One page of a list."""

    items: tuple[Item, ...]
    next_cursor: str | None = Field(
        None, description="Pass it as `cursor` for the next page; null at the end."
    )
