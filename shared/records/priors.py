"""Taste priors: what a site's shoppers like on the whole, and where it is kept."""

from datetime import datetime

from shared.records.engine import Transaction
from shared.records.rows import columns_of
from shared.records.tables import TastePriorRow
from shared.schemas.base import Schema


class TastePrior(Schema):
    """A site's prior as one encoder sees the garments; `artifact` is its key."""

    site_id: str
    encoder: str
    shoppers: int
    artifact: str
    updated_at: datetime


def publish(
    tx: Transaction, site_id: str, encoder: str, *, shoppers: int, artifact: str
) -> TastePrior:
    """Write that a prior is in the store, in place of the one before."""
    row = tx.session.get(TastePriorRow, (site_id, encoder))
    if row is None:
        row = TastePriorRow(site_id=site_id, encoder=encoder)
        tx.session.add(row)
    row.shoppers, row.artifact, row.updated_at = shoppers, artifact, tx.now
    tx.session.flush()
    return TastePrior(**columns_of(row))


def find(tx: Transaction, site_id: str, encoder: str) -> TastePrior | None:
    """Return a site's prior for an encoder, or None where none was learned yet."""
    row = tx.session.get(TastePriorRow, (site_id, encoder))
    return None if row is None else TastePrior(**columns_of(row))
