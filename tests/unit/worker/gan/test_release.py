import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.errors import InvalidInputError, ReleaseCorruptError
from worker.gan.progress import Progress
from worker.gan.release import CHUNK, Generator, TrainedRelease, load_generator

Trained = tuple[TrainedRelease, list[Progress], Path]

CONDITIONS = [{"shape": "flat"}, {}, {"shade": "dark", "shape": "upright"}, {"shade": "light"}]


@pytest.fixture(scope="module")
def files(trained: Trained) -> dict[str, bytes]:
    return trained[0].files()


@pytest.fixture(scope="module")
def generator(files: dict[str, bytes]) -> Generator:
    return load_generator(files)


def test_a_release_is_four_files(files: dict[str, bytes]) -> None:
    assert sorted(files) == ["card.json", "generator.json", "generator.npz", "grid.png"]
    assert Image.open(io.BytesIO(files["grid.png"])).size == (8 * 16, 2 * 16)


def test_a_loaded_generator_knows_what_it_can_make(generator: Generator) -> None:
    assert (generator.size, generator.channels) == (16, 3)
    assert generator.vocabulary == {"shape": ("upright", "flat"), "shade": ("dark", "light")}


def test_the_same_seed_and_condition_give_the_same_bytes_in_any_batch(generator: Generator) -> None:
    count = 2 * CHUNK + 5
    seeds = list(range(100, 100 + count))
    wishes = [CONDITIONS[i % len(CONDITIONS)] for i in range(count)]
    together = generator.generate(seeds, wishes)
    assert together.shape == (count, 16, 16, 3)
    assert together.dtype == np.uint8
    alone = np.concatenate(
        [generator.generate([s], [w]) for s, w in zip(seeds, wishes, strict=True)]
    )
    assert np.array_equal(together, alone)
    order = np.random.default_rng(0).permutation(count)
    shuffled = generator.generate([seeds[i] for i in order], [wishes[i] for i in order])
    assert np.array_equal(shuffled, together[order])


def test_two_loads_of_a_release_make_the_same_designs(
    generator: Generator, files: dict[str, bytes]
) -> None:
    again = load_generator(files)
    wishes = CONDITIONS[:3]
    assert np.array_equal(again.generate([1, 2, 3], wishes), generator.generate([1, 2, 3], wishes))


def test_conditions_and_seeds_change_the_design(generator: Generator) -> None:
    wishes = [{"shape": "upright"}, {"shape": "upright"}, {"shape": "flat"}]
    made = generator.generate([1, 2, 1], wishes)
    assert len(np.unique(made.reshape(3, -1), axis=0)) == 3


def test_what_is_left_open_is_drawn_and_told(generator: Generator) -> None:
    told = generator.complete([1, 2], [{}, {"shape": "flat"}])
    assert told[1]["shape"] == "flat"
    assert told[0]["shape"] in generator.vocabulary["shape"]
    assert (generator.generate([1], [told[0]]) == generator.generate([1], [{}])).all()


def test_temper_zero_makes_all_seeds_alike(generator: Generator) -> None:
    whole = {"shape": "flat", "shade": "dark"}
    made = generator.generate([1, 2], [whole, whole], temper=0.0)
    assert np.array_equal(made[0], made[1])


def test_nothing_asked_gives_nothing(generator: Generator) -> None:
    assert generator.generate([], []).shape == (0, 16, 16, 3)


def test_an_unknown_attribute_is_refused_with_the_known_ones(generator: Generator) -> None:
    with pytest.raises(InvalidInputError, match="shape, shade") as told:
        generator.generate([1], [{"size": "XL"}])
    assert told.value.details["allowed"] == ["shape", "shade"]


def test_an_unknown_value_is_refused_with_the_known_ones(generator: Generator) -> None:
    with pytest.raises(InvalidInputError, match="upright, flat"):
        generator.generate([1], [{"shape": "round"}])


def test_seeds_and_conditions_must_pair(generator: Generator) -> None:
    with pytest.raises(InvalidInputError, match="2 and 1"):
        generator.generate([1, 2], [{}])


@pytest.mark.parametrize("name", ["generator.npz", "generator.json"])
@pytest.mark.parametrize("damage", ["missing", "cut", "empty"])
def test_a_damaged_release_is_refused(files: dict[str, bytes], name: str, damage: str) -> None:
    broken = dict(files)
    if damage == "missing":
        del broken[name]
    else:
        broken[name] = broken[name][: len(broken[name]) // 2 if damage == "cut" else 0]
    with pytest.raises(ReleaseCorruptError):
        load_generator(broken)


@pytest.mark.parametrize(
    "change", [{"format": 99}, {"size": 32}, {"vocabulary": {}}, {"hyper": []}]
)
def test_weights_that_do_not_fit_the_description_are_refused(
    files: dict[str, bytes], change: dict[str, object]
) -> None:
    config = {**json.loads(files["generator.json"]), **change}
    with pytest.raises(ReleaseCorruptError):
        load_generator({**files, "generator.json": json.dumps(config).encode()})


def test_another_process_makes_the_same_bytes(
    generator: Generator, files: dict[str, bytes], tmp_path: Path
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    sheet = tmp_path / "sheet.png"
    subprocess.run(
        [sys.executable, "-m", "worker.gan", "sample", "--release", str(tmp_path),
         "--out", str(sheet), "--condition", "shape=flat", "--count", "3",
         "--columns", "3", "--seed", "8", "--scale", "1"],
        check=True, capture_output=True,
    )  # fmt: skip
    made = generator.generate([8, 9, 10], [{"shape": "flat"}] * 3)
    assert np.array_equal(np.asarray(Image.open(sheet)), np.concatenate(list(made), axis=1))
