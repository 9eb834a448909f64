"""Restore: artifacts first, then the rows that name them; nothing of a backup that is not whole."""

import json
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import IO, Final

from pydantic import ValidationError

from shared.artifacts import ArtifactStore
from shared.errors import BackupError
from shared.keeping.archives import ARTIFACTS, HEADER, MANIFEST, RECORDS, members
from shared.keeping.backup import FORMAT, Header, Manifest
from shared.keeping.checked import CheckedStore, sha256_of
from shared.records import Records, portable

_KEY: Final = re.compile(r"(?!.*(?:^|/)\.\.?(?:/|$))[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)+")
_FILE: Final = re.compile(r"[a-z0-9_]+\.jsonl\.gz")
_MOST_TOLD: Final = 3

OnProgress = Callable[[int, int], None]


def restore(
    records: Records,
    store: ArtifactStore,
    source: Path,
    *,
    force: bool = False,
    on_progress: OnProgress = lambda _count, _size: None,
) -> Manifest:
    """Put a backup's records and artifacts where there are none; stop all processes before.

    The database may be of the other kind than the one that was backed up, and the tables of an
    older Toile: they are brought up to date.

    Args:
        records: the database.
        store: where the artifacts go.
        source: the backup, a file or folder.
        force: whether the database may lose what it holds. Artifacts that are there and that the
            backup does not name stay; they are orphans, and go with those.
        on_progress: called with how many artifacts and bytes were written.

    Raises:
        BackupError: the backup is not whole, is of a newer Toile, or something is there already.
            The database is as it was.
    """
    inner = store.inner if isinstance(store, CheckedStore) else store
    if not force:
        _require_empty(records, inner)
    with tempfile.TemporaryDirectory(prefix="toile-restore-") as scratch:
        reading = _Reading(inner, Path(scratch), on_progress)
        try:
            manifest = reading.run(source)
        except (tarfile.TarError, EOFError) as error:
            raise BackupError(f"{source} was cut short ({error}).") from error
        portable.load(records, Path(scratch), at=manifest.revision)
    return manifest


class _Reading:
    def __init__(self, store: ArtifactStore, scratch: Path, on_progress: OnProgress) -> None:
        self._store = store
        self._scratch = scratch
        self._on_progress = on_progress
        self._found: dict[str, str] = {}
        self._bytes = 0

    def run(self, source: Path) -> Manifest:
        manifest: Manifest | None = None
        place = -1
        for place, (name, file, size) in enumerate(members(source)):
            if place == 0:
                _require_known(name, file)
            elif name.startswith(ARTIFACTS):
                self._artifact(name.removeprefix(ARTIFACTS), file, size)
            elif name.startswith(RECORDS):
                self._rows(name.removeprefix(RECORDS), file)
            elif name == MANIFEST:
                manifest = _manifest(file.read())
        if place < 0:
            raise BackupError(f"{source} is empty.")
        if manifest is None:
            raise BackupError(f"{source} has no manifest at its end: its writing was cut short.")
        self._require_whole(manifest)
        return manifest

    def _artifact(self, key: str, file: IO[bytes], size: int) -> None:
        if not _KEY.fullmatch(key):
            raise BackupError(f"The backup holds an artifact of the impossible key {key!r}.")
        with tempfile.SpooledTemporaryFile(2**25) as copy:
            # A member of a stream has no place to go back to, and S3 wants one.
            shutil.copyfileobj(file, copy, 2**20)
            copy.seek(0)
            self._found[key] = self._store.put(key, copy).sha256  # type: ignore[arg-type]  # is a BinaryIO
        self._bytes += size
        self._on_progress(len(self._found), self._bytes)

    def _rows(self, name: str, file: IO[bytes]) -> None:
        if not _FILE.fullmatch(name):
            raise BackupError(f"The backup holds rows under the impossible name {name!r}.")
        with (self._scratch / name).open("wb") as copy:
            shutil.copyfileobj(file, copy, 2**20)

    def _require_whole(self, manifest: Manifest) -> None:
        expected = {one.key: one.sha256 for one in manifest.artifacts}
        wrong = sorted(key for key, digest in expected.items() if self._found.get(key) != digest)
        for name, digest in manifest.records.items():
            path = self._scratch / name
            if not path.exists() or sha256_of(path) != digest:
                wrong.append(name)
        if wrong:
            raise BackupError(
                f"The backup is damaged: {len(wrong)} of its files are not those that were "
                f"written, such as {', '.join(wrong[:_MOST_TOLD])}. The database is as it was.",
                files=wrong,
            )
        for key in self._found.keys() - expected.keys():
            self._store.delete(key)  # erased while the backup was made


def _require_known(name: str, file: IO[bytes]) -> None:
    if name != HEADER:
        raise BackupError(f"This is no backup of Toile: it begins with {name!r}.")
    try:
        header = Header.model_validate_json(file.read())
    except ValidationError as error:
        raise BackupError(f"The backup's header cannot be read: {error}") from error
    if header.format != FORMAT:
        raise BackupError(
            f"The backup is of format {header.format} (Toile {header.toile}); this Toile reads "
            f"format {FORMAT}. Restore it with the Toile that made it, or a newer one."
        )


def _manifest(data: bytes) -> Manifest:
    try:
        manifest = Manifest.model_validate(json.loads(data))
    except (ValueError, ValidationError) as error:
        raise BackupError(f"The backup's manifest cannot be read: {error}") from error
    if not portable.is_known(manifest.revision):
        raise BackupError(
            f"The backup's tables are of revision {manifest.revision}, which this Toile does not "
            "know. Restore it with a newer Toile."
        )
    return manifest


def _require_empty(records: Records, store: ArtifactStore) -> None:
    if not portable.is_empty(records):
        raise BackupError(
            "The database holds sites already. Restore into an empty one, or say --force: then it "
            "loses all that it holds."
        )
    there = [one.key for one in islice(store.entries(), 2) if not one.key.startswith("health/")]
    if there:
        raise BackupError(
            f"The artifact store holds files already, such as {there[0]}. Restore into an empty "
            "one, or say --force: then the backup's are put beside and over them."
        )
