"""Server-side folders: only those below the roots that the operator named."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flask import Response
from pydantic import ValidationError

from shared.errors import ForbiddenError, InvalidInputError
from shared.schemas.catalogs import Catalog, FolderRequest
from shared.schemas.jobs import IngestSpec, PathSource
from shared.schemas.problems import Fault
from web.accept import Promise, accept
from web.errors import refusal
from web.runtime import runtime


def take(catalog: Catalog, promise: Promise, body: dict[str, Any]) -> Response:
    """Make the job that takes a folder, archive or IDX file of the server in."""
    try:
        asked = FolderRequest.model_validate(body)
    except ValidationError as error:
        raise refusal(error) from None

    def resolve() -> IngestSpec:
        path = resolved(asked.path, runtime().settings.import_roots)
        return IngestSpec(catalog_id=catalog.id, source=PathSource(path=str(path)))

    return accept(promise, body, resolve)


def resolved(path: str, roots: Iterable[Path]) -> Path:
    """Return where a path leads, every link followed, if that is below one of the roots.

    Raises:
        InvalidInputError: it is not absolute, or nothing is there.
        ForbiddenError: it leads elsewhere; whether something is there is not told.
    """
    if "\0" in path or not Path(path).is_absolute():
        raise _refused(f"{path!r} is not an absolute path. Write it from the root: /...", path)
    try:
        place = Path(path).resolve()
    except (OSError, RuntimeError):
        raise _refused(f"{path!r} cannot be followed to its end.", path) from None
    if not any(place.is_relative_to(root.resolve()) for root in roots):
        raise ForbiddenError(
            f"{path!r} is not below a folder that this server may read catalogs from. The operator "
            "names those folders in TOILE_IMPORT_ROOTS, split by ':'. An upload needs none.",
            path=path,
            setting="TOILE_IMPORT_ROOTS",
        )
    if not place.exists():
        raise _refused(f"There is nothing at {path!r} on the server.", path)
    return place


def _refused(detail: str, path: str) -> InvalidInputError:
    fault = Fault(location=("path",), message="expected the absolute path of a folder or file")
    return InvalidInputError(detail, errors=[fault], path=path)
