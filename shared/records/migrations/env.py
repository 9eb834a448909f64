"""Alembic's way in: runs the migrations over a connection that is handed to it."""

from typing import Any, Literal

from alembic import context

from shared.records.tables import Base, UtcDateTime


def _render(kind: str, item: Any, _context: object) -> str | Literal[False]:
    # A migration must not change when the code does, so it names SQLAlchemy's own type.
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    compare_type=True,
    render_item=_render,
)
with context.begin_transaction():
    context.run_migrations()
