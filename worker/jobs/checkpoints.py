"""Checkpoints in the artifact store, so that another host can go on where this one died."""

import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Final

from shared.artifacts import ArtifactStore, keys
from shared.errors import ToileError
from worker.gan.checkpoint import Checkpoint, Checkpoints

LOG: Final = logging.getLogger(__name__)

_MANIFEST: Final = "manifest.json"
_KEPT: Final = 2


class ArtifactCheckpoints(Checkpoints):
    """A training's checkpoints. One counts only once its manifest, written last, is there.

    The fence is part of each name: a worker that lost its lease writes beside the newer one's
    checkpoints, never over them.
    """

    def __init__(self, store: ArtifactStore, job_id: str, fence: int) -> None:
        self._store = store
        self._job_id = job_id
        self._fence = fence
        self._saved = 0

    def save(self, step: int, files: Mapping[str, bytes]) -> None:
        """Write a checkpoint, then drop all but the newest two, and what was never finished."""
        self._saved += 1
        hashes = {name: self._put(name, data) for name, data in files.items()}
        self._put(_MANIFEST, json.dumps({"step": step, "files": hashes}).encode())
        whole = self._folders()
        for folder in whole[_KEPT:]:
            self._drop(folder)
        self._drop_unfinished(before=whole[0])

    def newest(self) -> Checkpoint | None:
        """Return the newest checkpoint that is whole, or None."""
        for folder in self._folders():
            found = self._read(folder)
            if found is not None:
                return found
        return None

    def _put(self, name: str, data: bytes) -> str:
        key = keys.checkpoint_file(self._job_id, self._fence, self._saved, name)
        return self._store.put(key, data).sha256

    def _folders(self) -> list[str]:
        """Return the folders with a manifest, newest first: by fence, then by number."""
        prefix = keys.checkpoints(self._job_id)
        marks = (key for key in self._store.keys(prefix) if key.endswith(f"/{_MANIFEST}"))
        return sorted((key.removesuffix(_MANIFEST) for key in marks), reverse=True)

    def _drop_unfinished(self, *, before: str) -> None:
        """Drop what a worker left that died while it wrote: each death would leave one more.

        Not what is newer: another worker may be writing it now, and this one be stale.
        """
        prefix = keys.checkpoints(self._job_id)
        found = list(self._store.keys(prefix))
        whole = {key.removesuffix(_MANIFEST) for key in found if key.endswith(f"/{_MANIFEST}")}
        for key in found:
            folder = f"{key.rpartition('/')[0]}/"
            if folder not in whole and folder < before:
                self._store.delete(key)

    def _read(self, folder: str) -> Checkpoint | None:
        try:
            manifest = json.loads(self._store.read(f"{folder}{_MANIFEST}"))
            hashes = dict(manifest["files"])
            step = int(manifest["step"])
            files = {name: self._store.read(f"{folder}{name}") for name in hashes}
        except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
            LOG.warning("Checkpoint %s is incomplete (%r); trying the one before", folder, error)
            return None
        except ToileError as error:
            if error.retryable:  # a store that is away has not lost it
                raise
            LOG.warning("Checkpoint %s cannot be read (%s); trying the one before", folder, error)
            return None
        for name, digest in hashes.items():
            if hashlib.sha256(files[name]).hexdigest() != digest:
                LOG.warning("Checkpoint %s is damaged in %s; trying the one before", folder, name)
                return None
        return Checkpoint(step=step, files=files)

    def _drop(self, folder: str) -> None:
        # The manifest goes first: what is half removed must not look whole.
        self._store.delete(f"{folder}{_MANIFEST}")
        for key in list(self._store.keys(folder)):
            self._store.delete(key)
