"""The base of every schema: frozen, and closed to unknown fields."""

from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic_core import from_json, to_json


class Schema(BaseModel):
    """A value that crosses a border: HTTP, the database, or a process."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
        """Return the JSON schema; the usual one is worked out once.

        flask-openapi3 asks for that of a request's query and headers with each request, and working
        it out was a fifth of a status poll. Each caller gets a copy: flask-openapi3 takes parts out
        of those that it describes.
        """
        if args or options:
            return super().model_json_schema(*args, **options)
        copy: dict[str, Any] = from_json(_usual(cls))
        return copy


@cache
def _usual(schema: type[Schema]) -> bytes:
    return to_json(super(Schema, schema).model_json_schema())
