"""Answers with a picture, as it is kept or in the variant that was asked for."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Response, request

from shared.pictures.variants import rendered, side_in, side_of
from shared.schemas.variants import PictureFormat, PictureQuery
from web import answers
from web.runtime import runtime
from web.variants import negotiated

_RECIPE = 1
"""Grows whenever variants come out otherwise: it is part of their ETags."""


@dataclass(frozen=True)
class Kept:
    """A picture as it is kept.

    Attributes:
        read: gives the file's bytes.
        sha256: what makes it this picture, in hex.
        media_type: what the bytes are.
    """

    read: Callable[[], bytes]
    sha256: str
    media_type: str


def answer(
    kept: Kept,
    query: PictureQuery,
    *,
    sign: Callable[[bytes, str], bytes] | None = None,
    serial: str | None = None,
) -> Response:
    """Answer with a picture.

    Args:
        kept: the picture.
        query: how it is wanted.
        sign: adds a C2PA manifest to bytes of a media type, where that was asked for.
        serial: of the certificate that signs.
    """
    chosen = query.format
    if query.variant is not None and chosen is None:
        chosen = negotiated(request.accept_mimetypes)
    read, mark, media_type = kept.read, kept.sha256, kept.media_type
    if chosen is not None:
        size = "own" if query.variant is None else query.variant.value
        mark = f"{kept.sha256}-{size}-{chosen.value}-{_RECIPE}"
        read, media_type = _variant(kept, query, chosen, mark), chosen.media_type
    if sign is not None:
        made, add = read, sign
        read = lambda: add(made(), media_type)  # noqa: E731 - it is what it is called
        mark = f"{mark}-{serial}"
    response = answers.unchanging(read, sha256=mark, media_type=media_type, weak=sign is not None)
    if query.variant is not None and query.format is None:
        response.vary.add("Accept")
    return response


def _variant(
    kept: Kept, query: PictureQuery, chosen: PictureFormat, mark: str
) -> Callable[[], bytes]:
    here, wanted = runtime(), query.variant

    def make() -> bytes:
        data = kept.read()
        side = None if wanted is None else side_of(side_in(data), most=wanted.side)
        return rendered(data, side=side, to=chosen.value)

    return lambda: here.variants.get(mark, make)
