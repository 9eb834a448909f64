"""Bodies: what a request carries, read with limits and refused with a reason."""

import json
import math
import tempfile
from typing import IO, Any, Final

from flask import Request, current_app, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from shared.errors import InvalidInputError
from web.runtime import runtime

_MULTIPART: Final = "multipart/form-data"
# The boundaries and headers of an upload's parts, beyond the files themselves.
_AROUND_FILES: Final = 2**16


class UploadRequest(Request):
    """A request whose files go to the disk that holds TOILE_HOME, never to memory.

    The system's own folder for temporary files is often small, or is memory itself.
    """

    def _get_file_stream(
        self,
        total_content_length: int | None,  # noqa: ARG002 - werkzeug's signature
        content_type: str | None,  # noqa: ARG002
        filename: str | None = None,  # noqa: ARG002
        content_length: int | None = None,  # noqa: ARG002
    ) -> IO[bytes]:
        folder = runtime().settings.home.resolve() / "incoming"
        folder.mkdir(parents=True, exist_ok=True)
        # Without a name on the disk, so that nothing is left however the process ends.
        return tempfile.TemporaryFile("rb+", dir=folder)

    def on_json_loading_failure(self, e: ValueError | None) -> Any:
        """Say what is wrong with a body that should be JSON."""
        if e is None:
            raise UnsupportedMediaType(
                f"The body is {self.mimetype or 'of no type'}; send JSON with "
                "`Content-Type: application/json`."
            )
        raise BadRequest(f"The body is not JSON: {e}.")


class StrictJson(DefaultJSONProvider):
    """JSON as its standard has it: no NaN, no infinity, no nesting without end."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Parse, refusing with a ValueError what JSON does not allow."""
        try:
            return json.loads(s, parse_constant=_refuse_number, parse_float=_finite, **kwargs)
        except RecursionError:
            message = "it is nested too deep"
            raise ValueError(message) from None


def limit() -> None:
    """Set how large the body of this request may be, and refuse addresses that hold NUL."""
    settings = runtime().settings
    if request.mimetype == _MULTIPART:
        request.max_content_length = settings.upload_limit + _AROUND_FILES
    elif request.mimetype.startswith("image/"):
        request.max_content_length = settings.picture_limit
    else:
        request.max_content_length = settings.body_limit
    if "\0" in request.path or any("\0" in value for value in request.args.values()):
        raise BadRequest("The address holds a NUL character.")


def check() -> None:
    """Refuse, before a view that takes JSON, a body that is none."""
    view = current_app.view_functions.get(request.endpoint or "")
    if view is not None and "body" in view.__annotations__:
        json_object()


def json_object() -> dict[str, Any]:
    """Return the body, a JSON object.

    Raises:
        UnsupportedMediaType: it claims to be something else.
        BadRequest: it is no JSON.
        InvalidInputError: it is JSON, but no object.
    """
    body = request.get_json()
    if not isinstance(body, dict):
        raise InvalidInputError(
            f"The body is a JSON {_kind(body)}; expected an object, such as {{}}."
        )
    refuse_nul(request.get_data(as_text=True))
    return body


def refuse_nul(text: str) -> None:
    """Refuse JSON text with a NUL character in a string: no database keeps one.

    Raises:
        InvalidInputError: there is one.
    """
    if "\\u0000" in text:
        raise InvalidInputError("The body holds the character NUL (\\u0000). Leave it out.")


def _kind(value: object) -> str:
    names = {list: "list", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


def _refuse_number(name: str) -> float:
    message = f"{name} is no JSON number"
    raise ValueError(message)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        _refuse_number(text)
    return value
