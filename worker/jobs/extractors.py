"""Extractors in the artifact store: trained once for a catalog version, and used again."""

import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Any, Final

from shared.artifacts import ArtifactStore, keys
from shared.schemas.jobs import TrainingSpec

LOG: Final = logging.getLogger(__name__)


class KeptExtractors:
    """The extractors of the garments that a training learns from.

    No row names them, and two trainings at once may both make them: so each file's name begins with
    its own hash, and one that does not match it is made again.
    """

    def __init__(self, store: ArtifactStore, spec: TrainingSpec, dataset: Any, steps: int) -> None:
        """Name them after all that they depend on.

        Args:
            store: where they are kept.
            spec: of the training.
            dataset: its garments.
            steps: how long each extractor is trained.
        """
        about = [dataset.fingerprint, dataset.size, dict(dataset.vocabulary), spec.heldout, steps]
        mark = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]
        self._store = store
        self._prefix = keys.extractors(spec.catalog_id, mark)

    def read(self) -> dict[str, bytes]:
        """Return those that there are and are whole, by file name."""
        files: dict[str, bytes] = {}
        for key in self._keys():
            digest, _, name = key.removeprefix(self._prefix).partition(".")
            data = self._store.read(key)
            if hashlib.sha256(data).hexdigest() == digest:
                files.setdefault(name, data)
            else:
                LOG.warning("Extractor %s is damaged and is made anew", key)
                self._store.delete(key)
        return files

    def _keys(self) -> list[str]:
        return sorted(self._store.keys(self._prefix))

    def write(self, files: Mapping[str, bytes]) -> None:
        """Keep those that are not kept yet; trained twice they differ, and figures name one.

        So a worker that lost its lease changes nothing under the one that holds it now.
        """
        there = {key.removeprefix(self._prefix).partition(".")[2] for key in self._keys()}
        for name, data in files.items():
            if name not in there:
                digest = hashlib.sha256(data).hexdigest()
                self._store.put(f"{self._prefix}{digest}.{name}", data)
