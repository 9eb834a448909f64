"""Models and their releases."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from sqlalchemy import Select, bindparam, func, or_, select

from shared import ids
from shared.errors import ConflictError, NotFoundError
from shared.records import webhooks
from shared.records.engine import Transaction
from shared.records.rows import Page, columns_of, page_of
from shared.records.tables import Base, ModelGrantRow, ModelRow, ReleaseRow
from shared.schemas.base import Schema
from shared.schemas.models import Model, Release
from shared.schemas.webhooks import EventType, ReleasePublished

_RELEASES: Final = Base.metadata.tables[ReleaseRow.__tablename__]
_MODELS: Final = Base.metadata.tables[ModelRow.__tablename__]
_LINE: Final = "name_of_model"
_TOLD: Final = set(ReleasePublished.model_fields)


class ReleasePlace(Schema):
    """A release, whose it is, and where its files are."""

    release: Release
    site_id: str
    artifact: str


def publish(
    tx: Transaction, site_id: str, *, model: str, release_id: str, values: Mapping[str, Any]
) -> Release:
    """Add a release to a model of that name, which is made where there is none.

    Args:
        tx: the open transaction, the one that also ends the job.
        site_id: whose it is.
        model: the model's name.
        release_id: the release's id, which its artifacts already carry.
        values: the release's other columns.
    """
    line = _named(tx, site_id, model)
    if line is None:
        line = ModelRow(id=ids.new_id(ids.MODEL), site_id=site_id, name=model, created_at=tx.now)
        tx.session.add(line)
        tx.session.flush()
    number = (
        1
        + tx.session.execute(
            select(func.count()).where(ReleaseRow.model_id == line.id)
        ).scalar_one()
    )
    row = ReleaseRow(
        id=release_id,
        site_id=site_id,
        model_id=line.id,
        number=number,
        created_at=tx.now,
        **values,
    )
    tx.session.add(row)
    tx.session.flush()
    release = _release(columns_of(row), line.name)
    told = ReleasePublished.model_validate(release.model_dump(include=_TOLD))
    webhooks.announce(tx, site_id, EventType.RELEASE_PUBLISHED, subject=release.id, data=told)
    return release


def page(
    tx: Transaction, site_id: str, *, cursor: str | None = None, limit: int = 20
) -> Page[Model]:
    """Return a site's models, newest first."""
    query = select(ModelRow).where(ModelRow.site_id == site_id)
    order = (ModelRow.created_at, ModelRow.id)
    return page_of(
        tx, query, order=order, cursor=cursor, limit=limit, read=lambda row: _model(tx, row)
    )


def get(tx: Transaction, site_id: str, reference: str) -> Model:
    """Return a model by its id or name; one that was shared with the site by its id only.

    Raises:
        NotFoundError: the site has none.
    """
    row = _named(tx, site_id, reference)
    if row is None and _granted(tx, reference, site_id):
        row = tx.session.get(ModelRow, reference)
    if row is None:
        raise NotFoundError(
            f"There is no model {reference!r}. GET /v1/models lists them.", model=reference
        )
    return _model(tx, row)


def releases_page(
    tx: Transaction,
    site_id: str,
    *,
    model_id: str | None = None,
    cursor: str | None = None,
    limit: int = 20,
) -> Page[Release]:
    """Return the releases of a site, or of one model, newest first."""
    query = select(ReleaseRow).where(ReleaseRow.site_id == site_id)
    if model_id is not None:
        query = query.where(ReleaseRow.model_id == model_id)
    order = (ReleaseRow.created_at, ReleaseRow.id)
    return page_of(
        tx,
        query,
        order=order,
        cursor=cursor,
        limit=limit,
        read=lambda row: _release(columns_of(row), _name_of(tx, row.model_id)),
    )


def releases_of_version(
    tx: Transaction, site_id: str, catalog_id: str, catalog_version: int
) -> list[Release]:
    """Return the releases that a site trained on one version of a catalog, newest first."""
    query = select(ReleaseRow).where(
        ReleaseRow.site_id == site_id,
        ReleaseRow.catalog_id == catalog_id,
        ReleaseRow.catalog_version == catalog_version,
    )
    rows = tx.session.scalars(query.order_by(ReleaseRow.created_at.desc(), ReleaseRow.id.desc()))
    return [_release(columns_of(row), _name_of(tx, row.model_id)) for row in rows]


def release(
    tx: Transaction, release_id: str, *, site_id: str | None = None, own: bool = False
) -> ReleasePlace:
    """Return a release and where its files are.

    Args:
        tx: the open transaction.
        release_id: the release.
        site_id: who asks, if it is a site: it sees its own releases and those of models that were
            shared with it.
        own: whether a shared one will not do: sharing is for making designs, not for training on.

    Raises:
        NotFoundError: there is none of that id, or it is another site's.
    """
    found = tx.session.execute(_one_release(), {"release": release_id}).mappings().one_or_none()
    if found is None or not (
        site_id in {None, found["site_id"]}
        or (not own and _granted(tx, found["model_id"], site_id))
    ):
        raise NotFoundError(
            f"There is no release {release_id!r}. GET /v1/models lists what there is.",
            release=release_id,
        )
    values = dict(found)
    shown = _release(values, values.pop(_LINE))
    return ReleasePlace(release=shown, site_id=values["site_id"], artifact=values["artifact"])


@cache  # a statement is built once: each request for designs asks
def _one_release() -> Select[Any]:
    return (
        select(*_RELEASES.columns, _MODELS.c.name.label(_LINE))
        .join(_MODELS, _MODELS.c.id == _RELEASES.c.model_id)
        .where(_RELEASES.c.id == bindparam("release"))
    )


def share(tx: Transaction, model_id: str, site_id: str) -> None:
    """Let another site make designs with a model's releases; again changes nothing.

    Raises:
        NotFoundError: there is no such model.
        ConflictError: it is that site's own.
    """
    row = tx.session.get(ModelRow, model_id)
    if row is None:
        raise NotFoundError(f"There is no model {model_id!r}.", model=model_id)
    if row.site_id == site_id:
        raise ConflictError(f"Model {model_id} is that site's own; it needs no sharing.")
    if not _granted(tx, model_id, site_id):
        tx.session.add(ModelGrantRow(model_id=model_id, site_id=site_id, created_at=tx.now))
        tx.session.flush()


def unshare(tx: Transaction, model_id: str, site_id: str) -> bool:
    """Take a model back from a site; returns whether it was shared. Designs that it made stay."""
    row = tx.session.get(ModelGrantRow, (model_id, site_id))
    if row is None:
        return False
    tx.session.delete(row)
    tx.session.flush()
    return True


def _granted(tx: Transaction, model_id: str, site_id: str | None) -> bool:
    return site_id is not None and tx.session.get(ModelGrantRow, (model_id, site_id)) is not None


def _named(tx: Transaction, site_id: str, reference: str) -> ModelRow | None:
    return tx.session.execute(
        select(ModelRow).where(
            ModelRow.site_id == site_id,
            or_(ModelRow.id == reference, ModelRow.name == reference),
        )
    ).scalar_one_or_none()


def _name_of(tx: Transaction, model_id: str) -> str:
    return tx.session.get_one(ModelRow, model_id).name


def _model(tx: Transaction, row: ModelRow) -> Model:
    newest = select(ReleaseRow.id).where(ReleaseRow.model_id == row.id)
    newest = newest.order_by(ReleaseRow.number.desc()).limit(1)
    count = select(func.count()).where(ReleaseRow.model_id == row.id)
    return Model(
        id=row.id,
        name=row.name,
        releases=tx.session.execute(count).scalar_one(),
        newest_release_id=tx.session.execute(newest).scalar_one_or_none(),
        created_at=row.created_at,
        url=f"/v1/models/{row.id}",
    )


def _release(row: Mapping[str, Any], model: str) -> Release:
    hidden = {"site_id", "artifact"}
    values = {name: value for name, value in row.items() if name not in hidden}
    url = f"/v1/releases/{row['id']}"
    return Release(
        **values,
        model=model,
        # Releases made before colours were a condition say nothing of slots.
        colours=bool(row["card"].get("slots")),
        url=url,
        grid_url=f"{url}/grid",
        card_url=f"{url}/card",
    )
