"""What a generation worker sees designs with: the newest index of the release's catalog."""

import logging
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from shared.records import indexes, models
from shared.records.indexes import Index
from shared.shoppers.files import read_gallery
from shared.taste.gallery import Gallery
from shared.taste.thompson import Targets, targets
from worker.designs.looking import Eye, Space
from worker.jobs.indexing import ENCODER, NOVELTY, PLAIN
from worker.runtime import Runtime

LOG: Final = logging.getLogger(__name__)

_BATCH: Final = 16
"""Images a look, always, as the generator's own passes are: so a look depends on nothing else."""


@dataclass(frozen=True)
class Sight:
    """An eye, and the garments that it compares with."""

    index: Index
    eye: Eye
    gallery: Gallery

    @cached_property
    def targets(self) -> Targets:
        """The sorts of garments that the catalog holds."""
        return targets(self.gallery)

    @property
    def nbytes(self) -> int:
        """Memory that it holds, bytes."""
        return self.eye.nbytes + self.gallery.features.nbytes


def open_sight(runtime: Runtime, release_id: str) -> Sight | None:
    """Return what designs of a release are seen with; None where its catalog has no index.

    Raises:
        NotFoundError: there is no such release.
        TasteCorruptError, UnreadableSourceError: a file of the index is damaged.
    """
    with runtime.records.reading() as tx:
        place = models.release(tx, release_id)
        index = indexes.newest(tx, place.site_id, place.release.catalog_id)
    if index is None:
        LOG.info(
            "Release %s is of a catalog without an index: its designs are not seen", release_id
        )
        return None
    return _opened(runtime, index)


def _opened(runtime: Runtime, index: Index) -> Sight:
    from worker.gan.checkpoint import unpack
    from worker.gan.measure.encoder import Encoder
    from worker.gan.measure.untrained import Untrained

    files = {
        name: runtime.store.read(f"{index.artifact}{name}") for name in (ENCODER, PLAIN, NOVELTY)
    }
    gallery = read_gallery(runtime.store, index)
    encoder = Encoder.from_bytes(files[ENCODER], batch=_BATCH)
    plain = Untrained.from_bytes(files[PLAIN], batch=_BATCH)
    novelty = unpack(files[NOVELTY])
    eye = Eye(
        encoder=index.encoder,
        size=encoder.side,
        channels=encoder.channels,
        learned=Space(encoder.features, gallery.items.embeddings, float(novelty["learned_copy"])),
        plain=Space(
            plain.features, novelty["plain"].astype(np.float32), float(novelty["plain_copy"])
        ),
    )
    return Sight(index, eye, gallery)
