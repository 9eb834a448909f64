"""Design jobs: all that waits for one release, in one batch, and then the next."""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from pydantic import ValidationError

from shared import tracing
from shared.errors import InvalidInputError, QueueUnavailableError
from shared.jobs import lifecycle
from shared.records import Transaction, waiting
from shared.schemas.designs import ForShopper
from shared.schemas.jobs import DesignSpec, JobRecord
from worker.attempt import context_of, end_badly
from worker.designs.batch import Member, draw
from worker.designs.choosing import by_turn
from worker.designs.leaning import leaning_orders
from worker.designs.novelty import looked_at
from worker.designs.orders import Order, orders_of
from worker.designs.personal import Shopper, chosen, orders_for
from worker.heartbeat import Heartbeat
from worker.jobs.ahead import Ahead
from worker.jobs.generators import Generators, Loaded, load_release, set_aside
from worker.jobs.leans import Leans
from worker.jobs.publishing import Batch, Publisher, end_batch_badly
from worker.jobs.shoppers import seen_by, shopper_of
from worker.outgrown import is_suspect
from worker.runtime import DRAINING, Runtime

LOG: Final = logging.getLogger(__name__)

_EXPIRED_AT_ONCE: Final = 100

# One a process: a forked child starts with none and fills its own.
GENERATORS: Final = Generators(load_release, settle=set_aside)


def drain(runtime: Runtime, hinted: str, generators: Generators = GENERATORS) -> None:
    """Make the designs that wait, batch by batch, until none waits or the time is over.

    1. Take the hint away, so that a job that comes from now on sends a new one.
    2. Turn to a release, and claim what waits for it up to the batch limit.
    3. If more waits, send a hint at once: another worker starts while this one computes.
    4. Make all in one pass; a thread publishes it while the next batch is made. Where the batch was
       full, the next one is claimed just before the pass ends.

    Args:
        runtime: this process' ways out.
        hinted: the release that the message spoke of; another may come first.
        generators: the releases in memory.
    """
    _clear_hint(runtime, hinted)
    until = time.monotonic() + runtime.settings.drain_seconds
    with (
        Heartbeat(runtime) as heartbeat,
        Publisher(runtime, heartbeat) as publisher,
        Ahead(lambda: _claim(runtime, generators, heartbeat), publisher) as ahead,
    ):
        # What was claimed ahead is made even by a worker that drains: it is one pass, and cheaper
        # than to put it back.
        while ahead.has_more or (not DRAINING.is_set() and time.monotonic() < until):
            claimed = ahead.take()
            if not claimed:
                return
            if _is_alone(claimed):
                publisher.settle()
            batch = _pass(runtime, claimed, generators, ahead)
            if batch is None:
                heartbeat.let_go(claimed)
            else:
                publisher.publish(batch)
    _hint_at_rest(runtime)


class _SuspectError(Exception):
    """One of a batch may be what took too much memory the last time: nothing may be beside it."""


def _claim(runtime: Runtime, generators: Generators, heartbeat: Heartbeat) -> Sequence[JobRecord]:
    """Take the next batch, held from now on."""
    try:
        claimed, left = _claim_up_to(runtime, generators, runtime.settings.batch_limit)
    except _SuspectError:  # what was taken is taken back: it would count as a try
        claimed, left = _claim_up_to(runtime, generators, 1)
    if claimed:
        heartbeat.hold(claimed)
        runtime.news.changed([job.id for job in claimed])
        _hint(runtime, left)
    return claimed


def _claim_up_to(
    runtime: Runtime, generators: Generators, most: int
) -> tuple[Sequence[JobRecord], Sequence[str]]:
    """Return the next batch, of at most so many images, and the releases that have more work."""
    with runtime.records.transaction() as tx:
        lifecycle.expire(tx, most=_EXPIRED_AT_ONCE)
        groups = waiting.groups(tx)
        claimed: list[JobRecord] = []
        for release_id in by_turn(groups, generators.loaded):
            claimed = _claim_of(tx, runtime, release_id, groups, most)
            if claimed:
                break
        if len(claimed) > 1 and is_suspect(tx, claimed):
            raise _SuspectError
        is_full = _is_full(runtime, claimed) or most < runtime.settings.batch_limit
        # Only a full batch can have left something behind of the same release.
        left = [
            release_id
            for release_id in waiting.release_ids(groups)
            if not claimed or release_id != claimed[0].release_id or is_full
        ]
    return claimed, left


def _is_alone(claimed: Sequence[JobRecord]) -> bool:
    """Return whether this may be a member that takes too much memory, made alone for that."""
    return len(claimed) == 1 and claimed[0].attempts > 1


def _is_full(runtime: Runtime, claimed: Sequence[JobRecord]) -> bool:
    """Return whether another job like these would have found no room."""
    units = [job.units for job in claimed]
    return sum(units) + max(units, default=0) > runtime.settings.batch_limit


def _claim_of(
    tx: Transaction,
    runtime: Runtime,
    release_id: str,
    groups: Sequence[waiting.Group],
    most: int,
) -> list[JobRecord]:
    return lifecycle.claim_designs(
        tx,
        release_id,
        worker=runtime.worker,
        lease=runtime.lease,
        max_attempts=runtime.settings.max_attempts,
        most_images=most,
        groups=groups,
    )


def _pass(
    runtime: Runtime, claimed: Sequence[JobRecord], generators: Generators, ahead: Ahead
) -> Batch | None:
    """Make what was claimed; meanwhile, where the batch was full, let the next one be claimed."""
    release_id = str(claimed[0].release_id)
    # Beside one that may take too much memory nothing else is held: it would be suspected too.
    is_full = _is_full(runtime, claimed) and not _is_alone(claimed)
    # A release that must be read first takes seconds, in which urgent jobs may come.
    if is_full and release_id in generators.loaded and not DRAINING.is_set():
        ahead.begin(release_id)
    batch = _make(runtime, claimed, generators)
    if is_full and batch is not None:
        ahead.passed(release_id, batch.seconds)
    return batch


def _make(runtime: Runtime, claimed: Sequence[JobRecord], generators: Generators) -> Batch | None:
    """Make what was claimed; None where nothing of it is left to publish."""
    jobs: list[JobRecord] = []
    specs: list[DesignSpec] = []
    for job in claimed:
        try:
            specs.append(DesignSpec.model_validate(job.spec))
            jobs.append(job)
        except ValidationError as error:
            end_badly(runtime, job, InvalidInputError(f"The job's spec cannot be read: {error}"))
    if not jobs:
        return None
    release_id = specs[0].release_id
    members_of = [job.traceparent for job in jobs]
    with (
        tracing.span("batch", links=members_of, told={"toile.jobs": len(jobs)}),
        context_of(jobs[0]),
    ):
        trace = tracing.current()
        try:
            loaded = generators.get(runtime, release_id)
        except Exception as error:  # noqa: BLE001 - as below
            for job in jobs:  # alone, each would want the same release
                end_badly(runtime, job, error)
            return None
        try:
            started, began = time.perf_counter(), time.time()
            members = _drawn(runtime, loaded, jobs, specs)
        except Exception as error:  # noqa: BLE001 - whatever it is, each member must end as a state
            end_batch_badly(runtime, jobs, error)
            return None
    encoder = None if loaded.sight is None else loaded.sight.eye.encoder
    seconds = time.perf_counter() - started
    return Batch(release_id, jobs, members, seconds, encoder, trace=trace, began=began)


def _drawn(
    runtime: Runtime, loaded: Loaded, jobs: Sequence[JobRecord], specs: Sequence[DesignSpec]
) -> list[Member]:
    """Draw a batch, look at it, and choose for those members that are a shopper's."""
    generator, sight = loaded.generator, loaded.sight
    shoppers: dict[int, Shopper] = {}
    told: dict[int, dict[str, Any]] = {}
    leans = Leans(runtime)

    def orders(place: int, spec: DesignSpec) -> Sequence[Order]:
        lean = leans.of(jobs[place], spec)
        if isinstance(spec.way, ForShopper):
            shoppers[place] = shopper_of(runtime, jobs[place], spec, spec.way, sight)
            return orders_for(spec, shoppers[place], generator, lean)
        if lean is None:
            return orders_of(spec, slots=generator.slots)
        among = seen_by(sight, spec.release_id).targets
        made, told[place] = leaning_orders(spec, lean, among, generator)
        return made

    members = draw(generator, specs, orders=orders)
    if sight is not None:
        members = looked_at(generator, sight.eye, members)
    return [
        chosen(member, shoppers[place], lean=leans.of(jobs[place], member.spec))
        if place in shoppers and member.error is None
        else replace(member, told=told.get(place))
        for place, member in enumerate(members)
    ]


def _clear_hint(runtime: Runtime, release_id: str) -> None:
    try:
        runtime.sender.clear_hint(release_id)
    except QueueUnavailableError as error:
        LOG.warning("The hint stays until it expires: %s", error)


def _hint(runtime: Runtime, release_ids: Sequence[str]) -> None:
    try:
        for release_id in release_ids:
            runtime.sender.hint_release(release_id)
    except QueueUnavailableError as error:
        LOG.warning("Upkeep will send for the rest: %s", error)


def _hint_at_rest(runtime: Runtime) -> None:
    """Say that work is left by a worker that stops for now."""
    with runtime.records.reading() as tx:
        left = waiting.release_ids(waiting.groups(tx))
    _hint(runtime, left)
