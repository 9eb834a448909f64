"""What the artifact store holds, with its hashes, and who asks that nothing be taken away."""

from datetime import datetime

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from shared.records.tables.base import Base


class ArtifactRow(Base):
    """One artifact as it was stored; what is read later must have this hash."""

    __tablename__ = "artifacts"

    key: Mapped[str] = mapped_column(primary_key=True)
    # The id in the key: of a release, catalog, report, index, feed, upload or site.
    owner: Mapped[str] = mapped_column(index=True)
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    created_at: Mapped[datetime]


class HoldRow(Base):
    """That no artifact may be removed for a while: a backup is being made."""

    __tablename__ = "artifact_holds"

    id: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[datetime]
