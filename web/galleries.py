"""Garment indexes in memory, so that a taste is told in milliseconds."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from shared.artifacts import ArtifactStore
from shared.records.indexes import Index
from shared.records.priors import TastePrior
from shared.shoppers.files import read_gallery, read_prior
from shared.taste import Gallery, Prior, Wish
from shared.taste.arrays import Bools
from shared.taste.wishes import allowed, meets

LOG: Final = logging.getLogger(__name__)

_BYTES_OF_ID: Final = 200  # a Python string of 28 letters, twice referred to, and its place
_MOST_PRIORS: Final = 64  # some hundred kB each
_MOST_MASKS: Final = 256  # a byte a garment each


class Galleries:
    """Loaded galleries and priors, the least recently used first out. Many threads may ask at once.

    Args:
        store: where the files are.
        memory: bytes that all galleries may hold; one that is larger alone is kept alone.
        read: gets a gallery from the store; tests pass their own.
    """

    def __init__(
        self,
        store: ArtifactStore,
        *,
        memory: int,
        read: Callable[[ArtifactStore, Index], Gallery] = read_gallery,
    ) -> None:
        self._store = store
        self._memory = memory
        self._read = read
        self._lock = threading.Lock()
        self._loading: dict[str, threading.Lock] = {}
        self._galleries: OrderedDict[str, Gallery] = OrderedDict()
        self._masks: OrderedDict[tuple[str, str, str], Bools] = OrderedDict()
        self._priors: OrderedDict[TastePrior, Prior] = OrderedDict()

    def get(self, index: Index) -> Gallery:
        """Return an index' gallery; threads that want the same one wait for one of them to load it.

        Raises:
            TasteCorruptError: a file is damaged, or gone.
            StoreUnavailableError: the store does not answer.
        """
        with self._lock:
            known = self._known(index.id)
            loading = self._loading.setdefault(index.id, threading.Lock())
        if known is not None:
            return known
        with loading:
            with self._lock:
                known = self._known(index.id)
            if known is not None:
                return known
            gallery = self._read(self._store, index)
            with self._lock:
                self._keep(index.id, gallery)
        return gallery

    def prior(self, found: TastePrior) -> Prior:
        """Return a site's prior.

        Raises:
            TasteCorruptError, StoreUnavailableError: as `get`.
        """
        with self._lock:
            known = self._priors.get(found)
        if known is not None:
            return known
        prior = read_prior(self._store, found)
        with self._lock:
            self._priors[found] = prior
            while len(self._priors) > _MOST_PRIORS:
                self._priors.popitem(last=False)
        return prior

    def allowed(self, index: Index, gallery: Gallery, wishes: Sequence[Wish]) -> Bools:
        """Return bool ``[n]``: which garments of an index the hard wishes leave.

        What a wish names is remembered: shoppers wish for the same few things.
        """
        return allowed(
            gallery.items, wishes, met_by=lambda _, wish: self._met(index, gallery, wish)
        )

    def _met(self, index: Index, gallery: Gallery, wish: Wish) -> Bools:
        key = (index.id, wish.attribute, wish.value)
        with self._lock:
            known = self._masks.get(key)
        if known is not None:
            return known
        met = meets(gallery.items, wish)
        with self._lock:
            self._masks[key] = met
            while len(self._masks) > _MOST_MASKS:
                self._masks.popitem(last=False)
        return met

    def _known(self, index_id: str) -> Gallery | None:
        if index_id in self._galleries:
            self._galleries.move_to_end(index_id)
        return self._galleries.get(index_id)

    def _keep(self, index_id: str, gallery: Gallery) -> None:
        self._galleries[index_id] = gallery
        while len(self._galleries) > 1 and self._held() > self._memory:
            gone, _ = self._galleries.popitem(last=False)
            self._loading.pop(gone, None)
            LOG.info("Let go of garment index %s", gone)

    def _held(self) -> int:
        return sum(size_of(gallery) for gallery in self._galleries.values())


def size_of(gallery: Gallery) -> int:
    """Return the bytes that a gallery holds, ids included."""
    items = gallery.items
    arrays = (gallery.features, items.embeddings, items.colours, items.labels)
    return sum(array.nbytes for array in arrays) + _BYTES_OF_ID * len(items)
