"""What a worker stores of a design: a picture that names it, and what it is found by."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.provenance.mark import creator_tool
from shared.provenance.opened import look
from shared.records import designs
from shared.schemas.designs import Design
from tests.fixtures.rows import a_design_job, a_release, a_site
from worker.designs.batch import Generates
from worker.jobs import designs as design_jobs
from worker.runtime import Runtime


class Drawer(Generates):
    """Draws from a seed without a network."""

    size = 32
    slots = 0
    vocabulary: Mapping[str, tuple[str, ...]] = {}

    def generate(
        self,
        seeds: Sequence[int],
        conditions: Sequence[Mapping[str, str]],  # noqa: ARG002 - the port's signature
        *,
        temper: Sequence[float],  # noqa: ARG002
    ) -> NDArray[np.uint8]:
        small = [np.random.default_rng(seed).integers(0, 256, (8, 8, 3)) for seed in seeds]
        return np.stack(small).repeat(4, axis=1).repeat(4, axis=2).astype(np.uint8)

    def complete(
        self, seeds: Sequence[int], conditions: Sequence[Mapping[str, str]]
    ) -> list[dict[str, str]]:
        return [dict(one) for one, _ in zip(conditions, seeds, strict=True)]


@pytest.fixture
def site(runtime: Runtime) -> str:
    return a_site(runtime.records)


@pytest.fixture
def release_id(runtime: Runtime, site: str, monkeypatch: pytest.MonkeyPatch) -> str:
    found = a_release(runtime.records, site)
    held: Any = design_jobs.Generators()
    held._loaded[found.id] = Drawer()
    monkeypatch.setattr(design_jobs, "_generators", held)
    return found.id


def made(runtime: Runtime, site: str, release_id: str, *, seed: int) -> list[tuple[Design, bytes]]:
    job = a_design_job(runtime.records, site, release_id, count=2, seed=seed)
    design_jobs.drain_release(runtime, release_id)
    with runtime.records.reading() as tx:
        places = [designs.get(tx, site, one.id) for one in designs.of_job(tx, job.id)]
    return [(place.design, runtime.store.read(place.artifact)) for place in places]


def test_a_stored_picture_names_its_release_seed_job_and_design(
    runtime: Runtime, site: str, release_id: str
) -> None:
    pairs = made(runtime, site, release_id, seed=5)
    assert len(pairs) == 2
    for design, data in pairs:
        mark = look(data).mark
        assert mark is not None
        assert (mark.design_id, mark.job_id) == (design.id, design.job_id)
        assert (mark.release_id, mark.seed) == (release_id, design.seed)
        assert mark.tool == creator_tool()


def test_a_stored_design_is_found_by_the_look_of_its_pixels(
    runtime: Runtime, site: str, release_id: str
) -> None:
    (first, data), (second, _) = made(runtime, site, release_id, seed=5)
    with runtime.records.reading() as tx:
        near = designs.near(tx, site, look(data).perceptual_hash)
    assert near.found[0] == (first.id, 0)
    assert second.id not in dict(near.found)
    assert near.searched == 2


def test_the_same_seed_gives_the_same_pixels_in_another_job(
    runtime: Runtime, site: str, release_id: str
) -> None:
    pairs = [*made(runtime, site, release_id, seed=5), *made(runtime, site, release_id, seed=5)]
    assert len({look(data).pixels_sha256 for _, data in pairs}) == 2
    assert len({design.sha256 for design, _ in pairs}) == 4
