"""The simulation of shoppers runs to its end, is fair to its rivals, and takes real garments."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from shared.errors import InvalidInputError
from shared.taste import index
from shared.taste.observations import Evidence
from tests.bench import bench_taste, taste_simulation, taste_worlds
from tests.bench.taste_worlds import Setup

SMALL = Setup(teachers=40, judged=25, feedback=(3, 10))


def ran(out: Path, *options: object) -> str:
    arguments = ["--out", str(out), *map(str, options)]
    done = CliRunner().invoke(bench_taste.main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_taste_is_learned_where_somebody_elses_likes_teach_nothing() -> None:
    world = taste_worlds.synthetic(11, 1200)
    told = taste_simulation.simulate(world.items, world.hidden, seed=11, setup=SMALL)
    table = taste_simulation.summarise([told], seed=0)
    for likes in ("3", "10"):
        row = {name: table[likes][name]["ndcg"]["mean"] for name in taste_simulation.METHODS}
        assert row["learned"] > max(row["popular"], row["shuffled"], row["random"])
        assert row["learned"] > row["flat"], "other shoppers help"
    assert table["10"]["learned"]["gain"]["mean"] > table["3"]["learned"]["gain"]["mean"]


def test_the_same_seed_simulates_the_same_shoppers() -> None:
    world = taste_worlds.synthetic(12, 300)
    few = Setup(teachers=4, judged=3, feedback=(3,))
    first, second = (
        taste_simulation.simulate(world.items, world.hidden, seed=3, setup=few) for _ in range(2)
    )
    assert first == second


def test_hidden_taste_is_not_linear_in_what_it_is_made_of() -> None:
    hidden = taste_worlds.synthetic(13, 2000).hidden
    design = np.column_stack([hidden, np.ones(len(hidden))])
    left = []
    for seed in range(10):
        liking = taste_worlds.taste(hidden, np.random.default_rng(seed))
        fitted = design @ np.linalg.lstsq(design, liking, rcond=None)[0]
        left.append(float((liking - fitted).var()))
    assert np.mean(left) > 0.35


def test_ndcg_is_one_when_all_are_right_and_less_when_right_ones_come_late() -> None:
    right = np.zeros(100, np.bool_)
    right[:10] = True
    order = np.arange(10)
    assert taste_simulation.ndcg(order, right) == pytest.approx(1)
    early, late = np.array([0, *range(50, 59)]), np.array([*range(50, 59), 0])
    assert 0 < taste_simulation.ndcg(late, right) < taste_simulation.ndcg(early, right) < 1


def test_a_ranking_with_nothing_right_to_find_is_not_scored() -> None:
    with pytest.raises(InvalidInputError, match="more garments"):
        taste_simulation.ndcg(np.arange(10), np.zeros(100, np.bool_))


def test_only_held_out_garments_are_ranked_and_only_others_are_liked() -> None:
    world = taste_worlds.synthetic(15, 400)
    held_out = np.arange(400) >= 300
    seen: list[tuple[set[int], set[int]]] = []

    class Noting(taste_simulation.Rankers):
        def orders(
            self, own: Evidence, other: Evidence, rng: np.random.Generator
        ) -> Mapping[str, taste_worlds.Places]:
            found = super().orders(own, other, rng)
            ranked = {int(place) for order in found.values() for place in order}
            seen.append((ranked, set(own.items[: own.said].tolist())))
            return found

    few = Setup(teachers=4, judged=3, feedback=(3,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(taste_simulation, "Rankers", Noting)
        taste_simulation.simulate(world.items, world.hidden, seed=3, setup=few, held_out=held_out)
    assert len(seen) == 3
    for ranked, liked in seen:
        assert ranked <= set(range(300, 400))
        assert liked <= set(range(300))


def test_the_benchmark_takes_synthetic_and_real_garments(tmp_path: Path) -> None:
    shoppers = ("--teachers", 5, "--judged", 4, "--worlds", 1)
    told = ran(tmp_path, *shoppers, "--garments", 1200, "--large", 1500, "--repeats", 1)
    assert "| likes | random |" in told
    assert "ms  fit, 40 signals" in told
    table = json.loads((tmp_path / "taste-synthetic-0-dislikes-1.json").read_bytes())["table"]
    low, high = table["10"]["over_popularity"]["interval"]
    assert low <= table["10"]["over_popularity"]["mean"] <= high

    world = taste_worlds.synthetic(14, 1200)
    (tmp_path / "shop.npz").write_bytes(index.write(world.items))
    np.save(tmp_path / "other.npy", world.hidden)
    ran(
        tmp_path, *shoppers, "--parts", "simulation", "--dislikes", 1,
        "--index", tmp_path / "shop.npz", "--hidden", tmp_path / "other.npy",
    )  # fmt: skip
    assert (tmp_path / "taste-shop-1-dislikes-1.json").exists()
