"""The base of every schema: frozen, and closed to unknown fields."""

from pydantic import BaseModel, ConfigDict


class Schema(BaseModel):
    """A value that crosses a border: HTTP, the database, or a process."""

    model_config = ConfigDict(frozen=True, extra="forbid")
