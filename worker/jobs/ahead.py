"""Claiming the next batch just before the running one ends, so that the device need not wait."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Final, Protocol, Self

from shared.schemas.jobs import JobRecord

_NEWEST: Final = 0.3
"""Part of the newest time in a running mean: some five count."""
_MARGIN: Final = 1.5
"""A claim is begun so many times its usual length before the pass should end."""
_MOST: Final = 0.5
"""Of a pass that may be left when the next claim is begun: on a device that is quicker than the
database an urgent job would else find the next batch taken as soon as it comes."""

Claim = Callable[[], Sequence[JobRecord]]


class Behind(Protocol):
    """What takes made batches, and may fall behind the device."""

    def is_behind(self) -> bool:
        """Return whether a made batch waits for another to be published."""
        ...

    def catch_up(self) -> None:
        """Return once none waits."""
        ...


class Ahead:
    """Claims in a thread while the device is busy with a full batch, late and only then.

    Late, because what is claimed is settled: an urgent job that comes afterwards waits for two
    batches. So the claim is begun only its own usual length before the pass should be over, and
    nobody has to wait longer for it than the device would have stood still. Only after full
    batches, because otherwise nothing is left to claim: jobs that come meanwhile should go
    together. Not while made batches wait to be published: then the device is not what is short, and
    a batch claimed now would only stand in line before an urgent job. Nor is one claimed then in
    any other way: a claim that was not made ahead waits until none waits.

    Args:
        claim: takes the next batch, and may find none.
        publisher: what is made goes there.
    """

    def __init__(self, claim: Claim, publisher: Behind) -> None:
        self._claim = claim
        self._publisher = publisher
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._passed = threading.Event()
        self._next: Future[Sequence[JobRecord]] | None = None
        self._claiming: float | None = None
        self._passes: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._passed.set()
        self._thread.shutdown()

    @property
    def has_more(self) -> bool:
        """Whether a batch may be claimed already: then it must be made, whatever else."""
        return self._next is not None

    def take(self) -> Sequence[JobRecord]:
        """Return the next batch: what was claimed ahead, or else what waits now."""
        begun, self._next = self._next, None
        claimed = begun.result() if begun is not None else ()
        if not claimed:
            self._publisher.catch_up()
            claimed = self._timed()
        return claimed

    def begin(self, release_id: str) -> None:
        """Say that a full batch of a release goes to the device now."""
        usual = self._passes.get(release_id)
        if usual is None or self._claiming is None:
            return
        lead = min(_MARGIN * self._claiming, _MOST * usual)
        self._passed.clear()
        self._next = self._thread.submit(self._late, usual - lead)

    def passed(self, release_id: str, seconds: float) -> None:
        """Say how long the device had a full batch of a release; one that is begun ends sooner."""
        self._passes[release_id] = _mean(self._passes.get(release_id), seconds)
        self._passed.set()

    def _late(self, wait: float) -> Sequence[JobRecord]:
        self._passed.wait(wait)
        return () if self._publisher.is_behind() else self._timed()

    def _timed(self) -> Sequence[JobRecord]:
        began = time.monotonic()
        claimed = self._claim()
        if claimed:
            self._claiming = _mean(self._claiming, time.monotonic() - began)
        return claimed


def _mean(before: float | None, newest: float) -> float:
    return newest if before is None else before + _NEWEST * (newest - before)
