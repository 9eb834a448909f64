"""What all tables share: the base, and times that keep their zone."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    LargeBinary,
    MetaData,
    String,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase

Json = dict[str, Any]

_FROM_TEXT: Final = datetime.fromisoformat


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time; SQLite forgets the zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any]:
        """Refuse naive times: their zone would be a guess."""
        is_text = dialect.name == "sqlite"

        def process(value: datetime | None) -> Any:
            if value is None:
                return None
            if value.tzinfo is None:
                message = (
                    f"{value!r} has no time zone; pass an aware time, such as shared.clock gives"
                )
                raise ValueError(message)
            moved = value if value.tzinfo is UTC else value.astimezone(UTC)
            # As SQLAlchemy writes them, at a third of the time: a batch has hundreds of them.
            return moved.replace(tzinfo=None).isoformat(" ", "microseconds") if is_text else moved

        return process

    def result_processor(
        self, dialect: Dialect, _coltype: object
    ) -> Callable[[Any], datetime | None]:
        """Give back an aware time."""
        if dialect.name == "sqlite":
            return lambda value: None if value is None else _FROM_TEXT(value + "+00:00")
        return lambda value: None if value is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The base of all tables, with named constraints so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        Json: JSON,
        list[Any]: JSON,
        str: String,
        bytes: LargeBinary,
    }
