"""Results as files: JSON written whole or not at all, so that a cut session loses one run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench.numbers import plain


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write strict JSON; a process killed during this call leaves the old file or none."""
    write_bytes(path, json.dumps(plain(content), indent=1, allow_nan=False).encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write beside, then rename: the name appears with all of its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{path.name}")
    partial.write_bytes(content)
    partial.rename(path)


def read(path: Path) -> dict[str, Any] | None:
    """Return what `write` wrote, or None where nothing was finished."""
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found
