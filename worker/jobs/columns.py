"""The column files of a site: made as garments come in, or from rows once; read for a report."""

import hashlib
import json
import logging
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared import ids
from shared.artifacts import ArtifactStore, keys
from shared.errors import ArtifactDamagedError, NotFoundError
from shared.records import catalogs, feeds, garments
from shared.records.catalogs import Columns, Observed
from shared.records.derivations import Derivation
from shared.records.feeds import CountBatch
from worker.jobs.filling import newest_of, with_derived
from worker.runtime import Runtime
from worker.trends.columns import (
    DamagedColumnsError,
    join,
    read_columns,
    without_revised,
    write_columns,
)
from worker.trends.observations import GIVEN, MEASURED, Observations

LOG: Final = logging.getLogger(__name__)

OWN_SOURCE: Final = "catalog"
"""The source of garments that name none: the site's own catalogs, all together. Were each catalog
a source, a new one each season would look like a change of the mix each season."""

_COLOUR: Final = "colour"
_CHUNK: Final = 50_000
_EPOCH: Final = np.datetime64(0, "D")

# id, date, weight, segment, source, account, attributes as JSON, whether the colour was measured
GarmentTuple = Sequence[Any]


@dataclass(frozen=True)
class Inventory:
    """All column files that a report is made of, each with a hash of what it says.

    Attributes:
        versions: catalog versions, the oldest catalog's first.
        batches: of feeds.
        derivations: by catalog id: what was told of garments that nobody labelled.
        site_id: whose all this is.
        names: by catalog id.
    """

    versions: tuple[Observed, ...]
    batches: tuple[CountBatch, ...]
    derivations: Mapping[str, Derivation] = field(default_factory=dict)
    site_id: str = ""
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def marks(self) -> list[str]:
        """What names the data: the same marks mean the same observations, in the same order."""
        versions = sorted(one.columns.mark for one in self.versions if one.columns is not None)
        batches = [f"{one.columns.mark} {one.revises}" for one in self.batches]
        derived = sorted(one.id for one in self.derivations.values())
        return [*versions, "batches", *batches, "derived", *derived]

    def styles_of(self, catalog_id: str) -> str | None:
        """Return what is written before the names of a catalog's styles; None writes nothing.

        The oldest catalog's styles go by their own names, for ever; those of others by their
        catalog's.
        """
        oldest = next((one.catalog_id for one in self.versions), None)
        return None if catalog_id == oldest else self.names[catalog_id]


def take_stock(
    runtime: Runtime,
    site_id: str,
    catalog_id: str | None,
    *,
    before_each: Callable[[], None] = lambda: None,
) -> Inventory:
    """List what a report is to be made of, and make the column files that are missing.

    Args:
        runtime: the ways out.
        site_id: whose data.
        catalog_id: only this catalog; None is all catalogs and feeds.
        before_each: called before a file is made; what it raises ends this, and what was made by
            then stays.
    """
    with runtime.records.reading() as tx:
        versions = catalogs.versions_observed(tx, site_id, catalog_id)
        batches = [] if catalog_id is not None else feeds.count_batches(tx, site_id)
        known = dict.fromkeys(one.catalog_id for one in versions)
        derived = newest_of(tx, site_id, known)
        names = {one: catalogs.get(tx, site_id, one).name for one in derived}
    whole = []
    for one in versions:
        columns = one.columns
        if columns is None:
            before_each()
            columns = make_anew(runtime, one)
        whole.append(one.model_copy(update={"columns": columns}))
    return Inventory(tuple(whole), tuple(batches), derived, site_id, names)


def load(runtime: Runtime, inventory: Inventory) -> Observations:
    """Read all column files and join them; those of catalogs that are lost are made again.

    Raises:
        NotFoundError: a batch of counts is lost; it was nowhere else.
    """
    parts = _of_catalogs(runtime, inventory)
    by_feed: dict[str, list[CountBatch]] = {}
    for batch in inventory.batches:
        by_feed.setdefault(batch.feed_id, []).append(batch)
    for own in by_feed.values():
        parts += without_revised([(_of_batch(runtime, one), one.revises) for one in own])
    return join(parts) if parts else observations_of([])


def mark_of(marks: Sequence[str]) -> str:
    """Return one hash of the marks of all that is read."""
    return hashlib.sha256(json.dumps(list(marks)).encode()).hexdigest()


def store_columns(store: ArtifactStore, key: str, observed: Observations) -> Columns:
    """Write a column file and return where it is, with the hash of what it says."""
    with tempfile.TemporaryDirectory(prefix="toile-") as folder:
        path = Path(folder) / "columns.npz"
        write_columns(observed, path)
        return Columns(artifact=store.put(key, path).key, mark=observed.fingerprint())


def columns_key(catalog_id: str) -> str:
    """Return a new key for the column file of a catalog version.

    It is new each time: of two ingests that race for a version, the loser must not write over the
    winner's.
    """
    return keys.columns(catalog_id, ids.new_id(ids.COLUMNS))


def make_anew(runtime: Runtime, place: Observed) -> Columns:
    """Make the column file of a catalog version from its rows."""
    LOG.info("Making the columns of version %d of catalog %s", place.version, place.catalog_id)
    with runtime.records.reading() as tx:
        observed = observations_of(garments.observed(tx, place.catalog_id, place.version))
    made = store_columns(runtime.store, columns_key(place.catalog_id), observed)
    with runtime.records.transaction() as tx:
        catalogs.set_columns(tx, place.catalog_id, place.version, made)
    return made


def observations_of(rows: Iterable[GarmentTuple]) -> Observations:
    """Turn garments into columns, some tens of thousands at a time; never all rows at once."""
    coding = _Coding()
    iterator = iter(rows)
    while chunk := list(islice(iterator, _CHUNK)):
        coding.take(chunk)
    return coding.built()


def row_of(garment: Mapping[str, Any]) -> GarmentTuple:
    """Return what `observations_of` reads of a garment that is not in the database yet."""
    return (
        garment["id"],
        garment["date"],
        garment["weight"],
        garment["segment"],
        garment["source"],
        garment["account"],
        json.dumps(garment["attributes"], sort_keys=True),
        garment["colour_measured"],
    )


class _Coding:
    """Columns as codes into what was seen so far, chunk by chunk."""

    def __init__(self) -> None:
        self._seen: tuple[dict[Any, int], ...] = tuple({} for _ in range(6))
        self._codes: tuple[list[NDArray[np.int32]], ...] = tuple([] for _ in range(6))
        self._weights: list[NDArray[np.float64]] = []
        self._ids: list[NDArray[np.bytes_]] = []

    def take(self, rows: Sequence[GarmentTuple]) -> None:
        """Code a chunk; a value is compared as it comes from the database, and parsed once."""
        identifiers, days, weights, segments, sources, accounts, labels, measured = zip(
            *rows, strict=True
        )
        if any(accounts):
            accounts = tuple(
                None if account is None else (source, account)
                for source, account in zip(sources, accounts, strict=True)
            )
        columns = (days, segments, sources, accounts, labels, measured)
        for column, seen, codes in zip(columns, self._seen, self._codes, strict=True):
            for value in dict.fromkeys(column):
                seen.setdefault(value, len(seen))
            # Looked up without a line of Python a value: this is most of what a million rows cost.
            found = map(seen.__getitem__, column)
            codes.append(np.fromiter(found, dtype=np.int32, count=len(rows)))
        self._weights.append(np.array(weights, dtype=np.float64))
        self._ids.append(np.array(identifiers, dtype="S"))

    def built(self) -> Observations:
        """Return all rows as observations."""
        codes = [np.concatenate(one) if one else np.empty(0, dtype=np.int32) for one in self._codes]
        days = np.array(
            [np.datetime64("NaT", "D") if day is None else np.datetime64(day, "D")
             for day in self._seen[0]] or [_EPOCH],
        )  # fmt: skip
        # Read as one list: a call for each text would take three times as long.
        parsed = json.loads(f"[{','.join(self._seen[4])}]")
        names = sorted({name for one in parsed for name in one})
        coded = {name: _looked_up([one.get(name) for one in parsed], codes[4]) for name in names}
        segments, segment_names = _looked_up(list(self._seen[1]), codes[1])
        sources, source_names = _looked_up(
            [OWN_SOURCE if one is None else one for one in self._seen[2]], codes[2]
        )
        accounts, account_names = _looked_up([_account(one) for one in self._seen[3]], codes[3])
        measured = np.array([bool(one) for one in self._seen[5]] or [False])[codes[5]]
        return Observations(
            dates=days[codes[0]],
            weights=np.concatenate(self._weights) if self._weights else np.empty(0),
            attributes={name: pair[0] for name, pair in coded.items()},
            vocabulary={name: pair[1] for name, pair in coded.items()},
            segments=segments,
            segment_names=segment_names,
            sources=sources,
            source_names=source_names,
            accounts=accounts,
            account_names=account_names,
            origins={_COLOUR: np.where(measured, MEASURED, GIVEN).astype(np.int8)}
            if _COLOUR in coded and measured.any()
            else {},
            ids=np.concatenate(self._ids) if self._ids else np.empty(0, dtype="S1"),
        )


def account_name(source: str, account: str) -> str:
    """Return an account's name among all sources: the same name in two of them is two accounts."""
    return f"{account} ({source})"


def _account(pair: tuple[str | None, str] | None) -> str | None:
    return None if pair is None else account_name(pair[0] or OWN_SOURCE, pair[1])


def _looked_up(
    values: Sequence[str | None], codes: NDArray[np.int32]
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Return codes [n] into the sorted names, from codes into ``values``; -1 for None."""
    names = tuple(sorted({value for value in values if value}))
    place = {name: code for code, name in enumerate(names)}
    table = np.array([place[value] if value else -1 for value in values], dtype=np.int32)
    return (table[codes] if len(table) else np.empty(0, dtype=np.int32)), names


def _of_catalogs(runtime: Runtime, inventory: Inventory) -> list[Observations]:
    """Read each catalog's columns, with what was derived of its garments."""
    grouped: dict[str, list[Observations]] = {}
    for one in inventory.versions:
        grouped.setdefault(one.catalog_id, []).append(_of_version(runtime, one))
    whole: list[Observations] = []
    for name, parts in grouped.items():
        found = inventory.derivations.get(name)
        if found is None:
            whole += parts
            continue
        styles_of = inventory.styles_of(name)
        whole.append(
            with_derived(
                runtime, join(parts), found, site_id=inventory.site_id, styles_of=styles_of
            )
        )
    return whole


def _of_version(runtime: Runtime, place: Observed) -> Observations:
    columns = place.columns or make_anew(runtime, place)
    try:
        return _read(runtime, columns.artifact)
    except (FileNotFoundError, ArtifactDamagedError, DamagedColumnsError) as error:
        LOG.warning("Columns of catalog %s are made again: %s", place.catalog_id, error)
        return _read(runtime, make_anew(runtime, place).artifact)


def _of_batch(runtime: Runtime, batch: CountBatch) -> Observations:
    try:
        return _read(runtime, batch.columns.artifact)
    except (FileNotFoundError, ArtifactDamagedError, DamagedColumnsError) as error:
        raise NotFoundError(
            f"Batch {batch.number} of feed {batch.feed_id} cannot be read from the store "
            f"({error}). Its counts are nowhere else: put the store's copy back, or delete the "
            "feed and send its batches again.",
            feed=batch.feed_id,
            batch=batch.number,
        ) from error


def _read(runtime: Runtime, artifact: str) -> Observations:
    return read_columns(runtime.store.fetch(artifact, runtime.settings.cache_folder))
