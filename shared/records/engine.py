"""The database: one engine a process, and transactions over it."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pydantic_core import from_json, to_json
from sqlalchemy import URL, Connection, Engine, Select, create_engine, event, func, select
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.orm import Session

from shared.clock import Clock, utc_now
from shared.errors import DatabaseUnavailableError, RecordsFullError
from shared.records.prepared import Prepared, Row
from shared.records.turns import Turns

_WRITES: Final = "toile_writes"
_GLANCES: Final = "toile_glances"
_BUSY_SECONDS: Final = 30
# Of PostgreSQL: disk_full, and out of memory or connections, which pass.
_DISK_FULL: Final = "53100"


def _as_json(value: object) -> str:
    return to_json(value).decode()


_JSON: Final[Mapping[str, Any]] = {"json_serializer": _as_json, "json_deserializer": from_json}
"""pydantic's: a batch writes the results of its 64 jobs, and the usual module takes several times
as long over them."""


class Transaction:
    """An open transaction: what the functions of this package take first."""

    def __init__(self, session: Session, clock: Clock | None) -> None:
        self.session = session
        self._clock = clock
        self._now: datetime | None = None
        self.announced = False
        """Whether events were written that somebody should be told of after the commit."""

    @property
    def now(self) -> datetime:
        """The time of this transaction, aware, UTC.

        Leases are compared between hosts, so on PostgreSQL it is the database's clock; SQLite
        lives on one machine, whose own clock is the database's.
        """
        if self._now is None:
            if self._clock is not None:
                self._now = self._clock()
            else:
                self._now = self.session.execute(select(func.clock_timestamp())).scalar_one()
        return self._now


@dataclass(frozen=True)
class Glance:
    """A way to read by one statement, which sees one state of the database by itself."""

    session: Connection


class Records:
    """The way into the database.

    Args:
        url: where it is; may hold a password, so it is never logged.
        clock: the time to use; unset, the database's own.
    """

    def __init__(self, url: URL, *, clock: Clock | None = None) -> None:
        is_sqlite = url.get_backend_name() == "sqlite"
        self.engine = _sqlite_engine(url) if is_sqlite else _postgres_engine(url)
        self._writer = self.engine.execution_options(**{_WRITES: True})
        self._glancer = self.engine.execution_options(**{_GLANCES: True})
        self._prepared: dict[Select[Any], Prepared] = {}
        self._clock = clock or (utc_now if is_sqlite else None)
        self._turns: AbstractContextManager[Any] = _turns(url) if is_sqlite else nullcontext()
        self.on_announced: Callable[[], None] | None = None
        """Called after the commit of a transaction that wrote events; it must not raise."""

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open a transaction that may write; it commits at the end, or takes all back.

        Raises:
            DatabaseUnavailableError: the database does not answer.
            RecordsFullError: its disk is full; nothing was changed.
        """
        with _translated(), self._turns, contextmanager(self._open)(self._writer) as tx:
            yield tx
        if tx.announced and self.on_announced is not None:
            self.on_announced()

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """Open a transaction that only reads; on SQLite it waits for no writer.

        Raises:
            DatabaseUnavailableError: the database does not answer.
        """
        yield from self._open(self.engine)

    @contextmanager
    def glance(self) -> Iterator[Glance]:
        """Read by one statement and no more, at half the price of a transaction.

        Raises:
            DatabaseUnavailableError: the database does not answer.
        """
        with _translated(), self._glancer.connect() as connection:
            yield Glance(connection)

    def one(self, statement: Select[Any], values: Mapping[str, Any]) -> Row | None:
        """Read one row, at a quarter of a glance's price; for what is read all the time.

        Args:
            statement: the same object each time, for it is worded once and remembered.
            values: of its bound parameters.

        Raises:
            DatabaseUnavailableError: the database does not answer.
        """
        prepared = self._prepared.get(statement)
        if prepared is None:
            prepared = self._prepared[statement] = Prepared(self.engine, statement, values)
        try:
            with _translated():
                return prepared.one(values)
        except prepared.error as error:
            raise _unavailable(error) from error

    @contextmanager
    def snapshot(self) -> Iterator[Transaction]:
        """Open a transaction that reads one state of the database, however long it takes.

        Raises:
            DatabaseUnavailableError: the database does not answer.
        """
        engine = self.engine
        if engine.dialect.name == "postgresql":
            engine = engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        yield from self._open(engine)

    def _open(self, engine: Engine) -> Iterator[Transaction]:
        with _translated(), Session(engine, expire_on_commit=False) as session, session.begin():
            yield Transaction(session, self._clock)

    def close(self) -> None:
        """Close all connections; a forked child calls this before its first transaction."""
        self.engine.dispose()


def _turns(url: URL) -> Turns:
    return Turns(_file(url), seconds=_BUSY_SECONDS)


def _file(url: URL) -> Path | None:
    return Path(url.database) if url.database and url.database != ":memory:" else None


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise _unavailable(error.orig) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _unavailable(error.orig) from error
        raise
    except sqlite3.Error as error:  # raised by the driver itself while it connects
        raise DatabaseUnavailableError(
            f"The database did not answer ({error}). Nothing was changed; try again, and if it "
            "goes on run `toile doctor`."
        ) from error


def _unavailable(error: BaseException | None) -> DatabaseUnavailableError:
    cause = str(error).strip().splitlines()
    if _is_full(error):
        return RecordsFullError(
            f"The database's disk is full ({cause[0] if cause else 'no room'}). Nothing was "
            "changed and nothing is damaged; make room, and the same request works again."
        )
    return DatabaseUnavailableError(
        f"The database did not answer ({cause[0] if cause else type(error).__name__}). "
        "Nothing was changed; try again, and if it goes on run `toile doctor`."
    )


def _is_full(error: object) -> bool:
    if isinstance(error, sqlite3.Error):
        return error.sqlite_errorcode == sqlite3.SQLITE_FULL if _has_code(error) else False
    return getattr(error, "sqlstate", None) == _DISK_FULL


def _has_code(error: sqlite3.Error) -> bool:
    # Errors that Python's driver raises itself have none.
    return getattr(error, "sqlite_errorcode", None) is not None


class _SameFile:
    """Sees that the file under the database's name is the one that a connection has open.

    SQLite goes on writing to a file that was moved away or deleted: jobs would be accepted into
    nowhere. And where none is, it makes an empty one, which hides that it is gone.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._was_there = False

    def connecting(self, connection: sqlite3.Connection, record: Any) -> None:
        """Note which file it is; only the first connection of a process may make one."""
        record.info["file"] = self._mark()
        self._was_there = True
        del connection

    def before_connecting(self, *_: object) -> None:
        """Refuse to make a new file where one was."""
        if self._was_there and not self._file.exists():
            message = f"the file {self._file} is gone"
            raise sqlite3.OperationalError(message)

    def taken(self, _connection: object, record: Any, _proxy: object) -> None:
        """Refuse a connection whose file is not the one of that name any more."""
        if record.info.get("file") != self._mark():
            raise DisconnectionError

    def _mark(self) -> tuple[int, int] | None:
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


def _watch(engine: Engine, file: Path) -> None:
    same = _SameFile(file)
    event.listen(engine, "do_connect", same.before_connecting)
    event.listen(engine, "connect", same.connecting)
    event.listen(engine, "checkout", same.taken)


def _postgres_engine(url: URL) -> Engine:
    return create_engine(url, pool_pre_ping=True, **_JSON)


def _sqlite_engine(url: URL) -> Engine:
    file = _file(url)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    waits = {"timeout": _BUSY_SECONDS, "check_same_thread": False}
    engine = create_engine(url, connect_args=waits, **_JSON)

    if file is not None:
        _watch(engine, file)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        # The driver's own BEGIN comes too late and is never IMMEDIATE; _begin below sends ours.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        # A job that was answered with 202 must outlive a power cut.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads first and writes later fails at once when another has written
        # in between, whatever the busy timeout. Taking the write lock first makes it wait.
        options = connection.get_execution_options()
        if not options.get(_GLANCES, False):
            connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(_WRITES) else "BEGIN")

    return engine
