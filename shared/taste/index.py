"""A garment index: a catalog's items as one file, so that the front need not look at pictures."""

from typing import Any, Final

from shared.taste.items import Items
from shared.taste.packing import Arrays, pack, unpack

KIND: Final = "garment index 1"


def write(items: Items) -> bytes:
    """Return items as .npz bytes; the same items give the same bytes. About 600 bytes an item."""
    vocabulary = [[name, list(values)] for name, values in items.vocabulary.items()]
    return pack(
        KIND,
        {"ids": list(items.ids), "vocabulary": vocabulary},
        {"embeddings": items.embeddings, "colours": items.colours, "labels": items.labels},
    )


def read(data: bytes) -> Items:
    """Return what `write` wrote.

    Raises:
        TasteCorruptError: the bytes are damaged, or no garment index of this format.
    """
    return unpack(data, KIND, _built)


def _built(heading: dict[str, Any], arrays: Arrays) -> Items:
    return Items(
        ids=tuple(heading["ids"]),
        embeddings=arrays["embeddings"],
        colours=arrays["colours"],
        labels=arrays["labels"],
        vocabulary={name: tuple(values) for name, values in heading["vocabulary"]},
    )
