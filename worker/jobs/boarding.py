"""Drawing and storing what hangs on moodboards and racks."""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared import ids
from shared.artifacts import keys
from shared.schemas.designs import ImageFormat
from shared.schemas.jobs import DesignSpec, MoodboardSpec, Progress
from worker.attempt import Attempt
from worker.designs.batch import Member, draw
from worker.designs.encoding import Picture, encoded, hashes_of
from worker.designs.novelty import looked_at
from worker.jobs.design_rows import row_of
from worker.jobs.generators import Loaded
from worker.trends.boards import Plan

_SEEDS: Final = 2**31

Piece = tuple[Any, ...]


@dataclass(frozen=True)
class Orders:
    """What is asked of the generator.

    Attributes:
        boards: one spec a board.
        pieces: one spec, of one design, for each different piece of the racks.
    """

    boards: tuple[DesignSpec, ...]
    pieces: Mapping[Piece, DesignSpec]

    @property
    def all(self) -> list[DesignSpec]:
        """The boards' specs, then the pieces'."""
        return [*self.boards, *self.pieces.values()]


@dataclass(frozen=True)
class Drawn:
    """What was asked, and what came of it."""

    orders: Orders
    members: Sequence[Member]
    seconds: float = 0.0
    """What the device took for all of them."""


@dataclass(frozen=True)
class Group:
    """The designs of one spec: their rows and their pictures."""

    rows: Sequence[dict[str, Any]]
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Kept:
    """All designs of a moodboard job, their bytes in the store."""

    boards: Sequence[Group]
    pieces: Mapping[Piece, Group]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """All rows, in the order of their positions."""
        return [row for row, _ in self.pairs]

    @property
    def pairs(self) -> Iterator[tuple[dict[str, Any], Picture]]:
        """All rows with their pictures."""
        for group in (*self.boards, *self.pieces.values()):
            yield from zip(group.rows, group.pictures, strict=True)


def orders_of(spec: MoodboardSpec, plan: Plan, release_id: str, *, size: int) -> Orders:
    """Return what a plan asks of the generator; the same spec and plan give the same designs."""

    def asked(condition: Mapping[str, str], count: int, *mark: Any) -> DesignSpec:
        return DesignSpec(
            release_id=release_id,
            count=count,
            condition=dict(condition),
            seed=_seed(spec.seed, condition, *mark),
            size=size,
            format=ImageFormat.PNG,
        )

    racks = [rack for rack in (plan.this_season, plan.next_season) if rack is not None]
    pieces = {
        piece_of(condition, place): asked(condition, 1, "rack", place)
        for rack in racks
        for condition, place in rack.pieces
    }
    boards = tuple(asked(board.condition, spec.count, "board") for board in plan.boards)
    return Orders(boards, pieces)


def piece_of(condition: Mapping[str, str], place: int) -> Piece:
    """Return what makes two places on racks show the same design."""
    return (*sorted(condition.items()), place)


def draw_all(attempt: Attempt, loaded: Loaded, orders: Orders) -> Drawn:
    """Draw all in passes of the batch limit, and look at them; between passes it can be stopped.

    Raises:
        ToileError: what is wrong with one of the specs.
    """
    members: list[Member] = []
    waiting = orders.all
    total = sum(one.count for one in waiting)
    seconds = 0.0
    while waiting:
        attempt.raise_if_stopped()
        done = sum(member.spec.count for member in members)
        attempt.report(Progress(fraction=0.1 + 0.7 * done / total, message="drawing"))
        taken = _fitting(waiting, attempt.runtime.settings.batch_limit)
        began = time.perf_counter()
        drawn = draw(loaded.generator, waiting[:taken])
        if loaded.sight is not None:
            drawn = looked_at(loaded.generator, loaded.sight.eye, drawn)
        seconds += time.perf_counter() - began
        members += drawn
        waiting = waiting[taken:]
    for member in members:
        if member.error is not None:
            raise member.error
    return Drawn(orders, members, seconds)


def store_all(attempt: Attempt, loaded: Loaded, drawn: Drawn) -> Kept:
    """Encode all pictures, with their marks, and store them in one pack.

    Raises:
        OSError, ValueError: a picture could not be encoded.
    """
    pictures = [_encoded(member) for member in drawn.members]
    flat = [one for group in pictures for one in group]
    key = keys.designs(ids.new_id(ids.PACK))
    artifact = attempt.runtime.store.put(key, b"".join(one.data for one in flat))
    hashes = iter(hashes_of(flat))
    encoder = None if loaded.sight is None else loaded.sight.eye.encoder
    groups: list[Group] = []
    start = position = 0
    for member, group in zip(drawn.members, pictures, strict=True):
        rows = []
        for picture in group:
            row = row_of(
                attempt.job, member.spec, picture, artifact, position=position, start=start
            )
            seen = encoder if row["embedding"] else None
            rows.append({**row, "perceptual_hash": next(hashes), "encoder": seen})
            start, position = start + len(picture.data), position + 1
        groups.append(Group(rows, group))
    count = len(drawn.orders.boards)
    return Kept(groups[:count], dict(zip(drawn.orders.pieces, groups[count:], strict=True)))


def _fitting(waiting: Sequence[DesignSpec], most: int) -> int:
    """Return how many specs fit one pass: at least one."""
    taken = images = 0
    while taken < len(waiting) and (not taken or images + waiting[taken].count <= most):
        images += waiting[taken].count
        taken += 1
    return taken


def _encoded(member: Member) -> tuple[Picture, ...]:
    made = encoded(member)
    if made.error is not None:
        raise made.error
    return made.pictures


def _seed(seed: int, *mark: Any) -> int:
    text = json.dumps([seed, *mark], sort_keys=True)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest()) % _SEEDS
