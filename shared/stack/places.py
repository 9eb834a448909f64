"""Where a stack keeps what others look for."""

from pathlib import Path

from shared.settings import Settings


def stack_lock(settings: Settings) -> Path:
    """Return the lock that a running stack holds; it also says where its page is."""
    return settings.home.resolve() / "stack.lock"
