"""Uploads: files go straight to the artifact store; workers, not the front, look inside."""

from pathlib import PurePosixPath
from typing import Any, Final

from flask import Response, request
from pydantic import Field, ValidationError
from werkzeug.datastructures import FileStorage

from shared import ids
from shared.artifacts import Artifact, keys
from shared.errors import InvalidInputError, ToileError, TooLargeError
from shared.jobs.submit import submit
from shared.jobs.view import view
from shared.schemas.base import Schema
from shared.schemas.catalogs import Catalog, GarmentFields
from shared.schemas.jobs import IngestSpec, UploadSource
from shared.schemas.problems import Fault
from web import answers, auth
from web.accept import Promise, fingerprint
from web.bodies import refuse_nul
from web.errors import refusal
from web.runtime import runtime

_FILES: Final = frozenset({"archive", "image"})
_LONGEST_NAME: Final = 200


class GarmentUpload(Schema):
    """The parts of an upload: one file, and for a picture what is known of it."""

    archive: str | None = Field(None, description="A zip or tar file with many garments.")
    image: str | None = Field(None, description="The picture of one garment.")
    fields: GarmentFields | None = Field(None, description="What is known of `image`, as JSON.")


def take(catalog: Catalog, promise: Promise) -> Response:
    """Store the file that the request carries, and make the job that takes it in."""
    part, file = _file()
    fields = _fields(part)
    artifact = _store(file)
    try:
        return _submit(catalog, promise, artifact, name=_name(file, part), fields=fields)
    except ToileError:
        runtime().store.delete(artifact.key)
        raise


def _submit(
    catalog: Catalog,
    promise: Promise,
    artifact: Artifact,
    *,
    name: str,
    fields: GarmentFields | None,
) -> Response:
    here = runtime()
    source = UploadSource(artifact=artifact.key, name=name, fields=fields)
    said: dict[str, Any] = source.model_dump(mode="json", exclude={"artifact"})
    job = submit(
        here.records,
        here.sender,
        auth.site_id(),
        IngestSpec(catalog_id=catalog.id, source=source),
        idempotency_key=promise.idempotency_key,
        fingerprint=fingerprint({**said, "sha256": artifact.sha256}),
    )
    if job.spec["source"].get("artifact") != artifact.key:
        # The same request came before; its job has its own copy of the file.
        here.store.delete(artifact.key)
    return answers.accepted(view(job, here.board))


def _file() -> tuple[str, FileStorage]:
    found = list(request.files.items(multi=True))
    extra = set(request.form) - {"fields"}
    if len(found) != 1 or found[0][0] not in _FILES or extra:
        names = ", ".join([*(part for part, _ in found), *sorted(request.form)]) or "nothing"
        raise _refused(
            "expected one file part, `archive` or `image`",
            f"The upload holds {names}. Send one file, named `archive` or `image`; with `image` "
            "also `fields`, as JSON.",
        )
    return found[0]


def _fields(part: str) -> GarmentFields | None:
    text = request.form.get("fields")
    if text is None:
        return None
    if part != "image":
        raise _refused(
            "only with `image`",
            "`fields` describe one picture, sent as `image`. The garments of an archive are "
            "described by the manifest inside it.",
            "fields",
        )
    refuse_nul(text)
    try:
        return GarmentFields.model_validate_json(text)
    except ValidationError as error:
        raise refusal(error, place=("fields",)) from None


def _store(file: FileStorage) -> Artifact:
    here = runtime()
    artifact = here.store.put(keys.upload(ids.new_id(ids.UPLOAD)), file.stream)  # type: ignore[arg-type]  # werkzeug says IO[bytes]
    if 0 < artifact.size <= here.settings.upload_limit:
        return artifact
    here.store.delete(artifact.key)
    if artifact.size == 0:
        raise _refused("empty", "The file is empty. Send one with something in it.")
    raise TooLargeError(
        f"The file holds {artifact.size} bytes; this server takes at most "
        f"{here.settings.upload_limit} (TOILE_UPLOAD_LIMIT). Split it.",
        limit=here.settings.upload_limit,
    )


def _name(file: FileStorage, part: str) -> str:
    """Return the file's own name without folders or control characters; workers log it."""
    last = PurePosixPath((file.filename or "").replace("\\", "/")).name
    return "".join(one for one in last if one.isprintable())[-_LONGEST_NAME:] or part


def _refused(message: str, detail: str, *place: str) -> InvalidInputError:
    return InvalidInputError(detail, errors=[Fault(location=place, message=message)])
