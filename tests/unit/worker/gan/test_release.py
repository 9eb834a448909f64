import io
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.errors import InvalidInputError, ReleaseCorruptError
from tests.unit.worker.gan.conftest import MakeGarments
from worker.gan.checkpoint import Checkpoints
from worker.gan.progress import Progress
from worker.gan.recipe import Hyperparameters, Recipe
from worker.gan.release import Generator, TrainedRelease, images_a_pass, load_generator

Trained = tuple[TrainedRelease, list[Progress], Path]

CONDITIONS = [{"shape": "flat"}, {}, {"shade": "dark", "shape": "upright"}, {"shade": "light"}]


@pytest.fixture(scope="module")
def files(trained: Trained) -> dict[str, bytes]:
    return trained[0].files()


@pytest.fixture(scope="module")
def generator(files: dict[str, bytes]) -> Generator:
    return load_generator(files)


def test_a_release_is_a_few_files(files: dict[str, bytes]) -> None:
    names = ["card.json", "critic.npz", "generator.json", "generator.npz", "grid.png"]
    assert sorted(files) == names
    assert Image.open(io.BytesIO(files["grid.png"])).size == (8 * 16, 2 * 16)


def test_a_loaded_generator_knows_what_it_can_make(generator: Generator) -> None:
    assert (generator.size, generator.channels) == (16, 3)
    assert generator.vocabulary == {"shape": ("upright", "flat"), "shade": ("dark", "light")}


def test_the_same_seed_and_condition_give_the_same_bytes_in_any_batch(generator: Generator) -> None:
    count = 2 * images_a_pass(16, gpu=False) + 5
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
    "change",
    [{"format": 99}, {"height": 32}, {"vocabulary": {}}, {"hyper": []}, {"preset": "biggan"}],
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


def test_a_release_of_the_first_format_is_still_read(
    generator: Generator, files: dict[str, bytes]
) -> None:
    config = json.loads(files["generator.json"])
    new = ("preset", "height", "width", "slots", "colours")
    first = {**{k: v for k, v in config.items() if k not in new}, "format": 1}
    old = load_generator({**files, "generator.json": json.dumps(first).encode()})
    assert np.array_equal(old.generate([1, 2], [{}, {}]), generator.generate([1, 2], [{}, {}]))


@pytest.fixture(scope="module")
def tinted(garments: MakeGarments, tiny: Hyperparameters) -> Generator:
    catalog = garments()
    colours = np.full((catalog.n, 2, 3), np.nan, np.float32)
    colours[:, 0] = [40, 30, 20]
    colours[::2, 1] = [90, 0, 0]
    from worker.gan.train import train

    class Nowhere(Checkpoints):
        def save(self, step: int, files: Mapping[str, bytes]) -> None:
            """Keep nothing."""

        def newest(self) -> None:
            return None

    release = train(
        Recipe(images=16, hyper=tiny), replace(catalog, colours=colours), Nowhere(),
        on_progress=lambda _: None, should_stop=lambda: False,
    )  # fmt: skip
    return load_generator(release.files())


def test_colours_are_asked_for_by_code(tinted: Generator) -> None:
    assert tinted.slots == 2
    asked = [{"shape": "flat", "shade": "dark", "colour": code} for code in ("#ff0000", "#00ff00")]
    made = tinted.generate([1, 1], asked)
    assert not np.array_equal(made[0], made[1])
    told = tinted.complete([1], asked[:1])[0]
    assert told["colour"] == "#ff0000"
    assert "second_colour" not in told


def test_open_colours_are_drawn_and_asking_for_them_again_gives_the_same(
    tinted: Generator,
) -> None:
    seeds = list(range(4, 24))
    told = tinted.complete(seeds, [{}] * 20)
    assert all(one["colour"].startswith("#") for one in told)
    again = tinted.generate(seeds, told)
    assert np.array_equal(tinted.generate(seeds, [{}] * 20), again)


def test_what_is_no_colour_code_is_refused(tinted: Generator) -> None:
    with pytest.raises(InvalidInputError, match="'reddish' is not a colour code"):
        tinted.generate([1], [{"colour": "reddish"}])
    with pytest.raises(InvalidInputError, match="six hex digits"):
        tinted.generate([1], [{"colour": "#12"}])
