"""How soon work goes on: after Redis was emptied or away, and after a training's worker has died.

`python -m tests.chaos.recovery --out DIR`. Settings are the usual ones unless the part says so.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import click
from sqlalchemy import func, select

from shared.artifacts import keys
from shared.records.tables import AttemptRow, JobRow
from shared.schemas.designs import DesignRequest
from shared.schemas.jobs import Budget, JobState
from shared.schemas.models import TrainingRequest
from shared.settings import Settings
from tests.bench import machine, numbers, results
from tests.bench.simulated import Pacing
from tests.chaos.world import SIZE, Shop, World, running_world
from tests.fixtures.stack import Stack

_USUAL: Final = Settings()
USUAL: Final[Mapping[str, Any]] = {
    name: getattr(_USUAL, name)
    for name in (
        "lease_seconds", "heartbeat_seconds", "upkeep_seconds", "retry_delay_seconds",
        "batch_limit",
    )
}  # fmt: skip
"""What a stack has that nobody has set anything for."""

PARTS: Final = ("flush", "away", "resume")
QUEUED: Final = 500
AWAY: Final = 45.0
"""Seconds without Redis: so long that whoever waits longer after each try waits long by then."""
_LONGEST: Final = 600.0


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for results.")
@click.option("--parts", multiple=True, type=click.Choice(PARTS), default=PARTS,
              show_default=True)  # fmt: skip
@click.option("--rounds", default=3, show_default=True)
def main(*, out: Path, parts: tuple[str, ...], rounds: int) -> None:
    """Measure each part, some rounds of it."""
    ways: Mapping[str, Callable[[int], dict[str, Any]]] = {
        "flush": flush, "away": away, "resume": resume,
    }  # fmt: skip
    for part in parts:
        told = {**ways[part](rounds), "machine": machine.facts()}
        results.write(out / f"recovery-{part}.json", told)
        click.echo(f"{part}: {json.dumps(numbers.plain(told['summary']), indent=1)}")


def flush(rounds: int) -> dict[str, Any]:
    """Queue 500 jobs that no worker has heard of yet, empty Redis, and time the ends.

    The workers sleep (SIGSTOP) while the jobs are queued and Redis is emptied: else they have taken
    the message, and go from batch to batch by the rows without another one.
    """
    names = {"web": "web", "beat": "beat", "chores": "chores", "generate.1": "generate"}
    pacing = Pacing(size=SIZE)
    with running_world(shops=1, processes=names, pacing=pacing, **USUAL) as world:
        found = [_flushed(world, world.shops[0]) for _ in range(rounds)]
    return {"summary": numbers.summaries(found), "rounds": found, "settings": dict(USUAL)}


def _flushed(world: World, shop: Shop) -> dict[str, float]:
    groups = [world.stack.processes[name].pid for name in ("generate.1", "chores")]
    for group in groups:
        os.killpg(group, signal.SIGSTOP)
    jobs = world.ways.submit(shop.site_id, shop.release_id, jobs=QUEUED, count=1, size=SIZE)
    world.broker.empty()
    emptied = time.time()
    for group in groups:
        os.killpg(group, signal.SIGCONT)
    world.ways.wait_until_over(shop.release_id, seconds=_LONGEST)
    ids = [job.id for job in jobs]
    with world.ways.records.reading() as tx:
        ends = select(func.min(JobRow.finished_at), func.max(JobRow.finished_at), func.count())
        first, last, over = tx.session.execute(
            ends.where(JobRow.id.in_(ids), JobRow.state == JobState.SUCCEEDED)
        ).one()
    if first is None or last is None:
        raise AssertionError("none of the jobs succeeded")
    return {
        "succeeded": over,
        "first_after_seconds": first.timestamp() - emptied,
        "last_after_seconds": last.timestamp() - emptied,
    }


def away(rounds: int) -> dict[str, Any]:
    """Let Redis be away, ask for a design meanwhile, and time its end from Redis' return on."""
    names = {"web": "web", "beat": "beat", "chores": "chores", "generate.1": "generate"}
    pacing = Pacing(size=SIZE)
    with running_world(shops=1, processes=names, pacing=pacing, **USUAL) as world:
        found = [_came_back(world, world.shops[0], seed=place) for place in range(rounds)]
    return {"summary": numbers.summaries(found), "rounds": found, "away_seconds": AWAY}


def _came_back(world: World, shop: Shop, *, seed: int) -> dict[str, float]:
    world.broker.stop()
    time.sleep(AWAY)
    with world.client(shop) as client:
        asked = time.monotonic()
        job = client.design(DesignRequest(release=shop.release_id, seed=seed))
        accepted = time.monotonic() - asked
        world.broker.start()
        returned = time.time()
        job = client.wait(job.id, timeout=_LONGEST)
    if job.state is not JobState.SUCCEEDED or job.finished_at is None:
        raise AssertionError(job)
    return {
        "accepted_in_seconds": accepted,
        "made_after_seconds": job.finished_at.timestamp() - returned,
    }


def resume(rounds: int) -> dict[str, Any]:
    """Kill a training's worker, its child or all of it, and time what comes then.

    With a lease of six seconds and with the usual one of sixty.
    """
    found: dict[str, list[dict[str, float]]] = {}
    for lease, settings in (("lease_6", {}), ("lease_usual", USUAL)):
        names = {"web": "web", "beat": "beat", "chores": "chores", "train": "train"}
        with running_world(shops=1, processes=names, **settings) as world:
            for who in ("child", "worker"):
                found[f"{lease}_{who}"] = [
                    _resumed(world, world.shops[0], who=who, seed=place) for place in range(rounds)
                ]
    return {
        "summary": {name: numbers.summaries(ones) for name, ones in found.items()},
        "rounds": found,
    }


def _resumed(world: World, shop: Shop, *, who: str, seed: int) -> dict[str, float]:
    """Return seconds from a worker's death: to the next claim, and to a step beyond the last."""
    with world.client(shop) as client:
        request = TrainingRequest(
            catalog=shop.catalog, model="resumed", preset="mlp", budget=Budget(minutes=30),
            seed=seed, preview_seconds=1, checkpoint_seconds=1,
        )  # fmt: skip
        job = client.train(request)
        _wait_for_checkpoint(world, job.id)
        step = _wait_for_step(world, job.id, fence=1, beyond=0)
        died = time.time()
        _kill(world.stack, who)
        _wait_for_step(world, job.id, fence=None, beyond=0)
        stepping = time.time()
        with world.ways.records.reading() as tx:
            attempt = tx.session.get(AttemptRow, (job.id, 2))
            if attempt is None:
                raise AssertionError(f"{job.id} makes steps in its second try, which has no row")
            claimed = attempt.started_at.timestamp()
        after = client.job(job.id).progress
        client.cancel(job.id)
        client.wait(job.id, timeout=120)
    lease = world.ways.settings.lease_seconds
    return {
        "claimed_after_seconds": claimed - died,
        "claimed_after_less_lease_seconds": claimed - died - lease,
        "stepping_after_seconds": stepping - died,
        "step_at_death": float(step),
        "first_step_seen_after": float(after.step or 0) if after else 0.0,
    }


def _wait_for_checkpoint(world: World, job_id: str) -> None:
    until = time.monotonic() + _LONGEST
    while time.monotonic() < until:
        found = world.ways.store.keys(keys.checkpoints(job_id))
        if any(key.endswith("/manifest.json") for key in found):
            return
        time.sleep(0.05)
    raise TimeoutError(f"{job_id} wrote no checkpoint in {_LONGEST:g} s")


def _kill(stack: Stack, who: str) -> None:
    from tests.bench.processes import of_group

    group = stack.processes["train"].pid
    if who == "child":
        for process in of_group(group):
            if process != group:
                os.kill(process, signal.SIGKILL)
        return
    stack.kill("train")
    time.sleep(0.3)  # as long as a supervisor takes
    stack.start("train", app="tests.chaos.worker")


def _wait_for_step(world: World, job_id: str, *, fence: int | None, beyond: int) -> int:
    """Return the step that a training shows, under its first fence or under a later one."""
    until = time.monotonic() + _LONGEST
    while time.monotonic() < until:
        with world.ways.records.reading() as tx:
            now = tx.session.scalar(select(JobRow.fence).where(JobRow.id == job_id)) or 0
        if fence is None and now > 1:
            progress = world.board.read(job_id, fence=now)
        else:
            progress = None if fence is None else world.board.read(job_id, fence=fence)
        if progress is not None and (progress.step or 0) > beyond:
            return int(progress.step or 0)
        time.sleep(0.02)
    raise TimeoutError(f"{job_id} made no step in {_LONGEST:g} s")


if __name__ == "__main__":
    main()
