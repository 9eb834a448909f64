"""The releases that a generation worker has in memory."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from shared.errors import ReleaseCorruptError
from shared.records import models
from worker.designs.batch import Generates
from worker.jobs.eyes import Sight, open_sight
from worker.runtime import Runtime

LOG: Final = logging.getLogger(__name__)

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


class Generators:
    """Loaded releases, least recently used first out once they hold more than the limit."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()

    def load_with(self, load: Load) -> None:
        """Load releases in another way from now on; benchmarks put a simulated device here."""
        self._load = load

    @property
    def loaded(self) -> Collection[str]:
        """The releases that can be used without loading, by id."""
        return self._loaded.keys()

    def get(self, runtime: Runtime, release_id: str) -> Loaded:
        """Return a release, loaded and warmed on first use.

        Raises:
            NotFoundError: there is no such release.
            ReleaseCorruptError: its files are missing or damaged.
        """
        if release_id not in self._loaded:
            self._loaded[release_id] = self._load(runtime, release_id)
        self._loaded.move_to_end(release_id)
        self._make_room(runtime.settings.models_memory)
        return self._loaded[release_id]

    def _make_room(self, limit: int) -> None:
        """Let go of the oldest; the one just asked for stays, whatever it holds."""
        while len(self._loaded) > 1 and sum(one.nbytes for one in self._loaded.values()) > limit:
            gone, _ = self._loaded.popitem(last=False)
            LOG.info("Let go of release %s", gone)


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
    return Loaded(generator, open_sight(runtime, release_id))
