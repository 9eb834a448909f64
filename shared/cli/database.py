"""The way into the database for the commands of an operator."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from shared.errors import ConfigurationError
from shared.records import Records, migrate
from shared.settings import Settings


@contextmanager
def open_records(settings: Settings) -> Iterator[Records]:
    """Yield the records of a database whose tables are up to date.

    Raises:
        ConfigurationError: they are not.
    """
    with closing(Records(settings.database)) as records:
        if not migrate.is_current(records):
            raise ConfigurationError(
                "The database's tables are not up to date. Run `toile migrate` first; `toile up` "
                "does it too."
            )
        yield records
