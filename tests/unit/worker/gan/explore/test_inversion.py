import numpy as np
import pytest

from shared.errors import InvalidInputError
from tests.unit.worker.gan.explore.conftest import MakePainter, SmallPainter
from worker.gan import latents
from worker.gan.explore import inversion, ports
from worker.gan.explore.inversion import Effort, Inverter
from worker.gan.progress import Progress
from worker.gan.release import TrainedRelease

QUICK = Effort(encoder_steps=80, try_steps=30, steps=120, rate=0.15)


@pytest.fixture(scope="module")
def painter(small_painter: MakePainter) -> SmallPainter:
    return small_painter()


@pytest.fixture(scope="module")
def inverter(painter: SmallPainter) -> Inverter:
    return Inverter.fit(painter, effort=QUICK, seed=3)


def designs(painter: SmallPainter, count: int) -> tuple[np.ndarray, np.ndarray]:
    seeds = range(5000, 5000 + count)
    labels = ports.labels_of(painter, seeds, {})
    points = latents.draw(seeds, painter.latent)
    return painter.paint(points, labels, ports.unknown_colours(count, painter.slots)), labels


def test_a_design_is_found_again_with_its_condition(
    painter: SmallPainter, inverter: Inverter
) -> None:
    images, labels = designs(painter, 12)
    found = inverter.invert(list(images))
    assert np.array_equal(found.originals, images)
    assert found.latents.shape == (12, 4)
    assert found.errors.mean() < 8
    assert (found.labels == labels).mean() > 0.8
    painted = painter.paint(found.latents, found.labels, found.colours)
    assert np.array_equal(found.images, painted)
    assert found.errors == pytest.approx(inversion.distance(images, painted))
    assert found.lengths.mean() < 1.3


def test_more_updates_come_nearer_than_the_encoder_alone(
    painter: SmallPainter, inverter: Inverter
) -> None:
    images, labels = designs(painter, 8)
    start = Inverter(painter, inverter._encoder, effort=Effort(steps=0, try_steps=0, tried=1))
    first = start.invert(list(images), labels=labels)
    assert inverter.invert(list(images), labels=labels).errors.mean() < 0.6 * first.errors.mean()


def test_the_same_release_effort_and_seed_give_the_same_inversion(painter: SmallPainter) -> None:
    effort = Effort(encoder_steps=5, try_steps=2, steps=3)
    images = list(designs(painter, 2)[0])
    one, again, other = (
        Inverter.fit(painter, effort=effort, seed=seed).invert(images).latents for seed in (1, 1, 2)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_what_is_given_of_a_condition_is_kept(painter: SmallPainter, inverter: Inverter) -> None:
    images, labels = designs(painter, 4)
    given = np.array([[2, -1], [-1, 0], [0, 1], [-1, -1]], np.int32)
    found = inverter.invert(list(images), labels=given).labels
    assert np.array_equal(found[given >= 0], given[given >= 0])
    assert (found >= 0).all()
    assert labels.shape == found.shape


def test_pictures_of_other_sizes_and_kinds_are_fitted(inverter: Inverter) -> None:
    draw = np.random.default_rng(0)
    shapes = [(40, 20, 3), (7, 9), (16, 16, 1), (16, 16, 4)]
    pictures = [draw.integers(0, 256, shape).astype(np.uint8) for shape in shapes]
    found = inverter.invert(pictures)
    assert found.originals.shape == (4, 16, 16, 3)
    assert (found.originals[0, :, :4] == 255).all()
    assert (found.originals[2, ..., 0] == pictures[2][..., 0]).all()
    assert np.isfinite(found.errors).all()


def test_errors_are_told_beside_the_distance_of_neighbours(
    painter: SmallPainter, inverter: Inverter
) -> None:
    images = list(designs(painter, 2)[0])
    found = inverter.invert(images, neighbour_distance=20.0)
    assert found.shares == pytest.approx(found.errors / 20)
    assert inverter.invert(images).shares is None
    with pytest.raises(InvalidInputError, match="above zero; got 0"):
        inverter.invert(images, neighbour_distance=0)


def test_no_pictures_give_nothing(inverter: Inverter) -> None:
    found = inverter.invert([])
    assert found.images.shape == (0, 16, 16, 3)
    assert found.latents.shape == (0, 4)


def test_many_pictures_are_worked_through_in_parts(
    painter: SmallPainter, monkeypatch: pytest.MonkeyPatch
) -> None:
    inverter = Inverter.fit(painter, effort=Effort(encoder_steps=3, try_steps=2, steps=3))
    images = list(designs(painter, 5)[0])
    together = inverter.invert(images)
    monkeypatch.setattr("worker.gan.explore.inversion.ROWS", 32)
    in_parts = inverter.invert(images)
    assert in_parts.latents == pytest.approx(together.latents, abs=1e-3)
    assert np.array_equal(in_parts.labels, together.labels)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros((1, 1), np.int32), r"\[2, 2\]"),
        (np.full((2, 2), 2, np.int32), "below"),
        (np.full((2, 2), -2, np.int32), "from -1"),
    ],
)
def test_labels_that_do_not_fit_are_refused(
    inverter: Inverter, labels: np.ndarray, words: str
) -> None:
    with pytest.raises(InvalidInputError, match=words):
        inverter.invert([np.zeros((16, 16, 3), np.uint8)] * 2, labels=labels)


def test_colours_are_measured_or_kept_as_given(small_painter: MakePainter) -> None:
    painter = small_painter(slots=2)
    inverter = Inverter.fit(painter, effort=Effort(encoder_steps=3, try_steps=1, steps=2))
    picture = np.full((16, 16, 3), 255, np.uint8)
    picture[4:12, 4:12] = (200, 0, 0)
    measured = inverter.invert([picture]).colours
    assert measured[0, 0] == pytest.approx((42, 66, 56), abs=3)
    assert np.isnan(measured[0, 1]).all()
    given = np.full((1, 2, 3), (50.0, 10.0, 10.0), np.float32)
    assert np.array_equal(inverter.invert([picture], colours=given).colours, given)
    with pytest.raises(InvalidInputError, match=r"\[1, 2, 3\]"):
        inverter.invert([picture], colours=given[:, :1])


def test_a_grey_release_without_attributes_is_inverted(small_painter: MakePainter) -> None:
    painter = small_painter(channels=1, vocabulary={})
    found = Inverter.fit(painter, effort=QUICK).invert(list(designs(painter, 3)[0]))
    assert found.labels.shape == (3, 0)
    assert found.images.shape == (3, 16, 16, 1)
    assert found.errors.mean() < 8


def test_a_grey_picture_of_a_release_with_colours_is_measured_as_grey(
    small_painter: MakePainter,
) -> None:
    painter = small_painter(channels=1, slots=2)
    inverter = Inverter.fit(painter, effort=Effort(encoder_steps=1, try_steps=0, steps=0))
    found = inverter.invert([np.full((16, 16), 128, np.uint8)])
    assert found.colours[0, 0] == pytest.approx((53.6, 0, 0), abs=0.5)


@pytest.mark.parametrize("name", ["encoder_steps", "encoder_batch", "tried", "try_steps", "steps"])
def test_less_than_no_effort_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match=name):
        Effort(**{name: -1})


def test_a_trained_release_is_inverted(
    trained: tuple[TrainedRelease, list[Progress], object],
) -> None:
    painter = ports.load(trained[0].files())
    inverter = Inverter.fit(painter, effort=Effort(encoder_steps=5, try_steps=2, steps=5))
    found = inverter.invert([np.full((16, 16, 3), 200, np.uint8)])
    assert found.images.shape == (1, 16, 16, 3)
    assert found.latents.shape == (1, 8)
