"""Arrays and a heading as .npz bytes, without pickle; damage is one error."""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidInputError, TasteCorruptError

Whole = TypeVar("Whole")
Arrays = dict[str, NDArray[Any]]

_HEADING: Final = "heading"
# What NumPy and zipfile were seen to raise on bytes that were cut, flipped or never theirs. A
# flipped length asks for more memory than there is; flipped flags ask for a password.
_DAMAGE: Final = (
    InvalidInputError, ValueError, KeyError, TypeError, AttributeError, OSError, EOFError,
    OverflowError, MemoryError, RuntimeError, SyntaxError, IndexError, struct.error, zlib.error,
    zipfile.BadZipFile,
)  # fmt: skip


def pack(kind: str, heading: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Write a heading (plain JSON data) and arrays; the same content gives the same bytes.

    Args:
        kind: what the file is and its format's number, such as ``garment index 1``.
        heading: text and numbers; names go here, because NumPy's text pads to the longest.
        arrays: numbers.
    """
    told = json.dumps({"kind": kind, **heading}, ensure_ascii=False, sort_keys=True)
    buffer = io.BytesIO()
    text = np.frombuffer(told.encode(), dtype=np.uint8)
    np.savez(buffer, allow_pickle=False, **{_HEADING: text, **arrays})
    return buffer.getvalue()


def unpack(data: bytes, kind: str, build: Callable[[dict[str, Any], Arrays], Whole]) -> Whole:
    """Read what `pack` wrote and build it.

    Args:
        data: the bytes.
        kind: as it was written.
        build: makes the whole of heading and arrays; what it refuses counts as damage.

    Raises:
        TasteCorruptError: the bytes are damaged, of another kind, or of another format.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        heading = json.loads(arrays.pop(_HEADING).tobytes())
        found = heading["kind"]
        if found == kind:
            return build(heading, arrays)
    except _DAMAGE as damage:
        raise TasteCorruptError(
            f"These {len(data)} bytes cannot be read as a {kind}: {damage}. Make the file anew "
            "from its catalog.",
            kind=kind,
        ) from damage
    raise TasteCorruptError(
        f"These bytes are a {found}, where a {kind} was expected. Make the file anew with this "
        "version of Toile.",
        kind=kind,
        found=found,
    )
