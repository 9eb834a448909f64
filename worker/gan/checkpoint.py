"""Checkpoints: what a resume needs, written whole or not at all, and checked when read."""

import hashlib
import io
import json
import logging
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

KEPT = 2
"""The newest, and the one before in case the newest is damaged."""

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Checkpoint:
    """A step's files, by name."""

    step: int
    files: Mapping[str, bytes]


class Checkpoints(Protocol):
    """Where a training keeps its checkpoints."""

    def save(self, step: int, files: Mapping[str, bytes]) -> None:
        """Keep these files as the newest checkpoint.

        All or nothing: a process killed during this call leaves the checkpoints as they were.
        The step may be lower than that of an older checkpoint, after a training went back.
        """

    def newest(self) -> Checkpoint | None:
        """Return the newest undamaged checkpoint, or None where there is none."""


class FolderCheckpoints(Checkpoints):
    """Checkpoints in a local folder, one folder each, named in the order they were saved."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def save(self, step: int, files: Mapping[str, bytes]) -> None:
        """Write to a temporary folder, manifest last, flush to disk, rename; then drop old ones."""
        self._path.mkdir(parents=True, exist_ok=True)
        for leftover in self._path.glob(".partial-*"):
            shutil.rmtree(leftover)
        kept = self._folders()
        serial = 1 + (int(kept[0].name.partition("-")[0]) if kept else 0)
        partial = self._path / f".partial-{serial:08d}"
        partial.mkdir()
        for name, data in files.items():
            _write(partial / name, data)
        _write(partial / MANIFEST, json.dumps(_manifest(step, files), indent=1).encode())
        _flush(partial)
        partial.rename(self._path / f"{serial:08d}-step-{step:09d}")
        _flush(self._path)
        for old in self._folders()[KEPT:]:
            shutil.rmtree(old)

    def newest(self) -> Checkpoint | None:
        """Try the folders from the newest on; a damaged one is passed over with a warning."""
        for folder in self._folders():
            try:
                return _read(folder)
            except (OSError, ValueError, KeyError, TypeError) as problem:
                logger.warning("Checkpoint %s is damaged and passed over: %s", folder, problem)
        return None

    def _folders(self) -> list[Path]:
        pattern = re.compile(r"\d{8}-step-\d{9,}")
        found = self._path.iterdir() if self._path.is_dir() else ()
        return sorted((f for f in found if pattern.fullmatch(f.name)), reverse=True)


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Write arrays as .npz bytes; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    # NumPy's stub lets keyword arrays shadow `allow_pickle`; ours have names with a slash.
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, NDArray[Any]]:
    """Read .npz bytes; raises ValueError, KeyError or zipfile's errors on damage. No pickle."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _manifest(step: int, files: Mapping[str, bytes]) -> dict[str, Any]:
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    return {"format": 1, "step": step, "files": hashes}


def _read(folder: Path) -> Checkpoint:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    files = {}
    for name, expected in manifest["files"].items():
        files[name] = (folder / name).read_bytes()
        if hashlib.sha256(files[name]).hexdigest() != expected:
            raise ValueError(f"{name} is not what was written")
    return Checkpoint(int(manifest["step"]), files)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    """Make names last: a file's own flush does not cover its entry in the folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
