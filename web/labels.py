"""Derived labels in memory, so that one garment's are told in a millisecond."""

import threading
from collections import OrderedDict
from typing import Final

from shared.artifacts import ArtifactStore
from shared.derivations import Derived, read
from shared.records.derivations import Derivation

_BYTES_OF_ID: Final = 200  # a Python string of 28 letters, twice referred to, and its place


class DerivedLabels:
    """Loaded derivations, the least recently used first out. Many threads may ask at once.

    Args:
        store: where the files are.
        memory: bytes that all of them may hold; one that is larger alone is kept alone.
    """

    def __init__(self, store: ArtifactStore, *, memory: int) -> None:
        self._store = store
        self._memory = memory
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Derived] = OrderedDict()

    def get(self, derivation: Derivation) -> Derived:
        """Return a derivation's labels.

        Raises:
            TasteCorruptError: the file is damaged.
            FileNotFoundError: it is gone.
        """
        # Held while reading, so that threads that want the same one do not all load it.
        with self._lock:
            if derivation.id not in self._kept:
                self._kept[derivation.id] = read(self._store.read(derivation.artifact))
            self._kept.move_to_end(derivation.id)
            while len(self._kept) > 1 and sum(map(size_of, self._kept.values())) > self._memory:
                self._kept.popitem(last=False)
            return self._kept[derivation.id]


def size_of(derived: Derived) -> int:
    """Return the bytes that a derivation's labels hold, ids included."""
    arrays = (
        array
        for column in derived.columns.values()
        for array in (column.codes, column.predicted, column.confidence)
    )
    return sum(array.nbytes for array in arrays) + _BYTES_OF_ID * len(derived.ids)
