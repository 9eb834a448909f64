"""What all calls of the API share: how they are sent, and how answers are read."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

import httpx

from shared.client.failures import ApiError
from shared.client.http import Http, Part, Request
from shared.schemas.base import Schema
from shared.schemas.jobs import Job
from shared.schemas.listing import Listing

Answer = TypeVar("Answer", bound=Schema)

UPLOAD_SECONDS: Final = 600.0
PAGE: Final = 200


class Calls:
    """A way to the server.

    Args:
        url: the server's address, such as ``http://127.0.0.1:8000``.
        key: an API key of the site.
        transport: what carries the requests, where not the network; for tests.
        options: see `Http`.
    """

    def __init__(
        self,
        url: str,
        key: str | None,
        *,
        transport: httpx.BaseTransport | None = None,
        **options: Any,
    ) -> None:
        self._http = Http(url, key, transport=transport, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def read(self, url: str) -> bytes:
        """Return the bytes at one of the server's addresses, such as a design's `image_url`."""
        return self._http.send(Request("GET", url)).content

    def download(self, url: str, target: Path) -> Path:
        """Write the bytes at one of the server's addresses to a file, whole or not at all."""
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.part")
        try:
            with self._http.stream(Request("GET", url)) as response, partial.open("wb") as file:
                for chunk in response.iter_bytes():
                    file.write(chunk)
            shutil.move(partial, target)
        finally:
            partial.unlink(missing_ok=True)
        return target

    def _send_file(self, path: str, part: Part, form: dict[str, str]) -> Job:
        request = Request("POST", path, form=form, file=part, seconds=UPLOAD_SECONDS)
        return self._read(request, Job)

    def _post(
        self, path: str, schema: type[Answer], *, json_body: Mapping[str, Any] | None = None
    ) -> Answer:
        return self._read(Request("POST", path, json=json_body), schema)

    def _get(self, path: str, schema: type[Answer]) -> Answer:
        return self._read(Request("GET", path), schema)

    def _perhaps(self, path: str, schema: type[Answer]) -> Answer | None:
        try:
            return self._get(path, schema)
        except ApiError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return None
            raise

    def _every(
        self,
        path: str,
        schema: type[Answer],
        *,
        query: Mapping[str, Any] | None = None,
        page: int = PAGE,
    ) -> Iterator[Answer]:
        cursor: str | None = None
        while True:
            asked = {**(query or {}), "limit": page, "cursor": cursor}
            found = self._read(Request("GET", path, query=asked), Listing[Any])
            for item in found.items:
                yield schema.model_validate(item, extra="ignore")
            cursor = found.next_cursor
            if cursor is None:
                return

    def _read(self, request: Request, schema: type[Answer]) -> Answer:
        # A newer server may say more than this client knows.
        return schema.model_validate_json(self._http.send(request).content, extra="ignore")


def body_of(schema: Schema) -> dict[str, Any]:
    """Return a request as JSON values."""
    return schema.model_dump(mode="json", exclude_none=True)


def part_of(reference: str) -> str:
    """Return a name as a part of an address."""
    return quote(reference, safe="")
