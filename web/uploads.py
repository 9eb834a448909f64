"""Uploads: files go straight to the artifact store; workers, not the front, look inside."""

from collections.abc import Callable, Mapping, Sequence
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
from shared.schemas.feeds import BatchKind, Feed
from shared.schemas.jobs import FeedSpec, IngestSpec, Spec, UploadSource
from shared.schemas.problems import Fault
from web import answers, auth
from web.accept import Promise, again, fingerprint
from web.bodies import refuse_nul
from web.errors import refusal
from web.runtime import runtime

_FILES: Final = ("archive", "image")
_BATCHES: Final = ("archive", "counts")
_LONGEST_NAME: Final = 200
_COUNT_SUFFIXES: Final = (".csv", ".tsv", ".jsonl", ".ndjson")


class GarmentUpload(Schema):
    """The parts of an upload: one file, and for a picture what is known of it."""

    archive: str | None = Field(None, description="A zip or tar file with many garments.")
    image: str | None = Field(None, description="The picture of one garment.")
    fields: GarmentFields | None = Field(None, description="What is known of `image`, as JSON.")


class BatchUpload(Schema):
    """The parts of a feed's batch: one file, and whether it corrects earlier ones."""

    counts: str | None = Field(None, description="Plain counts, as CSV or JSON lines.")
    archive: str | None = Field(None, description="A zip or tar of dated images with a manifest.")
    revises: bool = Field(
        False,
        description="With `counts`: all that earlier batches said of the days and segments named "
        "in it no longer counts.",
    )


def take(catalog: Catalog, promise: Promise) -> Response:
    """Store the file that the request carries, and make the job that takes it in."""
    part, file = _file(_FILES, form="fields")
    fields = _fields(part)

    def spec(source: UploadSource) -> Spec:
        told = source.model_copy(update={"fields": fields})
        return IngestSpec(catalog_id=catalog.id, source=told)

    said = None if fields is None else fields.model_dump(mode="json")
    return _taken(promise, part, file, spec, {"fields": said})


def take_batch(feed: Feed, promise: Promise) -> Response:
    """Store the file that the request carries, and make the job that adds it to a feed."""
    part, file = _file(_BATCHES, form="revises")
    revises = _revises(part)
    holds = BatchKind.COUNTS if part == "counts" else BatchKind.IMAGES
    if holds is BatchKind.COUNTS and not _name(file, part).lower().endswith(_COUNT_SUFFIXES):
        raise _refused(
            f"expected a file named {', '.join(_COUNT_SUFFIXES)}",
            f"The counts are named {_name(file, part)!r}. Their name says how they are read: "
            f"`.csv` or `.tsv` for a table, `.jsonl` or `.ndjson` for one JSON object a line.",
            "counts",
        )

    def spec(source: UploadSource) -> Spec:
        return FeedSpec(feed_id=feed.id, holds=holds, revises=revises, source=source)

    return _taken(promise, part, file, spec, {"revises": revises})


def _taken(
    promise: Promise,
    part: str,
    file: FileStorage,
    spec: Callable[[UploadSource], Spec],
    said: Mapping[str, Any],
) -> Response:
    artifact = _store(file)
    try:
        return _submit(promise, artifact, spec, name=_name(file, part), said=said)
    except ToileError:
        runtime().store.delete(artifact.key)
        raise


def _submit(
    promise: Promise,
    artifact: Artifact,
    spec: Callable[[UploadSource], Spec],
    *,
    name: str,
    said: Mapping[str, Any],
) -> Response:
    here = runtime()
    source = UploadSource(artifact=artifact.key, name=name)
    mark = fingerprint({**said, "name": name, "sha256": artifact.sha256})
    key = promise.idempotency_key
    job = submit(
        here.records,
        here.sender,
        auth.site_id(),
        spec(source),
        idempotency_key=key,
        fingerprint=mark,
        admit=here.limits.admit(auth.site_id()),
    )
    if key is None or job.spec["source"].get("artifact") == artifact.key:
        return answers.accepted(view(job, here.board))
    # The same request came before; its job has its own copy of the file.
    here.store.delete(artifact.key)
    return again(key, mark)


def _file(parts: Sequence[str], *, form: str) -> tuple[str, FileStorage]:
    """Return the one file that came, and which part it is; ``form`` may come beside the last."""
    found = list(request.files.items(multi=True))
    extra = set(request.form) - {form}
    if len(found) != 1 or found[0][0] not in parts or extra:
        names = ", ".join([*(part for part, _ in found), *sorted(request.form)]) or "nothing"
        either = " or ".join(f"`{part}`" for part in parts)
        raise _refused(
            f"expected one file part, {either}",
            f"The upload holds {names}. Send one file, named {either}; with `{parts[-1]}` also "
            f"`{form}`, as JSON.",
        )
    return found[0]


def _revises(part: str) -> bool:
    text = request.form.get("revises")
    if text is None:
        return False
    if text not in {"true", "false"}:
        raise _refused(
            "expected true or false", f"`revises` is {text!r}; write true or false.", "revises"
        )
    if text == "true" and part != "counts":
        raise _refused(
            "only with `counts`",
            "Pictures are not revised: the same picture sent again is merged with the first. "
            "`revises` is for counts.",
            "revises",
        )
    return text == "true"


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
