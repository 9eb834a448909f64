"""The releases that a generation worker has in memory."""

import gc
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Final

from shared.errors import ReleaseCorruptError
from shared.records import models
from worker.designs.batch import Generates
from worker.jobs.eyes import Sight, follow_index, open_sight
from worker.runtime import Runtime

LOG: Final = logging.getLogger(__name__)

FOLLOWED_AFTER: Final = 15.0
"""Seconds after which it is asked again whether the catalog of a release in use has a newer index.
The chore that brings indexes up to their catalogs runs once a minute."""

_FILES: Final = ("generator.npz", "generator.json")


@dataclass(frozen=True)
class Loaded:
    """A release in memory.

    Attributes:
        generator: makes its designs.
        sight: what they are seen with; None where the catalog has no index.
    """

    generator: Generates
    sight: Sight | None = None

    @property
    def nbytes(self) -> int:
        """Memory that it holds, bytes."""
        return self.generator.nbytes + (self.sight.nbytes if self.sight else 0)


Load = Callable[[Runtime, str], Loaded]
Follow = Callable[[Runtime, str, Sight | None], Sight | None]


class Generators:
    """Loaded releases, least recently used first out once they hold more than the limit.

    What designs are seen with follows the catalog: while a release is used, it is looked every
    `FOLLOWED_AFTER` seconds whether a newer index was published. The generator stays as it is.

    Args:
        load: reads a release.
        follow: returns the newest sight of a release, given the one so far.
        clock: seconds that only grow.
        settle: called once a release was loaded or let go; it is told whether one was let go.
    """

    def __init__(
        self,
        load: Load,
        *,
        follow: Follow = follow_index,
        clock: Callable[[], float] = time.monotonic,
        settle: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._load = load
        self._follow = follow
        self._clock = clock
        self._settle = settle
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()
        self._seen_at: dict[str, float] = {}

    def load_with(self, load: Load) -> None:
        """Load releases in another way from now on; benchmarks put a simulated device here."""
        self._load = load

    @property
    def loaded(self) -> Collection[str]:
        """The releases that can be used without loading, by id."""
        return self._loaded.keys()

    def get(self, runtime: Runtime, release_id: str) -> Loaded:
        """Return a release, loaded and warmed on first use, with a sight of late.

        Raises:
            NotFoundError: there is no such release.
            ReleaseCorruptError: its files are missing or damaged.
        """
        is_new = release_id not in self._loaded
        if is_new:
            self._loaded[release_id] = self._load(runtime, release_id)
            self._seen_at[release_id] = self._clock()
        elif self._clock() - self._seen_at[release_id] >= FOLLOWED_AFTER:
            loaded = self._loaded[release_id]
            sight = self._follow(runtime, release_id, loaded.sight)
            self._loaded[release_id] = replace(loaded, sight=sight)
            self._seen_at[release_id] = self._clock()
        self._loaded.move_to_end(release_id)
        has_gone = self._make_room(runtime.settings.models_memory)
        if is_new or has_gone:
            self._settle(has_gone)
        return self._loaded[release_id]

    def _make_room(self, limit: int) -> bool:
        """Let go of the oldest; the one just asked for stays, whatever it holds.

        Returns:
            Whether any went.
        """
        before = len(self._loaded)
        while len(self._loaded) > 1 and sum(one.nbytes for one in self._loaded.values()) > limit:
            gone, _ = self._loaded.popitem(last=False)
            del self._seen_at[gone]
            LOG.info("Let go of release %s", gone)
        return len(self._loaded) < before


def set_aside(has_gone: bool) -> None:  # noqa: FBT001 - called by `Generators` alone
    """Have Python's collector look no more at what stays, and free what was let go.

    TensorFlow and a release are hundreds of thousands of objects. Each full look at them stopped a
    worker for 140 ms and longer, in the middle of a batch, and found nothing.

    Args:
        has_gone: whether a release was let go: its parts point at each other, and are freed by a
            full look alone.
    """
    if has_gone:
        gc.unfreeze()
    gc.collect()
    gc.freeze()


def load_release(runtime: Runtime, release_id: str) -> Loaded:
    """Read a release and its catalog's index from the store, and make the first passes.

    Raises:
        NotFoundError, ReleaseCorruptError: as `Generators.get`.
    """
    from worker.gan.device import prepare
    from worker.gan.release import load_generator

    prepare()
    with runtime.records.reading() as tx:
        place = models.release(tx, release_id)
    try:
        files = {name: runtime.store.read(f"{place.artifact}{name}") for name in _FILES}
    except FileNotFoundError as error:
        raise ReleaseCorruptError(
            f"Release {release_id} has lost its file {error}. Restore the artifact store from a "
            "backup, or train the model again.",
            release=release_id,
        ) from error
    generator = load_generator(files)
    generator.warm()
    LOG.info("Loaded release %s", release_id)
    sight = open_sight(runtime, release_id)
    if sight is None:
        LOG.info("Its catalog has no index: designs of release %s are not seen", release_id)
    return Loaded(generator, sight)
