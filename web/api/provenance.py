"""Provenance: whether this server made a file, when and with what."""

import os
from typing import Any, Final

from flask import Response, request
from pydantic import Field
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import UnsupportedMediaType

from shared.errors import InvalidInputError, TooLargeError
from shared.schemas.base import Schema
from shared.schemas.keys import Scope
from shared.schemas.problems import Fault
from shared.schemas.provenance import Provenance
from web import answers, auth
from web.api.noun import noun, problems
from web.evidence import judge
from web.runtime import runtime

api: Final = noun("provenance", "Whether a picture is one of the site's designs.")

_PART: Final = "image"
_MULTIPART: Final = "multipart/form-data"
_PICTURES: Final = ("image/png", "image/webp", "image/jpeg", "image/avif")
_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        **{name: {"schema": {"type": "string", "format": "binary"}} for name in _PICTURES},
        _MULTIPART: {"schema": {"$ref": "#/components/schemas/PictureUpload"}},
    },
}


class PictureUpload(Schema):
    """The one part of an upload."""

    image: str = Field(description="A PNG, WebP, JPEG or AVIF file.")


@api.post(
    "/provenance",
    responses={"200": Provenance, **problems(400, 413, 415)},
    openapi_extensions={"requestBody": _BODY},
)
@auth.needs(Scope.READ)
def tell_provenance() -> Response:
    """Tell whether a picture is one of the site's designs, and what the evidence is worth.

    Send the file itself as the body (image/png, image/webp, image/jpeg or image/avif), or as the
    part `image` of multipart/form-data. Its bytes, its metadata and its pixels are compared with
    what is kept; a C2PA manifest is validated. Nothing of the file is kept, and asking again
    changes nothing.
    """
    return answers.document(judge(_content()))


def _content() -> bytes:
    if request.mimetype == _MULTIPART:
        content = _read_part(_part())
    elif request.mimetype in _PICTURES:
        content = request.get_data(cache=False)
    else:
        raise UnsupportedMediaType(
            f"Send a picture with its own Content-Type ({', '.join(_PICTURES)}), or as the part "
            f"`{_PART}` of {_MULTIPART}."
        )
    if not content:
        raise _refused("empty", "The picture is empty. Send the whole file.")
    return content


def _part() -> FileStorage:
    found = list(request.files.items(multi=True))
    if len(found) != 1 or found[0][0] != _PART or request.form:
        names = ", ".join([*(name for name, _ in found), *sorted(request.form)]) or "nothing"
        raise _refused(
            f"expected one file part, `{_PART}`",
            f"The upload holds {names}. Send one file, named `{_PART}`.",
        )
    return found[0][1]


def _read_part(file: FileStorage) -> bytes:
    limit = runtime().settings.picture_limit
    size = file.stream.seek(0, os.SEEK_END)
    if size > limit:
        raise TooLargeError(
            f"The picture holds {size} bytes; this server looks at {limit} at most "
            "(TOILE_PICTURE_LIMIT). Send a smaller copy.",
            limit=limit,
        )
    file.stream.seek(0)
    return file.stream.read()


def _refused(message: str, detail: str) -> InvalidInputError:
    return InvalidInputError(detail, errors=[Fault(location=(_PART,), message=message)])
