"""A made-up shop of millions of dated garments, in a real database and store."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.records import Records, catalogs, migrate, sites
from shared.schemas.catalogs import CatalogRequest
from shared.settings import Settings

LAST_DAY = np.datetime64("2026-06-28")
SITE = "bench"
_SEGMENTS = ("fr", "de", "us")
_SOURCES = (None, "street", "magazine")
_PALETTE = json.dumps([[50.0, 10.0, 10.0, 1.0, "red"]])
_CHUNK = 100_000
_SHARD = "shard_bench"


@dataclass(frozen=True)
class World:
    """How large the shop is, and of how many values its attributes are.

    Attributes:
        rows: garments.
        years: of history.
        versions: ingests that brought them.
        values: number of values of each attribute.
    """

    rows: int
    years: int
    versions: int
    values: dict[str, int]

    @property
    def days(self) -> int:
        """Days of history."""
        return self.years * 364


def open_home(home: Path) -> tuple[Settings, Records]:
    """Return the settings and the migrated database of a folder."""
    settings = Settings(home=home)
    records = Records(settings.database)
    migrate.upgrade(records)
    return settings, records


def fill(home: Path, world: World) -> str:
    """Write the garments as rows, without column files, as older versions are; returns the site."""
    _, records = open_home(home)
    with records.transaction() as tx:
        site = sites.create(tx, SITE).id
        catalog = catalogs.create(tx, site, CatalogRequest(name=SITE)).id
    path = str(records.engine.url.database)
    records.close()
    rng = np.random.default_rng(0)
    days = np.sort(rng.integers(0, world.days, world.rows))
    each = -(-world.rows // world.versions)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA synchronous=OFF")
        database.execute(
            "INSERT INTO shards (id, catalog_id, version, position, count, artifact, sha256) "
            "VALUES (?, ?, 1, 0, 0, 'none', 'none')",
            (_SHARD, catalog),
        )
        for version in range(world.versions):
            part = days[version * each : (version + 1) * each]
            _write(database, site, catalog, version + 1, _rows(world, part, rng, version * each))
    database.close()
    return site


def add_day(home: Path, world: World, *, day: int) -> tuple[str, int, list[tuple[object, ...]]]:
    """Write one more day's garments as the next version; returns catalog, version and the rows."""
    _, records = open_home(home)
    with records.reading() as tx:
        site = sites.by_name(tx, SITE)
        assert site is not None
        catalog = catalogs.get(tx, site.id, SITE)
    path = str(records.engine.url.database)
    records.close()
    rng = np.random.default_rng(day)
    count = max(1, world.rows // world.days)
    days = np.full(count, world.days + day)
    version = catalog.version + 1
    rows = list(_rows(world, days, rng, world.rows + day * count))
    with sqlite3.connect(path) as database:
        _write(database, site.id, catalog.id, version, iter(rows))
    database.close()
    return catalog.id, version, [_observed(row) for row in rows]


_Row = tuple[str, str, float, str, str | None, str | None, str]


def _rows(
    world: World, days: NDArray[np.int64], rng: np.random.Generator, first: int
) -> Iterator[_Row]:
    """Yield (id, date, weight, segment, source, account, attributes) of each garment."""
    year = days / 364
    drawn = {name: _drawn(size, year, rng) for name, size in world.values.items()}
    segments = rng.integers(0, len(_SEGMENTS), len(days))
    sources = rng.choice(len(_SOURCES), len(days), p=[0.6, 0.25, 0.15])
    accounts = (rng.pareto(1.2, len(days)) * 3).astype(int) % 5000
    weights = np.round(rng.lognormal(0, 0.5, len(days)), 3)
    texts = {
        day: str(LAST_DAY - np.timedelta64(world.days - 1, "D") + np.timedelta64(day, "D"))
        for day in np.unique(days).tolist()
    }
    names = list(world.values)
    labels = np.stack([drawn[name] for name in names], axis=1).tolist()
    for at, row in enumerate(labels):
        source = _SOURCES[sources[at]]
        attributes = {name: f"{name} {value}" for name, value in zip(names, row, strict=True)}
        yield (
            f"gar_{first + at:024d}",
            texts[int(days[at])],
            float(weights[at]),
            _SEGMENTS[segments[at]],
            source,
            None if source is None else f"account {accounts[at]}",
            json.dumps(attributes),
        )


def _drawn(size: int, year: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw values by a long tail that drifts: each of them rises or falls a little."""
    rank = rng.random(len(year)) ** 2.2 * size
    return np.asarray((rank + year * 0.15 * size * (rng.random(len(year)) < 0.1)) % size).astype(
        np.int64
    )


def _observed(row: _Row) -> tuple[object, ...]:
    identifier, day, weight, segment, source, account, attributes = row
    date = np.datetime64(day).item()
    return identifier, date, weight, segment, source, account, attributes, False


def _write(
    database: sqlite3.Connection, site: str, catalog: str, version: int, rows: Iterator[_Row]
) -> None:
    written = 0
    insert = (
        "INSERT INTO garments (id, site_id, catalog_id, shard_id, shard_index, name, sha256, "
        "perceptual_hash, attributes, colour_measured, palette, date, weight, segment, source, "
        "account, added_in_version) VALUES (?, ?, ?, ?, 0, ?, ?, 0, ?, 0, ?, ?, ?, ?, ?, ?, ?)"
    )
    filled = (
        (row[0], site, catalog, _SHARD, row[0], row[0], row[6], _PALETTE, *row[1:6], version)
        for row in rows
    )
    while chunk := [row for row, _ in zip(filled, range(_CHUNK), strict=False)]:
        database.executemany(insert, chunk)
        written += len(chunk)
    database.execute(
        "INSERT INTO catalog_versions (catalog_id, number, garments, job_id, created_at) "
        "VALUES (?, ?, ?, ?, '2026-01-01 00:00:00')",
        (catalog, version, written, f"job_{version}"),
    )
    database.execute(
        "UPDATE catalogs SET version = ?, garments = garments + ?, image_size = 16, channels = 3 "
        "WHERE id = ?",
        (version, written, catalog),
    )
    database.commit()
