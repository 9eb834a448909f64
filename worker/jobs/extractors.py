"""Extractors in the artifact store: trained once for a catalog version, and used again."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from shared.artifacts import ArtifactStore, keys
from shared.schemas.jobs import TrainingSpec


class KeptExtractors:
    """The extractors of the garments that a training learns from."""

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
        """Return those that there are, by file name."""
        found = sorted(self._store.keys(self._prefix))
        return {key.removeprefix(self._prefix): self._store.read(key) for key in found}

    def write(self, files: Mapping[str, bytes]) -> None:
        """Keep those that are not kept yet; trained twice they differ, and figures name one.

        So a worker that lost its lease changes nothing under the one that holds it now.
        """
        for name, data in files.items():
            key = f"{self._prefix}{name}"
            if not self._store.exists(key):
                self._store.put(key, data)
