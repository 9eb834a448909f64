"""What nobody labelled, as trend reports read it: the newest derivation of each catalog."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from shared.derivations import STYLE as STYLE_ATTRIBUTE
from shared.derivations import Derived, DerivedColumn, read
from shared.errors import ArtifactDamagedError, TasteCorruptError
from shared.records import Transaction, derivations
from shared.records.derivations import Derivation, Due
from worker.jobs.derivations import derive
from worker.runtime import Runtime
from worker.trends.filling import Filling, filled
from worker.trends.observations import MEASURED, PREDICTED, STYLE, Observations

LOG: Final = logging.getLogger(__name__)


def newest_of(tx: Transaction, site_id: str, catalog_ids: Iterable[str]) -> dict[str, Derivation]:
    """Return each catalog's newest derivation; those that have none are missing."""
    found = {name: derivations.newest(tx, site_id, name) for name in catalog_ids}
    return {name: one for name, one in found.items() if one is not None}


def with_derived(
    runtime: Runtime,
    observed: Observations,
    found: Derivation,
    *,
    site_id: str,
    styles_of: str | None = None,
) -> Observations:
    """Return a catalog's observations with what was derived of its garments.

    Args:
        runtime: ways out.
        observed: the garments of the catalog.
        found: its derivation.
        site_id: whose it is.
        styles_of: written before each style's name: the styles of two catalogs are numbered
            without regard to each other. None writes nothing.
    """
    derived = _read(runtime, found, site_id)
    ids = np.array(derived.ids, dtype="S") if derived.ids else np.empty(0, dtype="S1")
    return filled(observed, ids, fillings_of(derived, styles_of))


def fillings_of(derived: Derived, styles_of: str | None = None) -> Mapping[str, Filling]:
    """Return derived columns as the trend engine fills them in, each value with its origin."""
    columns = dict(derived.columns)
    if STYLE_ATTRIBUTE in columns:
        style = columns[STYLE_ATTRIBUTE]
        named = tuple(style_named(value, styles_of) for value in style.values)
        columns[STYLE_ATTRIBUTE] = replace(style, values=named)
    return {
        name: Filling(column.values, column.codes, _origins(name, column))
        for name, column in columns.items()
    }


def style_named(value: str, styles_of: str | None) -> str:
    """Return a style's name in reports; ``styles_of`` as for `with_derived`."""
    return value if styles_of is None else f"{styles_of}: {value}"


def _origins(name: str, column: DerivedColumn) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
    if name == STYLE_ATTRIBUTE:
        return np.full(len(column), STYLE, dtype=np.int8)
    return np.where(column.predicted, PREDICTED, MEASURED).astype(np.int8)


def _read(runtime: Runtime, found: Derivation, site_id: str) -> Derived:
    """Read a derivation; one that is lost or damaged is made again, as it is only a reading."""
    try:
        return read(runtime.store.read(found.artifact))
    except (FileNotFoundError, ArtifactDamagedError, TasteCorruptError) as error:
        LOG.warning("Derivation %s is made again: %s", found.id, error)
    due = Due(
        site_id=site_id,
        catalog_id=found.catalog_id,
        catalog_version=found.catalog_version,
        index_id=found.index_id,
    )
    return read(runtime.store.read(derive(runtime, due).artifact))
