"""What a count says: troubles, each with what it is about."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Trouble(StrEnum):
    """A way in which the promise was broken: ended exactly once in effect, whatever died."""

    LOST = "lost"
    """Accepted, and there is no such job, or it has no effect."""
    FAILED = "failed"
    """Accepted, and it ended otherwise than it should, though nothing was wrong with it."""
    DOUBLED = "doubled"
    """Took effect more often than once."""
    STUCK = "stuck"
    """Neither over nor getting on."""
    DAMAGED = "damaged"
    """What a row names is not there, or not whole."""
    ORPHANED = "orphaned"
    """An effect without the job that should have made it."""
    INCONSISTENT = "inconsistent"
    """A job, its tries and its result tell different stories."""
    MISJOINED = "misjoined"
    """One idempotency key, and not one job."""
    UNASKED = "unasked"
    """A job that nobody was promised."""
    REFUSED = "refused"
    """A client was told something else than yes or later."""


@dataclass(frozen=True)
class Finding:
    """One trouble."""

    trouble: Trouble
    subject: str
    told: str

    def __str__(self) -> str:
        return f"{self.trouble}: {self.subject}: {self.told}"


Findings = Iterable[Finding]


def counted(findings: Findings) -> dict[str, int]:
    """Return how often each trouble was found; all of them, zeros too."""
    found = Counter(one.trouble for one in findings)
    return {trouble.value: found[trouble] for trouble in Trouble}


def once(findings: Iterator[Finding]) -> list[Finding]:
    """Return findings without repetitions, in their order."""
    return list(dict.fromkeys(findings))
