"""What a generation worker sees designs with: the newest index of the release's catalog."""

import hashlib
import logging
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import ToileError
from shared.records import indexes, models
from shared.records.indexes import Index
from shared.shoppers.files import read_gallery
from shared.taste.gallery import Gallery
from shared.taste.thompson import Targets, targets
from worker.designs.looking import Embed, Eye, Features, Space
from worker.jobs.indexing import ENCODER, NOVELTY, PLAIN
from worker.pictures.crowd import Crowd
from worker.runtime import Runtime

LOG: Final = logging.getLogger(__name__)

_BATCH: Final = 16
"""Images a look, always, as the generator's own passes are: so a look depends on nothing else."""


@dataclass(frozen=True)
class Networks:
    """The two networks of an index, ready to look.

    Attributes:
        files_sha256: of both files; an index with the same ones needs no others.
        learned: the catalog's encoder.
        plain: the one that learned nothing.
        size: side of the pictures that they look at, px.
        channels: 1 or 3, of those pictures.
    """

    files_sha256: str
    learned: Embed
    plain: Embed
    size: int
    channels: int


@dataclass(frozen=True)
class Sight:
    """An eye, and the garments that it compares with."""

    index: Index
    networks: Networks
    eye: Eye
    gallery: Gallery

    @cached_property
    def targets(self) -> Targets:
        """The sorts of garments that the catalog holds."""
        return targets(self.gallery)

    @property
    def nbytes(self) -> int:
        """Memory that it holds, bytes."""
        gallery = self.gallery
        return self.eye.nbytes + gallery.features.nbytes + gallery.items.embeddings.nbytes


def open_sight(runtime: Runtime, release_id: str, *, before: Sight | None = None) -> Sight | None:
    """Return what designs of a release are seen with; None where its catalog has no index.

    Args:
        runtime: this process' ways out.
        release_id: of the release.
        before: the sight so far. It is returned itself where no newer index is there, and its
            networks go on looking where the newer one has the same.

    Raises:
        NotFoundError: there is no such release.
        TasteCorruptError, UnreadableSourceError: a file of the index is damaged.
    """
    with runtime.records.reading() as tx:
        place = models.release(tx, release_id)
        index = indexes.newest(tx, place.site_id, place.release.catalog_id)
    if index is None:
        return None
    if before is not None and before.index.id == index.id:
        return before
    return _opened(runtime, index, before)


def follow_index(runtime: Runtime, release_id: str, sight: Sight | None) -> Sight | None:
    """Return the sight of the catalog's newest index, of which `sight` may be an older one.

    An index that cannot be read leaves the older one in use, and the log says so: designs need not
    stop for garments that were added.

    Raises:
        TasteCorruptError, UnreadableSourceError: as `open_sight`, where there is no older one.
    """
    try:
        newest = open_sight(runtime, release_id, before=sight)
    except ToileError as error:
        if sight is None:
            raise
        LOG.warning("Release %s is seen with the older %s: %s", release_id, sight.index.id, error)
        return sight
    if newest is not sight and newest is not None:
        LOG.info("Release %s is seen with index %s now", release_id, newest.index.id)
    return newest


def _opened(runtime: Runtime, index: Index, before: Sight | None) -> Sight:
    from worker.gan.checkpoint import unpack

    files = {
        name: runtime.store.read(f"{index.artifact}{name}") for name in (ENCODER, PLAIN, NOVELTY)
    }
    gallery = read_gallery(runtime.store, index)
    networks = _networks(files[ENCODER], files[PLAIN], before)
    novelty = unpack(files[NOVELTY])
    eye = Eye(
        encoder=index.encoder,
        size=networks.size,
        channels=networks.channels,
        learned=_space(networks.learned, gallery.items.embeddings, novelty["learned_copy"]),
        plain=_space(networks.plain, novelty["plain"], novelty["plain_copy"]),
    )
    return Sight(index, networks, eye, gallery)


def _space(embed: Embed, garments: Features, copy: NDArray[np.float32]) -> Space:
    return Space(embed, Crowd(garments, np.float32), float(copy))


def _networks(encoder_file: bytes, plain_file: bytes, before: Sight | None) -> Networks:
    """Return the networks of two files; to compile them takes seconds.

    Those in use are returned where they are the same, as they are when a catalog has only grown.
    """
    from worker.gan.measure.encoder import Encoder
    from worker.gan.measure.untrained import Untrained

    digest = hashlib.sha256(encoder_file)
    digest.update(plain_file)
    if before is not None and before.networks.files_sha256 == digest.hexdigest():
        return before.networks
    encoder = Encoder.from_bytes(encoder_file, batch=_BATCH)
    plain = Untrained.from_bytes(plain_file, batch=_BATCH)
    return Networks(
        digest.hexdigest(), encoder.features, plain.features, encoder.side, encoder.channels
    )
