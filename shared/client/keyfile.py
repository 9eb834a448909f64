"""The key that this machine's own command line uses, kept in TOILE_HOME for its owner alone."""

import os
import secrets
from pathlib import Path

from shared.settings import Settings


def key_path(settings: Settings) -> Path:
    """Return where the key is kept."""
    return settings.home.resolve() / "api-key"


def save_key(settings: Settings, secret: str) -> Path:
    """Keep a key; one that was kept before is forgotten."""
    path = key_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{secret}\n")
    temporary.replace(path)
    return path


def saved_key(settings: Settings) -> str | None:
    """Return the key that was kept, or None."""
    try:
        return key_path(settings).read_text().strip() or None
    except FileNotFoundError:
        return None
