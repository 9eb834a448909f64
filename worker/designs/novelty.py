"""Designs that are copies of garments are replaced: what a shop pays for is something new."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from shared.schemas.designs import Fresh
from worker.designs.batch import Generates, Member, paint, told_as_asked
from worker.designs.looking import Eye
from worker.designs.orders import Order, own

TRIES: Final = 3
_SEEDS: Final = 2**31


def looked_at(generator: Generates, eye: Eye, members: Sequence[Member]) -> list[Member]:
    """Return members whose designs were looked at, copies of garments replaced where that can be.

    A design of its own seed is drawn again from another seed, which follows from the first: the
    same request gives the same designs, replaced ones too. Designs that were made from others are
    left as they are, and told. A shopper's are chosen among many, and copies are not.
    """
    specs = [member.spec for member in members for _ in member.drawn]
    drawn = eye.look([one for member in members for one in member.drawn])
    for attempt in range(1, TRIES + 1):
        again = [
            place
            for place, one in enumerate(drawn)
            if one.is_copy and isinstance(specs[place].way, Fresh)
        ]
        if not again:
            break
        orders = [_other(drawn[place].order, attempt) for place in again]
        for place, one in zip(again, eye.look(paint(generator, orders)), strict=True):
            drawn[place] = told_as_asked(specs[place], replace(one, replaced=attempt))
    left = iter(drawn)
    return [
        replace(member, drawn=tuple(next(left) for _ in range(len(member.drawn))))
        for member in members
    ]


def _other(order: Order, attempt: int) -> Order:
    mark = hashlib.blake2b(f"{order.seed}/{attempt}".encode(), digest_size=4).digest()
    seed = int.from_bytes(mark) % _SEEDS
    return replace(order, seed=seed, latent=own(seed))
