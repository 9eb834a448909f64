"""The files that tastes are learned with, read from the store."""

from typing import Final

from shared.artifacts import ArtifactStore
from shared.errors import TasteCorruptError
from shared.records.indexes import Index
from shared.records.priors import TastePrior
from shared.taste import Gallery, Prior, hang, index, prior, space

GARMENTS: Final = "garments.npz"
SPACE: Final = "space.npz"


def read_gallery(store: ArtifactStore, of: Index) -> Gallery:
    """Return the garments of an index with their features; about 100 ms for 10,000.

    Raises:
        TasteCorruptError: a file is damaged, or gone.
    """
    items = index.read(_read(store, f"{of.artifact}{GARMENTS}"))
    gallery = hang(items, space.read(_read(store, f"{of.artifact}{SPACE}")))
    # Both are computed when first asked for; a request should not be the one that waits.
    _ = (gallery.items.places, gallery.space.fingerprint)
    return gallery


def read_prior(store: ArtifactStore, of: TastePrior) -> Prior:
    """Return a site's prior.

    Raises:
        TasteCorruptError: the file is damaged, or gone.
    """
    return prior.read(_read(store, of.artifact))


def _read(store: ArtifactStore, key: str) -> bytes:
    try:
        return store.read(key)
    except FileNotFoundError as error:
        raise TasteCorruptError(
            f"The file {key} is not in the artifact store. Restore the store from a backup, or "
            "let a worker make the file anew.",
            key=key,
        ) from error
