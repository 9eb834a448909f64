"""The base of every schema: frozen, and closed to unknown fields."""

from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict


class Schema(BaseModel):
    """A value that crosses a border: HTTP, the database, or a process."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
        """Return the JSON schema; the usual one is made once, and only to be read.

        flask-openapi3 asks for that of a request's query and headers with each request, and making
        it was a fifth of a status poll.
        """
        if args or options:
            return super().model_json_schema(*args, **options)
        return _usual(cls)


@cache
def _usual(schema: type[Schema]) -> dict[str, Any]:
    return super(Schema, schema).model_json_schema()
