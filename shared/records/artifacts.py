"""The artifacts that were stored, with their hashes, and which of them rows still name."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import Select, bindparam, delete, func, or_, select, union_all
from sqlalchemy.orm import InstrumentedAttribute

from shared import ids
from shared.records.engine import Glance, Transaction
from shared.records.tables import (
    ArtifactRow,
    Base,
    CatalogRow,
    CatalogVersionRow,
    DerivationRow,
    DesignRow,
    FeedBatchRow,
    FeedRow,
    HoldRow,
    IndexRow,
    JobRow,
    ReleaseRow,
    ReportRow,
    ShardRow,
    TastePriorRow,
    TrendForecastRow,
)
from shared.schemas.base import Schema
from shared.schemas.jobs import JobKind, JobState

_ARTIFACTS: Final = Base.metadata.tables[ArtifactRow.__tablename__]
_PAGE: Final = 1_000


class Kept(Schema):
    """An artifact as it was stored."""

    key: str
    size: int
    sha256: str


class Named(Schema):
    """What a row says of an artifact.

    Attributes:
        key: the artifact, or the prefix of several.
        by: the table and the row's id.
        sha256: of the bytes, where the row itself holds it.
    """

    key: str
    by: str
    sha256: str | None = None


class Pack(Schema):
    """A part of an artifact that is a design's picture."""

    design_id: str
    start: int
    length: int | None
    sha256: str


def keep(tx: Transaction, artifact: Kept) -> None:
    """Write down what was stored, in place of what was there under the key."""
    tx.session.merge(
        ArtifactRow(
            key=artifact.key,
            owner=owner_of(artifact.key),
            size=artifact.size,
            sha256=artifact.sha256,
            created_at=tx.now,
        )
    )


def owner_of(key: str) -> str:
    """Return the id in a key that says whose an artifact is."""
    return key.split("/")[1]


def find(tx: Transaction | Glance, key: str) -> Kept | None:
    """Return what was stored under a key; None where that was not written down."""
    found = tx.session.execute(_find(), {"key": key}).mappings().one_or_none()
    return None if found is None else Kept(**found)


@cache
def _find() -> Select[Any]:
    columns = _ARTIFACTS.c
    return select(columns.key, columns.size, columns.sha256).where(columns.key == bindparam("key"))


def below(tx: Transaction, prefix: str) -> list[Kept]:
    """Return what was stored below a prefix that ends in a slash, by key."""
    query = (
        select(ArtifactRow)
        .where(ArtifactRow.owner == owner_of(prefix), ArtifactRow.key.startswith(prefix))
        .order_by(ArtifactRow.key)
    )
    return [_kept(row) for row in tx.session.scalars(query)]


def after(tx: Transaction, key: str, *, most: int = _PAGE) -> list[Kept]:
    """Return the next artifacts in the order of their keys."""
    query = select(ArtifactRow).where(ArtifactRow.key > key).order_by(ArtifactRow.key).limit(most)
    return [_kept(row) for row in tx.session.scalars(query)]


def forget(tx: Transaction, keys: Collection[str]) -> None:
    """Strike out artifacts that are gone."""
    tx.session.execute(delete(ArtifactRow).where(ArtifactRow.key.in_(keys)))


def bytes_of(tx: Transaction, site_id: str) -> int:
    """Return how many bytes of the store are a site's: its artifacts, and its designs' pictures."""
    owners = union_all(
        *(
            select(column).where(table.site_id == site_id)
            for table, column in (
                (CatalogRow, CatalogRow.id),
                (FeedRow, FeedRow.id),
                (ReleaseRow, ReleaseRow.id),
                (IndexRow, IndexRow.id),
                (ReportRow, ReportRow.id),
            )
        )
    )
    mine = or_(ArtifactRow.owner == site_id, ArtifactRow.owner.in_(owners))
    whole = select(func.sum(ArtifactRow.size)).where(mine)
    pictures = select(func.sum(DesignRow.length)).where(DesignRow.site_id == site_id)
    return sum(int(tx.session.execute(one).scalar_one() or 0) for one in (whole, pictures))


def hold(tx: Transaction, hold_id: str, *, seconds: float) -> None:
    """Ask that no artifact be removed for so long; again with the same id makes it longer."""
    tx.session.merge(HoldRow(id=hold_id, until=tx.now + timedelta(seconds=seconds)))


def release_hold(tx: Transaction, hold_id: str) -> None:
    """Let artifacts be removed again."""
    tx.session.execute(delete(HoldRow).where(HoldRow.id == hold_id))


def is_held(tx: Transaction) -> bool:
    """Return whether somebody asks that no artifact be removed."""
    return tx.session.scalars(select(HoldRow.id).where(HoldRow.until > tx.now)).first() is not None


def named(tx: Transaction, keys: Collection[str], *, uploads_kept: timedelta) -> set[str]:
    """Return those keys that a row names, and all whose kind this code does not know.

    Args:
        tx: the open transaction.
        keys: of artifacts in the store.
        uploads_kept: how long an upload outlives a job that failed: it may be retried.
    """
    rooms: dict[str, list[str]] = {}
    for key in keys:
        rooms.setdefault(_room(key), []).append(key)
    found: set[str] = set()
    for room, inside in rooms.items():
        look = _ROOMS.get(room)
        if look is None:
            found.update(inside)
        elif room == "uploads":
            found |= _uploads(tx, inside, uploads_kept)
        else:
            found |= look(tx, inside)
    return found


def is_shared_cache(key: str) -> bool:
    """Return whether a key is of what no row names, and only its age speaks for or against."""
    return _room(key) == "extractors"


def references(tx: Transaction) -> Iterator[Named]:
    """Yield what rows say of artifacts, except designs: single keys, and prefixes with a slash."""
    single: Sequence[tuple[Any, Any, Any]] = (
        (ShardRow.id, ShardRow.artifact, ShardRow.sha256),
        (TrendForecastRow.report_id, TrendForecastRow.artifact, TrendForecastRow.sha256),
        (CatalogVersionRow.catalog_id, CatalogVersionRow.columns_artifact, None),
        (FeedBatchRow.feed_id, FeedBatchRow.artifact, None),
        (DerivationRow.id, DerivationRow.artifact, None),
        (TastePriorRow.site_id, TastePriorRow.artifact, None),
        (ReleaseRow.id, ReleaseRow.artifact, None),
        (IndexRow.id, IndexRow.artifact, None),
    )
    for identifier, artifact, digest in single:
        columns = [identifier, artifact] if digest is None else [identifier, artifact, digest]
        query = select(*columns).where(artifact.is_not(None)).order_by(identifier)
        for row in tx.session.execute(query.execution_options(yield_per=_PAGE)):
            by = f"{identifier.class_.__tablename__} {row[0]}"
            yield Named(key=row[1], by=by, sha256=row[2] if digest is not None else None)
    files = select(ReportRow.id, ReportRow.files).order_by(ReportRow.id)
    for report_id, keys in tx.session.execute(files.execution_options(yield_per=_PAGE)):
        for key in keys.values():
            yield Named(key=key, by=f"{ReportRow.__tablename__} {report_id}")


def packs(tx: Transaction, after_key: str, *, most: int) -> dict[str, list[Pack]]:
    """Return the next files of designs in the order of their keys, with what each holds."""
    page = (
        select(DesignRow.artifact)
        .where(DesignRow.artifact > after_key)
        .distinct()
        .order_by(DesignRow.artifact)
        .limit(most)
    )
    keys = list(tx.session.scalars(page))
    query = (
        select(
            DesignRow.artifact, DesignRow.id, DesignRow.start, DesignRow.length, DesignRow.sha256
        )
        .where(DesignRow.artifact.in_(keys))
        .order_by(DesignRow.artifact, DesignRow.start)
    )
    found: dict[str, list[Pack]] = {key: [] for key in keys}
    for key, design_id, start, length, digest in tx.session.execute(query):
        found[key].append(Pack(design_id=design_id, start=start, length=length, sha256=digest))
    return found


def release_hash(tx: Transaction, release_id: str) -> str | None:
    """Return the hash of a release's hashes; None where it is gone."""
    return tx.session.scalars(select(ReleaseRow.sha256).where(ReleaseRow.id == release_id)).first()


def new_hold() -> str:
    """Return an id for a hold."""
    return ids.new_id(ids.HOLD)


def _room(key: str) -> str:
    """Return what kind of artifact a key is of; where nothing is known of it, the key itself."""
    first, _, rest = key.partition("/")
    if first == "catalogs":
        return rest.split("/")[1] if rest.count("/") else key
    return first if rest else key


def _by_column(*columns: InstrumentedAttribute[Any]) -> "_Look":
    def look(tx: Transaction, keys: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for column in columns:
            found.update(tx.session.scalars(select(column).where(column.in_(keys)).distinct()))
        return found

    return look


def _by_owner(column: InstrumentedAttribute[Any]) -> "_Look":
    def look(tx: Transaction, keys: Sequence[str]) -> set[str]:
        owners = {owner_of(key) for key in keys}
        there = set(tx.session.scalars(select(column).where(column.in_(owners))))
        return {key for key in keys if owner_of(key) in there}

    return look


def _of_open_jobs(tx: Transaction, keys: Sequence[str]) -> set[str]:
    owners = {owner_of(key) for key in keys}
    over = [state for state in JobState if state.is_final]
    query = select(JobRow.id).where(JobRow.id.in_(owners), JobRow.state.not_in(over))
    there = set(tx.session.scalars(query))
    return {key for key in keys if owner_of(key) in there}


def _report_files(tx: Transaction, keys: Sequence[str]) -> set[str]:
    owners = {owner_of(key) for key in keys}
    found: set[str] = set()
    for files in tx.session.scalars(select(ReportRow.files).where(ReportRow.id.in_(owners))):
        found.update(files.values())
    issued = select(TrendForecastRow.artifact).where(TrendForecastRow.artifact.in_(keys))
    return found.intersection(keys) | set(tx.session.scalars(issued))


def _uploads(tx: Transaction, keys: Collection[str], kept: timedelta) -> set[str]:
    """Return the uploads that a job is to read, or would read if it were retried."""
    since = tx.now - kept
    query = select(JobRow.spec).where(
        JobRow.kind.in_([JobKind.INGEST, JobKind.FEED]),
        or_(
            JobRow.finished_at.is_(None),
            (JobRow.finished_at > since) & (JobRow.state != JobState.SUCCEEDED),
        ),
    )
    wanted = {
        spec.get("source", {}).get("artifact")
        for spec in tx.session.scalars(query.execution_options(yield_per=_PAGE))
    }
    return wanted.intersection(keys)


_Look = Callable[[Transaction, Sequence[str]], set[str]]

_ROOMS: Final[Mapping[str, _Look | None]] = {
    "designs": _by_column(DesignRow.artifact),
    "releases": _by_owner(ReleaseRow.id),
    "indexes": _by_owner(IndexRow.id),
    "reports": _report_files,
    "shards": _by_column(ShardRow.artifact),
    "columns": _by_column(CatalogVersionRow.columns_artifact),
    "derivations": _by_column(DerivationRow.artifact),
    "extractors": _by_owner(CatalogRow.id),
    "feeds": _by_column(FeedBatchRow.artifact),
    "priors": _by_column(TastePriorRow.artifact),
    "jobs": _of_open_jobs,
    "uploads": lambda _tx, _keys: set(),  # takes a time too, so `named` asks for itself
}


def known_rooms() -> Iterable[str]:
    """Return the kinds of artifact that this code keeps."""
    return _ROOMS.keys()


def _kept(row: ArtifactRow) -> Kept:
    return Kept(key=row.key, size=row.size, sha256=row.sha256)
