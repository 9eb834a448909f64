"""Opening the store as a server process uses it: each artifact compared with its hash."""

from shared.artifacts import open_store
from shared.keeping.checked import CheckedStore
from shared.keeping.room import Room
from shared.records import Records
from shared.settings import Settings


def open_checked(settings: Settings, records: Records) -> CheckedStore:
    """Return the store that the settings name, its hashes in these records."""
    return CheckedStore(
        open_store(settings), records, cache=settings.cache_folder, room=Room.of(settings)
    )
