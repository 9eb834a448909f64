"""Simulated shoppers whose taste the ranker cannot see: how soon is it learned, beside what?

A shopper's hidden taste is a non-linear function of hidden factors of the garments: three ideal
points, one of them disliked, and a small random network; part of it is shared by all, part by a
segment, most is the shopper's own. The ranker sees none of this, only `Items`: noisy embeddings,
colours and labels. The shopper looks through garments in random order and likes some, with chance
in it; the ranker is judged by how many of its first ten are among the 5% that the shopper would
like best, garments already liked left out.

Everything chosen in `shared/taste` by this simulation was chosen on worlds of the seeds in
`TUNED_ON`; `bench_taste` reports on others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidInputError
from shared.taste import prior as priors
from shared.taste import space as spaces
from shared.taste.gallery import Gallery, hang
from shared.taste.items import Items
from shared.taste.logistic import fit
from shared.taste.observations import Evidence, Signal, observe
from shared.taste.ranking import RELEVANCE, top
from tests.bench.numbers import significant
from tests.bench.taste_worlds import Floats, Places, Setup, browse, hidden_tastes

TUNED_ON: Final = (101, 102, 103)
METHODS: Final = (
    "random",
    "popular",
    "centroid",
    "nearest",
    "flat",
    "shuffled",
    "learned",
    "shown",
)
"""`centroid` and `nearest` are nearest neighbours of the likes' mean and of each like; `flat` is
our model without other shoppers; `shuffled` ranks by somebody else's likes; `learned` is ours by
score, `shown` the same with copies refused and variety looked to, as a shopper sees it."""

NEAREST_SHARPNESS: Final = 4.0
"""Of `nearest`: how fast likeness falls with distance; 2, 4 and 10 were tried on the worlds
tuned on."""

LEAST_NDCG: Final = 1e-3
"""Below any ranking's over some dozens of shoppers; keeps ratios of the fewest finite."""

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
TOP: Final = 10


def simulate(
    items: Items,
    hidden: Floats,
    *,
    seed: int,
    setup: Setup,
    held_out: NDArray[np.bool_] | None = None,
) -> dict[int, dict[str, dict[str, list[float]]]]:
    """Simulate shoppers of one catalog, synthetic or real.

    Args:
        items: n garments, as the ranker sees them.
        hidden: ``[n, h]``; another embedding of the same garments that the ranker does not see.
        seed: of shoppers and what they look at.
        setup: how.
        held_out: ``[n]``, garments that the encoder did not learn from. Where given, only they are
            ranked, and judged shoppers look through the others; teachers look through all.

    Returns:
        Number of likes -> method -> measure (``ndcg``, ``gain`` in standard deviations of hidden
        taste) -> one value a judged shopper.
    """
    rng = np.random.default_rng([seed, 1])
    gallery = hang(items, spaces.learn(items))
    tastes = hidden_tastes(hidden, rng, setup)
    teachers, judged = tastes[: setup.teachers], tastes[setup.teachers :]
    counts, prior = _taught(gallery, teachers, rng, setup)
    ranked = np.ones(len(items), np.bool_) if held_out is None else held_out
    shown = ranked if held_out is None else ~held_out
    ranker = Rankers(gallery, counts, priors.broad(gallery.space), prior, ranked, shown)
    return {likes: _judged(ranker, judged, likes, rng, setup) for likes in setup.feedback}


def ndcg(order: Places, right: NDArray[np.bool_]) -> float:
    """Return NDCG of the first ten: 1 when all are right, as far as there are enough.

    Raises:
        InvalidInputError: none is right, as where the likes took them all.
    """
    if not right.any():
        raise InvalidInputError("No right garment is left to find; simulate with more garments.")
    discount = 1 / np.log2(np.arange(2, TOP + 2))
    found = right[order[:TOP]] @ discount[: min(len(order), TOP)]
    return float(found / discount[: min(TOP, int(right.sum()))].sum())


@dataclass(frozen=True)
class Rankers:
    """All methods over one gallery.

    Attributes:
        gallery: what is ranked.
        counts: ``[n]``, teachers who like each garment.
        broad: the prior without teachers.
        prior: the one learned from them.
        ranked: ``[n]``, garments that are ranked.
        shown: ``[n]``, garments that judged shoppers look through.
    """

    gallery: Gallery
    counts: Floats
    broad: priors.Prior
    prior: priors.Prior
    ranked: NDArray[np.bool_]
    shown: NDArray[np.bool_]

    def orders(
        self, own: Evidence, other: Evidence, rng: np.random.Generator
    ) -> Mapping[str, Places]:
        """Return each method's order after one shopper's evidence, what was told left out."""
        told = own.items[: own.said]
        liked = told[own.seen.signs[: own.said] > 0]
        learned = fit(own.seen, self.prior.belief)
        scores: dict[str, Floats] = {
            "random": rng.random(len(self.counts)),
            "popular": self.counts + 1e-6 * rng.random(len(self.counts)),
            "centroid": self._centroid(liked),
            "nearest": self._nearest(liked),
            "flat": self._by(fit(own.seen, self.broad.belief).means),
            "shuffled": self._by(fit(other.seen, self.prior.belief).means),
            "learned": self._by(learned.means),
        }
        free = self.ranked.copy()
        free[told] = False
        found = {name: _order(values, free) for name, values in scores.items()}
        shown = top(self.gallery, learned, count=TOP, allowed=free, relevance=RELEVANCE)
        found["shown"] = np.array([one.place for one in shown], dtype=np.intp)
        return found

    def _by(self, means: Callable[[NDArray[np.float32]], Floats]) -> Floats:
        return means(self.gallery.features)

    def _centroid(self, liked: Places) -> Floats:
        rows = self.gallery.features[:, :-1]
        return -np.asarray(((rows - rows[liked].mean(0)) ** 2).sum(1), dtype=np.float64)

    def _nearest(self, liked: Places) -> Floats:
        """Sum the likeness to each like."""
        rows = self.gallery.features[:, :-1].astype(np.float64)
        asked = rows[liked]
        squares = (rows**2).sum(1)[:, None] + (asked**2).sum(1) - 2 * rows @ asked.T
        return np.asarray(np.exp(-NEAREST_SHARPNESS * squares / np.median(squares)).sum(1))


def summarise(
    worlds: Sequence[Mapping[int, Mapping[str, Mapping[str, Sequence[float]]]]], *, seed: int
) -> dict[str, Any]:
    """Summarise simulations: means and 95% bootstrap intervals over shoppers of all worlds.

    Args:
        worlds: what `simulate` returned.
        seed: of the bootstrap.

    Returns:
        Number of likes -> each method's ``ndcg`` and ``gain``; ``over_popularity``, the ratio of
        NDCG; ``less_nearest``, the difference to the better of the two nearest neighbours. The last
        two are paired: the same shoppers are drawn for both sides.
    """
    rng = np.random.default_rng(seed)
    table: dict[str, Any] = {}
    for likes in worlds[0]:
        pooled = {
            name: {
                measure: np.concatenate([world[likes][name][measure] for world in worlds])
                for measure in ("ndcg", "gain")
            }
            for name in METHODS
        }
        drawn = rng.integers(
            0, len(pooled["learned"]["ndcg"]), (2000, len(pooled["learned"]["ndcg"]))
        )
        table[str(likes)] = _row(pooled, drawn)
    return table


def as_text(table: Mapping[str, Any]) -> str:
    """Return NDCG@10 in Markdown: likes down, methods across, half intervals beside the means."""
    lines = ["| likes | " + " | ".join(METHODS) + " | x popular | less nearest |"]
    lines.append("|---" * (len(METHODS) + 3) + "|")
    for likes, row in table.items():
        cells = [f"{row[name]['ndcg']['mean']:.3f}" for name in METHODS]
        for name in ("over_popularity", "less_nearest"):
            low, high = row[name]["interval"]
            cells.append(f"{row[name]['mean']:.3f} ({low:.3f} to {high:.3f})")
        lines.append(f"| {likes} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _row(pooled: Mapping[str, Mapping[str, Floats]], drawn: NDArray[np.int64]) -> dict[str, Any]:
    row: dict[str, Any] = {
        name: {measure: _interval(values[drawn].mean(1), float(values.mean()))
               for measure, values in of_method.items()}
        for name, of_method in pooled.items()
    }  # fmt: skip
    ours, popular = pooled["learned"]["ndcg"], pooled["popular"]["ndcg"]
    rival = max(("centroid", "nearest"), key=lambda name: float(pooled[name]["ndcg"].mean()))
    less = ours - pooled[rival]["ndcg"]
    ratios = ours[drawn].mean(1) / np.maximum(popular[drawn].mean(1), LEAST_NDCG)
    row["over_popularity"] = _interval(ratios, float(ours.mean() / max(popular.mean(), LEAST_NDCG)))
    row["less_nearest"] = {**_interval(less[drawn].mean(1), float(less.mean())), "rival": rival}
    row["shoppers"] = len(ours)
    return row


def _interval(drawn: Floats, mean: float) -> dict[str, Any]:
    low, high = np.quantile(drawn, (0.025, 0.975)).tolist()
    return {"mean": significant(mean, 4), "interval": [significant(low, 4), significant(high, 4)]}


def _taught(
    gallery: Gallery, teachers: Floats, rng: np.random.Generator, setup: Setup
) -> tuple[Floats, priors.Prior]:
    """Let teachers browse; return how many like each garment ``[n]``, and the prior."""
    counts = np.zeros(len(gallery.items))
    seen = []
    for liking in teachers:
        liked, passed = browse(liking, int(rng.integers(setup.least, setup.most)), rng, setup)
        counts[liked] += 1
        seen.append(_evidence(gallery, liked, passed, rng, setup).seen)
    return counts, priors.learn(seen, priors.broad(gallery.space))


def _judged(
    ranker: Rankers, judged: Floats, likes: int, rng: np.random.Generator, setup: Setup
) -> dict[str, dict[str, list[float]]]:
    told = [
        _evidence(ranker.gallery, *browse(seen, likes, rng, setup), rng, setup)
        for seen in np.where(ranker.shown, judged, -np.inf)
    ]
    result: dict[str, dict[str, list[float]]] = {name: {"ndcg": [], "gain": []} for name in METHODS}
    for place, (liking, own) in enumerate(zip(judged, told, strict=True)):
        right = liking >= np.quantile(liking[ranker.ranked], 1 - setup.relevant)
        right &= ranker.ranked
        right[own.items[: own.said]] = False
        for name, order in ranker.orders(own, told[place - 1], rng).items():
            result[name]["ndcg"].append(ndcg(order, right))
            result[name]["gain"].append(float(liking[order[:TOP]].mean()))
    return result


def _evidence(
    gallery: Gallery, liked: Places, passed: Places, rng: np.random.Generator, setup: Setup
) -> Evidence:
    ids = gallery.items.ids
    refused = rng.permutation(passed)[: setup.dislikes * len(liked)]
    signals = [Signal("like", ids[int(place)], NOW) for place in liked]
    signals += [Signal("dislike", ids[int(place)], NOW) for place in refused]
    # A generator of its own, so that a longer background leaves the shoppers as they were.
    background = np.random.default_rng(liked.tolist())
    return observe(signals, gallery, now=NOW, rng=background)


def _order(scores: Floats, free: NDArray[np.bool_]) -> Places:
    return np.argsort(-np.where(free, scores, -np.inf), kind="stable")[:TOP]
