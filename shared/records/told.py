"""Many values in one parameter: a JSON object that the database takes apart by itself.

A list written out has as many parameters as it has values. SQLAlchemy then makes the statement anew
for each length, and SQLite plans it anew: for a batch of 64 jobs that took longer than what the
statement does. SQLite and PostgreSQL both know `json_each`, which gives an object's keys as text.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    String,
    TableValuedAlias,
    bindparam,
    column,
    func,
    select,
)


def told(name: str) -> TableValuedAlias:
    """Return a parameter as rows of `key` (text) and `value` (JSON); it is given as a mapping."""
    rows = func.json_each(bindparam(name, type_=JSON()))
    return rows.table_valued(column("key", String), column("value", JSON), name=name)


def among(place: Any, name: str) -> ColumnElement[bool]:
    """Return whether a column of text is one of a parameter's values; it is given as `listed`."""
    found: ColumnElement[bool] = place.in_(select(told(name).c.key))
    return found


def listed(values: Iterable[str]) -> Mapping[str, int]:
    """Return values as a parameter of `among`."""
    return dict.fromkeys(values, 0)
