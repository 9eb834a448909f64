"""Who gets how much of a batch: deficit round robin over sites, below the priorities.

Shreedhar and Varghese 1996, "Efficient Fair Queuing using Deficit Round Robin". A site's turn adds
its quantum to what it is owed; it takes jobs while that lasts, and what it could not use is kept
for the next batch. So a site of large jobs and one of small jobs get the same number of images, not
of jobs, and a queue of a hundred thousand is worth no more than one that is never empty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

_QUANTUM: Final = 4.0
"""Images a turn for a site of weight 1: small, so that a batch goes round many sites."""
_PATIENCE: Final = 2.0
"""A job goes into a batch that it is too large for once its site is owed so many times its size."""


class Sized(Protocol):
    """A job of a known size."""

    @property
    def units(self) -> int:
        """The images that it asks for."""
        ...


Item = TypeVar("Item", bound=Sized)


@dataclass
class Line(Generic[Item]):
    """The waiting jobs of one site, oldest first."""

    site_id: str
    weight: float
    jobs: Sequence[Item]
    deficit: float = 0.0
    taken: int = field(default=0, init=False)

    @property
    def head(self) -> Item | None:
        """The job that is next, or None."""
        return self.jobs[self.taken] if self.taken < len(self.jobs) else None


def fill(
    lines: Sequence[Line[Item]], *, room: int, first: bool = True
) -> tuple[list[Item], Mapping[str, float]]:
    """Choose the jobs of one priority for a batch.

    Args:
        lines: one a site; weights are above 0.
        room: images that the batch has room for.
        first: whether the batch is empty yet: its first job is taken even if it alone asks for
            more than there is room, for otherwise it would wait for ever.

    Returns:
        The jobs in the order in which they were chosen, and what each site is owed now: nothing
        where no job of it is left.
    """
    chosen: list[Item] = []
    # Who is owed most begins: a job that found no room in one batch leads the next.
    active = sorted(
        (line for line in lines if line.head is not None),
        key=lambda line: -line.deficit / line.weight,
    )
    while any((first and not chosen) or _fits(line, room) for line in active):
        # Who does not fit this time is owed its part of each round all the same.
        rounds = _rounds_until_one_can(active)
        for line in active:
            line.deficit += _QUANTUM * line.weight * rounds
        for line in active:
            room = _turn(line, chosen, room, first=first)
        active = [line for line in active if line.head is not None]
    if not chosen:  # more urgent jobs left too little room: the round is owed
        for line in active:
            line.deficit += _QUANTUM * line.weight
    return chosen, {line.site_id: line.deficit if line.head else 0.0 for line in lines}


def _turn(line: Line[Item], chosen: list[Item], room: int, *, first: bool) -> int:
    """Take what a site may take in one turn; return the room that is left."""
    while (head := line.head) is not None and head.units <= line.deficit:
        alone = first and not chosen
        if not (alone or _fits(line, room)):
            break
        chosen.append(head)
        line.taken += 1
        line.deficit -= head.units
        room = max(room - head.units, 0)
    return room


def _fits(line: Line[Item], room: int) -> bool:
    """Return whether a site's next job goes into the batch.

    A large job that was passed over again and again, because more urgent ones always took some of
    the room, goes in although it is larger than what is left.
    """
    head = line.head
    if head is None or room <= 0:
        return False
    return head.units <= room or line.deficit >= _PATIENCE * head.units


def _rounds_until_one_can(active: Sequence[Line[Item]]) -> int:
    """Return how many turns must pass until somebody can take a job: at least one."""
    turns = [
        (line.head.units - line.deficit) / (_QUANTUM * line.weight)
        for line in active
        if line.head is not None
    ]
    return max(1, -int(-min(turns) // 1))
