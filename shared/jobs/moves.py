"""The life of a job as one table: which moves there are, who makes each, and when.

`lifecycle` makes the moves and looks each one up here; docs/architecture.md shows the table, and a
test holds the two together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from shared.schemas.jobs import JobState

QUEUED, RUNNING = JobState.QUEUED, JobState.RUNNING
SUCCEEDED, FAILED, CANCELLED = JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED


@dataclass(frozen=True)
class Move:
    """One way from state to state.

    Attributes:
        made_by: the functions of `lifecycle` and `submit` that make it.
        sources: where a job may stand; none for one that is new.
        targets: where it stands afterwards.
        who: who may make it.
        when: what must hold, beside the state; else the call is refused.
    """

    made_by: tuple[str, ...]
    sources: tuple[JobState, ...]
    targets: tuple[JobState, ...]
    who: str
    when: str

    def sources_of(self, target: JobState, *, stands: JobState) -> tuple[JobState, ...]:
        """Return from where a job that was seen to stand somewhere may be moved: there, or nowhere.

        Raises:
            ValueError: this move never leads there.
        """
        if target not in self.targets:
            message = (
                f"{' and '.join(self.made_by)} lead to {' or '.join(self.targets)}, never to "
                f"{target}; see shared/jobs/moves.py."
            )
            raise ValueError(message)
        return (stands,) if stands in self.sources else ()


SUBMIT: Final = Move(
    ("submit",), (), (QUEUED,), "web; upkeep for what is periodic", "with its idempotency key"
)
CLAIM: Final = Move(
    ("claim", "claim_designs"), (QUEUED,), (RUNNING,), "a worker",
    "it is due, still wanted, and has an attempt left",
)  # fmt: skip
TAKE_OVER: Final = Move(
    ("claim",), (RUNNING,), (RUNNING,), "another worker",
    "the lease ran out, and an attempt is left",
)  # fmt: skip
RENEW: Final = Move(("still_held",), (RUNNING,), (RUNNING,), "the holder", "the fence is its own")
FINISH: Final = Move(
    ("finish", "finish_all"), (RUNNING,), (SUCCEEDED, FAILED, CANCELLED), "the holder",
    "the fence is its own; succeeded only where nobody asked for it to stop",
)  # fmt: skip
PUT_BACK: Final = Move(
    ("put_back",), (RUNNING,), (QUEUED, CANCELLED), "the holder",
    "the fence is its own; cancelled where the caller asked for that",
)  # fmt: skip
RECOVER: Final = Move(
    ("recover",), (RUNNING,), (QUEUED, FAILED, CANCELLED), "upkeep",
    "the lease ran out; failed where no attempt is left",
)  # fmt: skip
STALL: Final = Move(
    ("stall",), (RUNNING,), (QUEUED, FAILED, CANCELLED), "the holder's watchdog",
    "the fence is its own, and nothing moved for too long",
)  # fmt: skip
CANCEL: Final = Move(
    ("request_cancel",),
    (QUEUED, RUNNING),
    (CANCELLED,),
    "web",
    "the job is the site's own; a running one only if it makes designs",
)
ASK: Final = Move(
    ("request_cancel",),
    (RUNNING,),
    (RUNNING,),
    "web",
    "it makes no designs: only asks, and the holder ends it",
)
EXPIRE: Final = Move(
    ("expire",), (QUEUED,), (FAILED,), "upkeep; a worker that claims", "its time is over"
)
WEAR_OUT: Final = Move(("wear_out",), (QUEUED,), (FAILED,), "upkeep", "no attempt is left")
WITHDRAW: Final = Move(
    ("withdraw",), (QUEUED, RUNNING), (CANCELLED,), "web", "its shopper is erased"
)

TABLE: Final = (
    SUBMIT, CLAIM, TAKE_OVER, RENEW, FINISH, PUT_BACK, STALL, RECOVER, CANCEL, ASK, EXPIRE,
    WEAR_OUT, WITHDRAW,
)  # fmt: skip

MOVES: Final[Mapping[JobState, frozenset[JobState]]] = MappingProxyType(
    {
        state: frozenset(
            target for move in TABLE if state in move.sources for target in move.targets
        )
        for state in JobState
    }
)
"""From each state, where a job may go; from a final one, nowhere."""


def as_markdown() -> str:
    """Return the table as docs/architecture.md shows it."""
    head = ["from", "to", "by", "who", "when"]
    rows = [
        [
            ", ".join(move.sources) or "-",
            ", ".join(move.targets),
            ", ".join(f"`{name}`" for name in move.made_by),
            move.who,
            move.when,
        ]
        for move in TABLE
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])
