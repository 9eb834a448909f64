"""The feature space: blocks of equal say, unknowns in the middle, the same on each machine."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from shared.colour import FAMILY_NAMES, hex_to_lab
from shared.errors import InvalidInputError, TasteCorruptError
from shared.taste import space, swatches
from shared.taste.gallery import Gallery, hang
from shared.taste.items import Items

Draw = Callable[..., Items]


def test_embedding_colour_labels_and_likeness_have_the_same_variance(gallery: Gallery) -> None:
    features, learned = gallery.features, gallery.space
    k = learned.axes.shape[1]
    plain = k + swatches.COLUMNS + len(learned.values)
    edges = [0, k, k + swatches.COLUMNS, plain, learned.columns - 1]
    for start, end in pairwise(edges):
        assert features[:, start:end].var(0).sum() == pytest.approx(1, rel=1e-3)
    assert (features[:, -1] == 1).all()


def test_the_catalog_says_how_many_components_there_are(gallery: Gallery) -> None:
    # Three categories and three hidden factors: five dimensions, for the categories sum to one.
    assert gallery.space.axes.shape[1] == 5


def test_there_are_never_more_than_32_components(draw: Draw) -> None:
    items = draw(300)
    scales = np.exp(-np.arange(128) / 20).astype(np.float32)
    smooth = np.random.default_rng(0).normal(size=(300, 128)).astype(np.float32) * scales
    assert space.learn(replace(items, embeddings=smooth)).axes.shape[1] == 32


def test_the_space_does_not_depend_on_the_order_of_garments(items: Items) -> None:
    order = np.random.default_rng(1).permutation(len(items))
    again = space.learn(items.take(order))
    assert np.allclose(again.axes, space.learn(items).axes, atol=1e-4)


def test_what_is_unknown_counts_as_the_mean(gallery: Gallery) -> None:
    blank = replace(
        gallery.items.take(np.array([0])),
        colours=np.full((1, 2, 3), np.nan, np.float32),
        labels=np.full((1, 2), -1, np.int32),
    )
    row = gallery.space.features(blank)[0]
    k, plain = gallery.space.axes.shape[1], gallery.space.prototypes.rows.shape[1]
    assert row[:k] == pytest.approx(gallery.features[0, :k], abs=1e-5)
    assert row[k:plain].tolist() == [0] * (plain - k)


def test_labels_are_found_by_name_whatever_their_codes(gallery: Gallery) -> None:
    items = gallery.items.take(np.arange(12))
    turned = replace(
        items,
        labels=items.labels[:, ::-1] * -1 + 2,
        vocabulary={
            "material": items.vocabulary["material"][::-1],
            "category": items.vocabulary["category"][::-1],
        },
    )
    assert np.allclose(gallery.space.features(turned), gallery.features[:12], atol=1e-6)


def test_a_rare_value_gets_no_column(draw: Draw) -> None:
    items = draw(60)
    labels = items.labels.copy()
    labels[:, 1] = np.where(np.arange(60) < 4, 0, 1)
    learned = space.learn(replace(items, labels=labels))
    assert [value for name, value in learned.values if name == "material"] == ["silk"]


def test_a_catalog_of_one_grey_garment_has_a_space(draw: Draw) -> None:
    one = replace(draw(1), colours=np.full((1, 2, 3), np.nan, np.float32))
    features = hang(one, space.learn(one)).features
    assert np.isfinite(features).all()
    assert features[0, -1] == 1


def test_no_garment_makes_no_space(draw: Draw) -> None:
    with pytest.raises(InvalidInputError, match="needs garments"):
        space.learn(draw(3).take(np.arange(0)))


def test_a_space_survives_the_way_to_bytes_and_back(gallery: Gallery) -> None:
    again = space.read(space.write(gallery.space))
    assert again.fingerprint == gallery.space.fingerprint
    assert np.array_equal(again.features(gallery.items), gallery.features)


def test_a_damaged_space_is_refused(gallery: Gallery) -> None:
    data = space.write(gallery.space)
    with pytest.raises(TasteCorruptError, match="feature space"):
        space.read(data[: len(data) // 2])
    swapped = replace(gallery.space, contrasts=gallery.space.contrasts)
    object.__setattr__(swapped, "contrasts", gallery.space.contrasts[:, :-1])
    with pytest.raises(TasteCorruptError, match="do not fit each other"):
        space.read(space.write(swapped))


def test_a_direction_leads_to_the_garments_that_have_the_value(gallery: Gallery) -> None:
    for attribute, value in (("category", "dress"), ("material", "silk")):
        along = gallery.features @ gallery.space.direction(attribute, value)
        having = gallery.items.having(attribute, value)
        assert along[having].mean() > along[~having].mean() + 0.3


def test_a_colour_can_be_wished_for_by_family_or_code(gallery: Gallery) -> None:
    navy = np.arange(len(gallery.items)) % 4 == 0
    for name in ("navy", "#1c2748"):
        along = gallery.features @ gallery.space.direction("colour", name)
        assert along[navy].min() > along[~navy].max()


def test_a_family_that_no_garment_has_still_has_a_direction(gallery: Gallery) -> None:
    assert gallery.space.direction("colour", "purple").any()


def test_a_value_that_nothing_is_known_of_is_refused(gallery: Gallery) -> None:
    with pytest.raises(InvalidInputError, match="coat, dress, shirt"):
        gallery.space.direction("category", "cap")
    with pytest.raises(InvalidInputError, match="cannot be wished for"):
        gallery.space.direction("colour", "sunset")


def test_a_grey_catalog_takes_no_wish_for_a_colour(draw: Draw) -> None:
    grey = replace(draw(60), colours=np.full((60, 2, 3), np.nan, np.float32))
    with pytest.raises(InvalidInputError, match="no colours"):
        space.learn(grey).direction("colour", "navy")


def test_soft_families_agree_with_the_named_ones() -> None:
    swatch = np.stack([hex_to_lab(family) for family in ("#1c2748", "#c8232c", "#3a9150")])
    soft = swatches.memberships(swatch)
    assert soft.sum(1) == pytest.approx(1)
    assert [FAMILY_NAMES[place] for place in soft.argmax(1)] == ["navy", "red", "green"]


def test_a_second_colour_counts_half_of_the_main() -> None:
    pair = np.stack([hex_to_lab("#c8232c"), hex_to_lab("#3a9150")])[None]
    mixed = swatches.families(pair)[0]
    assert mixed[FAMILY_NAMES.index("red")] == pytest.approx(2 / 3, abs=0.05)
    assert mixed[FAMILY_NAMES.index("green")] == pytest.approx(1 / 3, abs=0.05)


def test_likeness_tells_a_combination_that_no_sum_of_parts_can(gallery: Gallery) -> None:
    """Navy coats and red dresses, but not navy dresses nor red coats."""
    rows = gallery.features.astype(np.float64)
    coat = gallery.items.having("category", "coat")
    dress = gallery.items.having("category", "dress")
    navy, red = np.arange(240) % 4 == 0, np.arange(240) % 4 == 1
    wanted = ((coat & navy) | (dress & red)).astype(np.float64)
    asked = (coat | dress) & (navy | red)
    plain = gallery.space.prototypes.rows.shape[1]

    def left(columns: np.ndarray) -> float:
        fitted = columns @ np.linalg.lstsq(columns, wanted[asked], rcond=None)[0]
        return float(((fitted - wanted[asked]) ** 2).mean())

    base = np.column_stack([rows[asked, plain - 6 : plain], rows[asked, 5:24], rows[asked, -1]])
    assert left(base) > 0.2, "labels and colour alone leave it to chance"
    assert left(rows[asked][:, plain:]) < 0.05
