from typing import Any

import numpy as np
import pytest

from shared.errors import CatalogTooSmallError, InvalidInputError
from shared.schemas.models import MINIMUM_GARMENTS
from worker.gan.data import Dataset


def dataset(shape: tuple[int, ...] = (40, 16, 16, 3), **changes: Any) -> Dataset:
    count = shape[0]
    labels = {"category": (np.arange(count) % 2).astype(np.int32)}
    whole: dict[str, Any] = {
        "images": np.zeros(shape, np.uint8),
        "labels": labels,
        "vocabulary": {"category": ("dress", "coat")},
        "fingerprint": "f",
        **changes,
    }
    return Dataset(**whole)


def test_size_channels_and_number_come_from_the_images() -> None:
    found = dataset((40, 20, 20, 1))
    assert (found.n, found.size, found.channels) == (40, 20, 1)


def test_a_catalog_too_small_is_told_the_least_number() -> None:
    with pytest.raises(CatalogTooSmallError, match=f"at least {MINIMUM_GARMENTS} garments") as told:
        dataset((MINIMUM_GARMENTS - 1, 16, 16, 3)).require_enough()
    assert told.value.details == {"least": MINIMUM_GARMENTS, "found": MINIMUM_GARMENTS - 1}


@pytest.mark.parametrize("shape", [(40, 0, 16, 3), (40, 16, 16, 4), (40, 16, 16, 2)])
def test_images_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInputError, match="Images must"):
        dataset(shape)


def test_images_that_are_not_bytes_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="uint8"):
        dataset(images=np.zeros((40, 16, 16, 3), np.float32))


@pytest.mark.parametrize("label", [-2, 2])
def test_a_label_outside_the_vocabulary_is_refused(label: int) -> None:
    with pytest.raises(InvalidInputError, match="-1 \\(unknown\\) to 1"):
        dataset(labels={"category": np.full(40, label, np.int32)})


def test_labels_and_vocabulary_must_name_the_same_attributes() -> None:
    with pytest.raises(InvalidInputError, match="the same attributes"):
        dataset(vocabulary={"colour": ("red", "blue")})


def test_a_vocabulary_that_repeats_a_value_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="repeats"):
        dataset(vocabulary={"category": ("dress", "dress")})


def test_one_label_a_garment_is_needed() -> None:
    with pytest.raises(InvalidInputError, match="one integer a garment"):
        dataset(labels={"category": np.zeros(39, np.int32)})


def test_unknown_labels_are_not_counted() -> None:
    column = np.array([-1] * 10 + [0] * 20 + [1] * 10, np.int32)
    found = dataset(labels={"category": column})
    assert found.counts() == {"category": {"dress": 20, "coat": 10}}
    assert found.imbalance() == 2


@pytest.mark.parametrize(("balance", "share"), [(0.0, 0.25), (1.0, 0.5)])
def test_balanced_sampling_shows_rare_values_more_often(balance: float, share: float) -> None:
    column = np.array([0] * 30 + [1] * 10, np.int32)
    weights = dataset(labels={"category": column}).sampling_weights(balance)
    assert weights[column == 1].sum() == pytest.approx(share)


def test_a_catalog_without_labels_is_fine() -> None:
    found = dataset(labels={}, vocabulary={})
    assert found.label_matrix().shape == (40, 0)
    assert found.imbalance() == 1


@pytest.mark.parametrize("shape", [(40, 16, 20, 3), (40, 12, 12, 1), (40, 18, 18, 3)])
def test_pictures_of_any_size_are_taken(shape: tuple[int, ...]) -> None:
    assert dataset(shape).size == max(shape[1:3])


def test_the_held_out_garments_are_never_among_the_others() -> None:
    found = dataset((400, 16, 16, 1))
    rows, held = found.split(0.1)
    assert len(held) == 40
    assert sorted([*rows, *held]) == list(range(400))
    again = found.split(0.1)
    assert (again[1] == held).all()
    assert not (found.split(0.1, seed=1)[1] == held).all()


def test_of_a_tiny_catalog_nothing_is_held_out() -> None:
    rows, held = dataset().split(0.1)
    assert (len(rows), len(held)) == (40, 0)


def test_some_garments_keep_their_labels_and_colours() -> None:
    colours = np.arange(40 * 6, dtype=np.float32).reshape(40, 2, 3)
    some = dataset(colours=colours).take(np.array([3, 1]))
    assert some.labels["category"].tolist() == [1, 1]
    assert some.colours is not None
    assert some.colours[:, 0, 0].tolist() == [18, 6]


def test_colours_of_another_number_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"CIELAB \[40, 2, 3\]"):
        dataset(colours=np.zeros((39, 2, 3), np.float32))
