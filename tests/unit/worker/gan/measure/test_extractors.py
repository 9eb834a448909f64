from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shared.errors import InvalidInputError, UnreadableSourceError
from tests.unit.worker.gan.conftest import MakeGarments
from tests.unit.worker.gan.measure.conftest import STEPS, Halves
from worker.gan import sources
from worker.gan.data import Dataset
from worker.gan.frame import Frame
from worker.gan.measure.classifier import Classifier, train_classifier
from worker.gan.measure.extractors import Extractors
from worker.gan.measure.fitting import default_steps
from worker.gan.measure.untrained import Untrained

FASHION_MNIST = Path(__file__).resolve().parents[6] / "shared/data/fashion-mnist"


def without_labels(dataset: Dataset) -> Dataset:
    return replace(dataset, labels={}, vocabulary={})


def test_each_extractor_gives_finite_features_of_unit_size(
    extractors: Extractors, halves: Halves
) -> None:
    for one in extractors.present():
        found = one.features(halves.test.images)
        assert found.dtype == np.float32, one.letter
        assert found.shape == (halves.test.n, 128), one.letter
        assert 0.05 < np.square(found).mean() < 20, one.letter
        assert found.std(axis=0).max() > 0, one.letter


def test_the_same_seed_trains_the_same_weights_bit_for_bit(
    extractors: Extractors, halves: Halves
) -> None:
    again = Extractors.train(halves.train, seed=3, steps=STEPS)
    assert [one.digest for one in again.present()] == [o.digest for o in extractors.present()]
    assert again.to_files() == extractors.to_files()


def test_another_seed_trains_other_weights_but_the_untrained_one_stays(
    extractors: Extractors, halves: Halves
) -> None:
    other = Extractors.train(halves.train, seed=4, steps=2)
    assert extractors.a is not None
    assert other.a is not None
    assert other.a.digest != extractors.a.digest
    assert other.b.digest != extractors.b.digest
    assert other.c.digest == extractors.c.digest


def test_features_do_not_depend_on_what_else_is_in_the_batch(
    extractors: Extractors, halves: Halves
) -> None:
    for one in extractors.present():
        whole = one.features(halves.test.images)
        np.testing.assert_array_equal(one.features(halves.test.images[7:9]), whole[7:9])


def test_extractors_come_back_from_their_files_as_they_were(
    extractors: Extractors, halves: Halves
) -> None:
    read = Extractors.from_files(extractors.to_files())
    for ours, theirs in zip(extractors.present(), read.present(), strict=True):
        assert theirs.digest == ours.digest
        np.testing.assert_array_equal(
            theirs.features(halves.test.images), ours.features(halves.test.images)
        )
    assert read.a is not None
    assert read.a.vocabulary == halves.train.vocabulary


def test_a_classifier_tells_upright_bars_from_flat_ones(halves: Halves) -> None:
    trained = train_classifier(halves.train, seed=0, steps=60)
    found = trained.accuracy(halves.test.images, halves.test.labels)
    assert found["shape"] > 0.95
    shares = trained.probabilities(halves.test.images)
    assert shares["shape"].shape == (halves.test.n, 2)
    np.testing.assert_allclose(shares["shade"].sum(axis=1), 1.0, rtol=1e-5)


def test_labels_that_are_unknown_teach_nothing(garments: MakeGarments) -> None:
    dataset = garments(n=64)
    unknown = {name: np.full(64, -1, np.int32) for name in dataset.labels}
    half = {**unknown, "shape": dataset.labels["shape"]}
    trained = train_classifier(replace(dataset, labels=half), seed=0, steps=4)
    assert np.isfinite(trained.features(dataset.images)).all()
    assert np.isnan(trained.accuracy(dataset.images, unknown)["shape"])


def test_a_catalog_without_labels_has_no_classifier_and_says_so(garments: MakeGarments) -> None:
    dataset = without_labels(garments(n=40))
    with pytest.raises(InvalidInputError, match="no attribute with two known values"):
        train_classifier(dataset, seed=0)
    trained = Extractors.train(dataset, seed=0, steps=2)
    assert trained.a is None
    assert [one.letter for one in trained.present()] == ["B", "C"]
    assert Extractors.from_files(trained.to_files()).a is None


@pytest.mark.parametrize(
    ("height", "width", "channels"), [(28, 28, 1), (48, 30, 3), (9, 12, 3), (128, 128, 3)]
)
def test_every_shape_of_image_can_be_looked_at(height: int, width: int, channels: int) -> None:
    one = Untrained(frame=Frame(height, width), channels=channels)
    images = np.random.default_rng(0).integers(0, 256, (3, height, width, channels), np.uint8)
    assert one.features(images).shape == (3, 128)


def test_large_images_that_are_not_square_are_classified_too(
    garments: MakeGarments,
) -> None:
    dataset = garments(n=32, size=96)
    tall = replace(dataset, images=dataset.images[:, :, 20:-20])
    trained = train_classifier(tall, seed=0, steps=1)
    assert trained.features(tall.images).shape == (32, 128)
    read = Classifier.from_bytes(trained.to_bytes())
    np.testing.assert_array_equal(read.features(tall.images), trained.features(tall.images))


def test_images_of_another_size_are_refused(extractors: Extractors) -> None:
    with pytest.raises(InvalidInputError, match=r"reads uint8 images of \[16, 16, 3\]"):
        extractors.b.features(np.zeros((4, 20, 20, 3), np.uint8))


def test_damaged_files_are_refused_by_name(extractors: Extractors) -> None:
    files = extractors.to_files()
    broken = bytearray(files["extractor-B.npz"])
    broken[len(broken) // 2] ^= 0xFF
    with pytest.raises(UnreadableSourceError, match="Extractor B cannot be read"):
        Extractors.from_files({**files, "extractor-B.npz": bytes(broken)})
    with pytest.raises(UnreadableSourceError, match="extractor-C"):
        Extractors.from_files({"extractor-B.npz": files["extractor-B.npz"]})


def test_one_extractor_is_not_read_as_another(extractors: Extractors) -> None:
    with pytest.raises(UnreadableSourceError, match="Extractor A cannot be read"):
        Classifier.from_bytes(extractors.to_files()["extractor-B.npz"])


def test_progress_covers_both_trainings_and_never_falls(garments: MakeGarments) -> None:
    shares: list[float] = []
    Extractors.train(garments(n=32), seed=0, steps=2, on_progress=shares.append)
    assert shares == [0.25, 0.5, 0.75, 1.0]


def test_small_catalogs_take_few_steps_and_large_ones_not_in_proportion() -> None:
    assert default_steps(32) == 128
    assert default_steps(1_000) < 600
    assert 3_000 < default_steps(60_000) < 5_000


@pytest.mark.slow
def test_real_garments_are_classified_after_a_moment() -> None:
    if not FASHION_MNIST.is_dir():
        pytest.skip("Fashion-MNIST is not beside this checkout (../shared/data)")
    whole = sources.read(FASHION_MNIST)
    part = Dataset(
        whole.images[:6000], {"category": whole.labels["category"][:6000]},
        whole.vocabulary, "first",
    )  # fmt: skip
    trained = train_classifier(part, seed=0, steps=200)
    held_out = {"category": whole.labels["category"][6000:8000]}
    assert trained.accuracy(whole.images[6000:8000], held_out)["category"] > 0.75
