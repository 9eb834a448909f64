"""From a request to a spec, without a server."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import CatalogTooSmallError, InvalidInputError
from shared.schemas.catalogs import Catalog
from shared.schemas.designs import DesignRequest
from shared.schemas.models import MINIMUM_GARMENTS, Release, TrainingRequest
from web.api import designs, training
from web.choices import unknown

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def a_catalog(**changes: Any) -> Catalog:
    values = {
        "id": "cat_1", "name": "summer", "version": 3, "garments": 400, "image_size": 64,
        "channels": 3, "created_at": NOW, "updated_at": NOW, "url": "/v1/catalogs/cat_1",
        "attributes": {
            "category": {"dress": 200, "shirt": 200},
            "colour": {"red": 393, "blue": 7},
            "fit": {"slim": 8, "wide": 8, "rare": 1},
        },
        **changes,
    }  # fmt: skip
    return Catalog.model_validate(values)


def a_release(**vocabulary: tuple[str, ...]) -> Release:
    return Release(
        id="rel_1", model_id="model_1", model="default", number=1, job_id="job_1",
        catalog_id="cat_1", catalog_version=1, size=48, channels=3, vocabulary=vocabulary,
        card={}, sha256="0" * 64, created_at=NOW, url="/v1/releases/rel_1",
        grid_url="/v1/releases/rel_1/grid",
    )  # fmt: skip


def train(catalog: Catalog, *, garments: int = 400, **asked: Any) -> Any:
    request = TrainingRequest(catalog=catalog.name, **asked)
    return training.spec_of(request, catalog, version=catalog.version, garments=garments)


def test_labels_are_chosen_where_two_values_have_enough_garments() -> None:
    assert train(a_catalog()).attributes == ("category",)


def test_a_label_that_was_named_is_taken_once() -> None:
    assert train(a_catalog(), attributes=("fit", "category", "fit")).attributes == (
        "fit",
        "category",
    )


def test_a_label_with_nothing_to_choose_between_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="8 garments or more"):
        train(a_catalog(), attributes=("colour",))


@pytest.mark.parametrize("garments", [0, MINIMUM_GARMENTS - 1])
def test_too_few_garments_are_refused_with_the_least_number(garments: int) -> None:
    with pytest.raises(CatalogTooSmallError) as caught:
        train(a_catalog(), garments=garments)
    assert caught.value.details == {"garments": garments, "least": MINIMUM_GARMENTS}


def test_just_enough_garments_are_taken() -> None:
    assert train(a_catalog(), garments=MINIMUM_GARMENTS).size == 64


@given(size=st.integers(4, 64).map(lambda part: 4 * part))
def test_a_training_never_asks_for_more_pixels_than_there_are(size: int) -> None:
    if size > 64:
        with pytest.raises(InvalidInputError, match="64"):
            train(a_catalog(), size=size)
    elif size >= 16:
        assert train(a_catalog(), size=size).size == size


def test_a_colour_code_is_refused_where_the_release_knows_no_family() -> None:
    request = DesignRequest(model="default", condition={"colour": "#ff0000"})
    release = a_release(colour=("Sunset", "Ocean"))
    with pytest.raises(InvalidInputError, match="'Ocean', 'Sunset'"):
        designs.spec_of(request, release, seed=1)


def test_a_code_stands_for_itself_where_it_is_a_known_value() -> None:
    request = DesignRequest(model="default", condition={"colour": "#ff0000"})
    spec = designs.spec_of(request, a_release(colour=("#ff0000", "red")), seed=1)
    assert spec.condition == {"colour": "#ff0000"}


def test_a_code_is_no_colour_of_another_attribute() -> None:
    request = DesignRequest(model="default", condition={"lining": "#ff0000"})
    with pytest.raises(InvalidInputError):
        designs.spec_of(request, a_release(lining=("red", "blue")), seed=1)


@given(st.integers(0, 2**31 - 1))
def test_any_seed_that_is_given_is_kept(seed: int) -> None:
    request = DesignRequest(model="default", seed=seed)
    assert designs.spec_of(request, a_release(), seed=5).seed == seed


def test_a_long_list_of_choices_is_cut() -> None:
    error = unknown("a value", "x", [f"v{number:03d}" for number in range(99)], place=("a",))
    assert "and 59 more" in error.message
    assert len(error.details["allowed"]) == 99


def test_a_close_choice_is_found_whatever_its_case() -> None:
    error = unknown("a value", "DRESSES", ["Dress", "Skirt"], place=("a",))
    assert error.details["close"] == ["Dress"]
