"""Migrations: bringing a database to the tables that this code expects."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, text

from shared.records.engine import Records
from shared.records.tables import Base

_FOLDER: Final = Path(__file__).with_name("migrations")
# Any fixed number: all that start at once ask PostgreSQL for the lock of this number.
_LOCK: Final = 7_401_337


def upgrade(records: Records, revision: str = "head") -> None:
    """Bring the database to a revision; of several that start at once, one does it."""
    with records.engine.connect() as connection:
        _lock(connection)
        command.upgrade(_config(connection), revision)
        connection.commit()


def downgrade(records: Records, revision: str) -> None:
    """Take the database back to a revision, or to `base` for none."""
    with records.engine.connect() as connection:
        _lock(connection)
        command.downgrade(_config(connection), revision)
        connection.commit()


def current(records: Records) -> str | None:
    """Return the database's revision, or None for an empty database."""
    with records.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def is_current(records: Records) -> bool:
    """Return whether the database stands at the revision that this code expects.

    Raises:
        DatabaseUnavailableError: the database does not answer.
    """
    with records.reading() as tx:
        context = MigrationContext.configure(tx.session.connection())
        return context.get_current_revision() == newest()


def newest() -> str:
    """Return the revision that this code expects."""
    head = ScriptDirectory(str(_FOLDER)).get_current_head()
    if head is None:
        message = f"{_FOLDER} holds no migration; the installation is broken, install Toile again"
        raise RuntimeError(message)
    return head


def revisions() -> list[str]:
    """Return all revisions that this code knows, the newest first."""
    return [one.revision for one in ScriptDirectory(str(_FOLDER)).walk_revisions()]


def differences(records: Records) -> list[object]:
    """Return how the database's tables differ from the code's; empty when they agree."""
    with records.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))


def create_revision(records: Records, message: str) -> Path:
    """Write a migration from the difference between the database and the tables; return it."""
    with records.engine.connect() as connection:
        written = command.revision(_config(connection), message, autogenerate=True)
    if not isinstance(written, Script):
        message = f"Alembic wrote {written!r} where one migration was expected"
        raise TypeError(message)
    return Path(written.path)


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    return config


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
    else:
        # Waits for another that migrates; SQLite's one writer lock is the lock.
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
