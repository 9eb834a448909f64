import numpy as np
import pytest

from shared.errors import InvalidInputError
from tests.unit.worker.gan.explore.conftest import MakePainter, SmallPainter
from worker.gan import latents
from worker.gan.explore import directions, ports
from worker.gan.progress import Progress
from worker.gan.release import TrainedRelease, load_generator


@pytest.fixture(scope="module")
def painter(small_painter: MakePainter) -> SmallPainter:
    return small_painter()


def test_directions_are_orthogonal_and_the_strongest_comes_first(painter: SmallPainter) -> None:
    found = directions.find(painter)
    assert len(found) == painter.latent
    assert found.vectors @ found.vectors.T == pytest.approx(np.eye(painter.latent), abs=1e-5)
    assert (np.diff(found.strengths) <= 0).all()
    kernel = np.asarray(painter.network.first_kernel)[: painter.latent]
    assert np.linalg.norm(found.vectors @ kernel, axis=1) == pytest.approx(found.strengths, 1e-4)


def test_signs_follow_from_the_release_alone(small_painter: MakePainter) -> None:
    one, other = small_painter(), small_painter()
    kernel = np.asarray(other.network.first_kernel).copy()
    kernel[: other.latent] *= -1
    other.network.first_kernel.assign(kernel)
    assert directions.find(one).vectors == pytest.approx(directions.find(other).vectors, abs=1e-5)
    largest = np.abs(directions.find(one).vectors).max(axis=1)
    assert directions.find(one).vectors.max(axis=1) == pytest.approx(largest)


def test_what_belongs_to_the_condition_gives_no_direction(small_painter: MakePainter) -> None:
    painter = small_painter()
    before = directions.find(painter).vectors
    kernel = np.asarray(painter.network.first_kernel).copy()
    kernel[painter.latent :] *= 100
    painter.network.first_kernel.assign(kernel)
    assert np.array_equal(directions.find(painter).vectors, before)


def test_a_direction_that_there_is_not_is_refused_with_those_there_are(
    painter: SmallPainter,
) -> None:
    with pytest.raises(InvalidInputError, match="0 to 3; got 4"):
        directions.find(painter)[4]


def test_a_strip_has_a_row_a_seed_and_the_design_itself_in_the_middle(
    painter: SmallPainter,
) -> None:
    seeds, condition = [7, 8], {"shape": "flat"}
    sheet = directions.strip(painter, directions.find(painter)[0], seeds, condition, steps=5)
    assert sheet.shape == (2 * 16, 5 * 16, 3)
    points = latents.draw(seeds, painter.latent)
    own = painter.paint(points, *ports.completed(painter, seeds, condition))
    assert np.array_equal(sheet[:, 32:48], np.concatenate(list(own)))
    assert not np.array_equal(sheet[:, :16], sheet[:, 64:])


def test_only_the_heading_of_a_direction_counts(painter: SmallPainter) -> None:
    one = directions.find(painter)[1]
    sheets = [directions.strip(painter, times * one, [3], {}, reach=2.0) for times in (1, 9)]
    assert np.abs(sheets[0].astype(int) - sheets[1].astype(int)).max() <= 1


def test_a_strip_of_one_column_is_the_designs(painter: SmallPainter) -> None:
    one = directions.strip(painter, directions.find(painter)[0], [1, 2, 3], {}, steps=1)
    assert one.shape == (48, 16, 3)


def test_a_strip_paints_the_colours_that_are_asked(small_painter: MakePainter) -> None:
    painter = small_painter(slots=2)
    one = directions.find(painter)[0]
    sheets = [directions.strip(painter, one, [1], {"colour": c}) for c in ("#102080", "#f0e0d0")]
    assert not np.array_equal(sheets[0], sheets[1])
    with pytest.raises(InvalidInputError, match="no attribute 'colour'"):
        directions.strip(small_painter(), one, [1], {"colour": "#102080"})


def test_pictures_that_are_no_squares_stand_side_by_side(small_painter: MakePainter) -> None:
    painter = small_painter(height=20, width=15)
    sheet = directions.strip(painter, directions.find(painter)[0], [1, 2], {}, steps=3)
    assert sheet.shape == (2 * 20, 3 * 15, 3)
    points = latents.draw([1, 2], painter.latent)
    own = painter.paint(points, *ports.completed(painter, [1, 2], {}))
    assert np.array_equal(sheet[20:, 15:30], own[1])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": 4}, "odd number of steps"),
        ({"steps": -1}, "odd number of steps"),
        ({"reach": 0.0}, "reach above zero"),
        ({"reach": float("nan")}, "reach above zero"),
        ({"seeds": []}, "at least one seed"),
        ({"condition": {"shape": "striped"}}, "upright, flat, round"),
        ({"direction": np.zeros(4, np.float32)}, "not all zero"),
        ({"direction": np.ones(5, np.float32)}, "4 finite numbers"),
    ],
)
def test_a_strip_that_cannot_be_is_refused(
    painter: SmallPainter, change: dict[str, object], words: str
) -> None:
    asked = {"direction": np.ones(4, np.float32), "seeds": [1], "condition": {}, **change}
    with pytest.raises(InvalidInputError, match=words):
        directions.strip(painter, **asked)  # type: ignore[arg-type]


def test_a_trained_release_has_directions_that_change_its_designs(
    trained: tuple[TrainedRelease, list[Progress], object],
) -> None:
    generator = load_generator(trained[0].files())
    found = directions.find(generator)
    assert found.vectors.shape == (8, 8)
    condition = {"shape": "flat", "shade": "dark"}
    sheet = directions.strip(generator, found[0], [4, 5], condition, steps=3)
    assert np.array_equal(
        sheet[:, 16:32], np.concatenate(list(generator.generate([4, 5], [condition] * 2)))
    )
    assert not np.array_equal(sheet[:, :16], sheet[:, 32:])
