"""All rows in a form that either database reads: one file a table, JSON lines, compressed.

The first line of a file names the columns, each other one is a row. Times are ISO 8601 in UTC,
bytes are base64, and what is JSON in the database stays the very text that it was there.
"""

import base64
import gzip
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    cast,
    column,
    func,
    inspect,
    select,
    table,
    text,
)
from sqlalchemy.types import TypeEngine

from shared.errors import BackupError
from shared.records import migrate
from shared.records.engine import Records, Transaction
from shared.records.tables import HoldRow

_SUFFIX: Final = ".jsonl.gz"
_REVISION_TABLE: Final = "alembic_version"
# What is of the moment in which it was written means nothing in a copy.
_PASSING: Final = frozenset({_REVISION_TABLE, HoldRow.__tablename__})
_ROWS: Final = 1_000
_LEVEL: Final = 5


class _RawJson(TypeDecorator[str]):
    """JSON given as its text."""

    impl = Text
    cache_ok = True


class _PostgresJson(_RawJson):
    """The same for PostgreSQL, which takes text for JSON only when it is told so."""

    cache_ok = True

    def bind_expression(self, bindparam: Any) -> ColumnElement[Any]:
        """Say that it is JSON."""
        return cast(bindparam, JSON)


def export(tx: Transaction, folder: Path) -> dict[str, int]:
    """Write all tables into a folder; returns how many rows each has.

    Args:
        tx: a snapshot, so that all tables are of one moment.
        folder: where the files go, one a table.
    """
    connection = tx.session.connection()
    return {one.name: _write(connection, one, folder) for one in _tables(connection)}


def revision(tx: Transaction) -> str:
    """Return which tables these are."""
    found = tx.session.connection().exec_driver_sql(f"SELECT version_num FROM {_REVISION_TABLE}")  # noqa: S608 - a constant
    return str(found.scalar_one())


def is_known(name: str) -> bool:
    """Return whether this code knows the tables of a revision."""
    return name in migrate.revisions()


def is_empty(records: Records) -> bool:
    """Return whether a database has no table yet, or no site in it."""
    with records.reading() as tx:
        connection = tx.session.connection()
        if not inspect(connection).has_table("sites"):
            return True
        return connection.execute(text("SELECT 1 FROM sites LIMIT 1")).first() is None


def load(records: Records, folder: Path, *, at: str) -> dict[str, int]:
    """Put all rows of a folder into a database, which loses what it held, and bring it up to date.

    Args:
        records: the database.
        folder: as `export` wrote it.
        at: the revision of its tables.

    Raises:
        BackupError: a file is not as `export` writes it.
    """
    _clear(records)
    migrate.upgrade(records, at)
    with records.transaction() as tx:
        connection = tx.session.connection()
        tables = _tables(connection)
        unknown = {path.name.removesuffix(_SUFFIX) for path in folder.glob(f"*{_SUFFIX}")}
        unknown -= {one.name for one in tables}
        if unknown:
            raise BackupError(f"The backup has tables that {at} has not: {sorted(unknown)}.")
        counts = {one.name: _read(connection, one, folder) for one in tables}
    migrate.upgrade(records)
    return counts


def _tables(connection: Connection) -> list[Table]:
    """Return the tables as the database has them, each behind those that it refers to."""
    found = MetaData()
    found.reflect(connection)
    return [one for one in found.sorted_tables if one.name not in _PASSING]


def _write(connection: Connection, of: Table, folder: Path) -> int:
    columns = [cast(one, Text) if _is_json(one.type) else one for one in of.columns]
    query = select(*columns).order_by(*of.primary_key.columns)
    count = 0
    with gzip.open(folder / f"{of.name}{_SUFFIX}", "wt", _LEVEL, encoding="utf-8") as file:
        file.write(json.dumps([one.name for one in of.columns]) + "\n")
        rows = connection.execution_options(yield_per=_ROWS).execute(query)
        for row in rows:
            file.write(json.dumps([_told(value) for value in row], ensure_ascii=False) + "\n")
            count += 1
    return count


def _told(value: Any) -> Any:
    if isinstance(value, datetime):
        aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return aware.isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode()
    return value


def _read(connection: Connection, of: Table, folder: Path) -> int:
    path = folder / f"{of.name}{_SUFFIX}"
    if not path.exists():
        return 0
    count = 0
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            names = json.loads(file.readline())
            kinds = [_Kind(of.columns[name].type, connection) for name in names]
            into = table(of.name, *(column(n, k.bound) for n, k in zip(names, kinds, strict=True)))
            for rows in _in_pages(file):
                values = [
                    {
                        name: kind.read(value)
                        for name, kind, value in zip(names, kinds, json.loads(row), strict=True)
                    }
                    for row in rows
                ]
                connection.execute(into.insert(), values)
                count += len(values)
    except (ValueError, KeyError, EOFError, gzip.BadGzipFile) as error:
        raise BackupError(f"The rows of table {of.name} cannot be read: {error}.") from error
    _go_on_counting(connection, of)
    return count


def _in_pages(file: Any) -> Iterator[Sequence[str]]:
    while page := list(islice(file, _ROWS)):
        yield page


class _Kind:
    """How a column's values are written to this database."""

    def __init__(self, kind: TypeEngine[Any], connection: Connection) -> None:
        is_postgres = connection.dialect.name == "postgresql"
        self._kind = kind
        self._is_naive = not is_postgres
        self.bound: TypeEngine[Any] = kind
        if _is_json(kind):
            self.bound = _PostgresJson() if is_postgres else _RawJson()

    def read(self, value: Any) -> Any:
        """Return a value of a file as the driver wants it."""
        if value is None or _is_json(self._kind):
            return value
        if isinstance(self._kind, DateTime):
            found = datetime.fromisoformat(value)
            return found.replace(tzinfo=None) if self._is_naive else found
        if isinstance(self._kind, Date):
            return date.fromisoformat(value)
        if isinstance(self._kind, LargeBinary):
            return base64.b64decode(value)
        return value


def _is_json(kind: TypeEngine[Any]) -> bool:
    return isinstance(kind, JSON)


def _go_on_counting(connection: Connection, of: Table) -> None:
    """Let PostgreSQL's sequences go on behind the numbers that were put in; SQLite does itself."""
    if connection.dialect.name != "postgresql":
        return
    for one in of.primary_key.columns:
        if not isinstance(one.type, Integer):
            continue
        sequence = connection.execute(
            select(func.pg_get_serial_sequence(of.name, one.name))
        ).scalar_one()
        if sequence is not None:
            newest = select(func.coalesce(func.max(one), 0) + 1)
            number = connection.execute(newest).scalar_one()
            connection.execute(select(func.setval(sequence, number, False)))


def _clear(records: Records) -> None:
    """Drop all tables."""
    with records.transaction() as tx:
        connection = tx.session.connection()
        found = MetaData()
        found.reflect(connection)
        found.drop_all(connection)
