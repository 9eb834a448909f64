"""A site's own references of its shoppers."""

from typing import Annotated

from pydantic import AfterValidator, Field


def _is_ref(ref: str) -> str:
    """Refuse what would not come back from an address as it went in."""
    if not ref.isprintable() or "/" in ref or ref != ref.strip() or ref in {".", ".."}:
        message = "expected printable characters other than '/', with no space at either end"
        raise ValueError(message)
    return ref


Ref = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        description="Your own reference of the shopper: 1 to 200 printable characters other than "
        "`/`. Send one that says nothing of the person, such as a random id.",
    ),
    AfterValidator(_is_ref),
]
