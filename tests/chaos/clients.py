"""Clients that ask for a known set of jobs, as the project's own client does, while all breaks."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from shared.client import Client
from shared.client.failures import ApiError, UnreachableError
from shared.schemas.designs import DesignRequest
from shared.schemas.jobs import Budget
from shared.schemas.models import TrainingRequest
from shared.schemas.reports import TrendRequest
from tests.chaos.ledger import Ledger, Witness
from tests.chaos.world import Shop, World

_LOST_ANSWERS: Final = 0.15
"""Share of the accepted requests whose answer the client never sees."""

_TOGETHER: Final = 5
"""Design jobs in a request that asks for several."""

_AGAIN: Final = 20
"""How often a client asks again after a refusal that it should not have met."""


@dataclass(frozen=True)
class Amounts:
    """How much is asked for, by all clients together."""

    designs: int
    trainings: int
    reports: int


Ask = Callable[[Client, Shop], Any]


def requests(amounts: Amounts, seed: int, shops: Sequence[Shop]) -> list[tuple[Shop, Ask]]:
    """Return what is asked for in a run, in its order; each for one of the sites."""
    rng = Random(seed)
    asks: list[tuple[Shop, Ask]] = []
    left = amounts.designs
    while left > 0:
        shop = rng.choice(shops)
        several = min(left, _TOGETHER if rng.random() < 0.1 else 1)
        asked = [_design(shop, rng, amounts.designs - left + place) for place in range(several)]
        asks.append((shop, _design_ask(asked)))
        left -= several
    asks += [(shops[place % len(shops)], _report_ask) for place in range(amounts.reports)]
    rng.shuffle(asks)
    # Trainings take longest, so that they come first: the chaos is to meet them.
    long = [(shops[n % len(shops)], _training_ask(n)) for n in range(amounts.trainings)]
    return [*long, *asks]


def _design(shop: Shop, rng: Random, place: int) -> DesignRequest:
    # Seeds that differ, so that no two requests are one; some leave the seed to the server.
    seed = None if rng.random() < 0.2 else 100 * place
    return DesignRequest(release=shop.release_id, count=rng.choice((1, 1, 2, 4)), seed=seed)


def _design_ask(asked: Sequence[DesignRequest]) -> Ask:
    if len(asked) == 1:
        return lambda client, _shop: client.design(asked[0])
    return lambda client, _shop: client.design_all(asked)


def _training_ask(place: int) -> Ask:
    def ask(client: Client, shop: Shop) -> Any:
        return client.train(
            TrainingRequest(
                catalog=shop.catalog,
                model=f"model{place % 3}",
                preset="mlp",
                budget=Budget(images=2048),
                seed=place,
                preview_seconds=1,
                checkpoint_seconds=1,
            )
        )

    return ask


def _report_ask(client: Client, shop: Shop) -> Any:
    return client.trend_report(TrendRequest(catalog=shop.catalog))


class Clients:
    """Threads that work through what is to be asked for, each over connections of its own."""

    def __init__(
        self,
        world: World,
        asks: Sequence[tuple[Shop, Ask]],
        ledger: Ledger,
        *,
        threads: int,
        seconds: float,
        seed: int,
    ) -> None:
        self._world = world
        self._asks = list(asks)
        self._ledger = ledger
        self._pause = seconds * threads / max(len(asks), 1)
        self._lock = threading.Lock()
        self._seed = seed
        self._threads = [
            threading.Thread(target=self._run, args=(place,), name=f"client-{place}", daemon=True)
            for place in range(threads)
        ]

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()

    @property
    def are_done(self) -> bool:
        """Whether all was asked for, and answered."""
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self, place: int) -> None:
        rng = Random(self._seed + place)
        while (ask := self._next()) is not None:
            shop, request = ask
            witness = Witness(
                self._ledger, shop.name, loses=_LOST_ANSWERS, seed=rng.randrange(2**31)
            )
            with self._world.client(shop, transport=witness) as client:
                self._ask(client, shop, request)
            time.sleep(self._pause * rng.uniform(0.2, 1.2))

    def _next(self) -> tuple[Shop, Ask] | None:
        with self._lock:
            return self._asks.pop(0) if self._asks else None

    def _ask(self, client: Client, shop: Shop, request: Ask) -> None:
        """Ask until it is accepted; a refusal of a sound request is kept, for it is a fault."""
        for _ in range(_AGAIN):
            try:
                request(client, shop)
            except (ApiError, UnreachableError) as error:
                self._ledger.refused(f"{shop.name}: {error}")
                time.sleep(1)
            else:
                return
