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
from web import asking
from web.api import training
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


def a_release(*, changes: dict[str, Any] | None = None, **vocabulary: tuple[str, ...]) -> Release:
    made = Release(
        id="rel_1", model_id="model_1", model="default", number=1, job_id="job_1",
        catalog_id="cat_1", catalog_version=1, size=48, channels=3, vocabulary=vocabulary,
        card={}, sha256="0" * 64, created_at=NOW, url="/v1/releases/rel_1",
        grid_url="/v1/releases/rel_1/grid", card_url="/v1/releases/rel_1/card",
    )  # fmt: skip
    return made.model_copy(update=changes or {})


def train(
    catalog: Catalog, *, garments: int = 400, base: Release | None = None, **asked: Any
) -> Any:
    request = TrainingRequest(catalog=catalog.name, **asked)
    return training.spec_of(request, catalog, version=catalog.version, garments=garments, base=base)


def test_labels_are_chosen_where_two_values_have_enough_garments() -> None:
    assert train(a_catalog()).attributes == ("category",)


LABELLED = {"category": {"dress": 20, "shirt": 20}, "colour": {"red": 20, "blue": 20}}


def test_measured_colours_are_a_condition_in_place_of_the_label() -> None:
    spec = train(a_catalog(attributes=LABELLED))
    assert (spec.attributes, spec.colours) == (("category",), True)


def test_a_colour_asked_for_by_name_is_a_label() -> None:
    spec = train(a_catalog(attributes=LABELLED), attributes=("category", "colour"))
    assert (spec.attributes, spec.colours) == (("category", "colour"), False)


def test_in_a_grey_catalog_colour_can_only_be_a_label() -> None:
    spec = train(a_catalog(attributes=LABELLED, channels=1))
    assert (spec.attributes, spec.colours) == (("category", "colour"), False)


KNOWN: dict[str, Any] = {"category": ("dress", "shirt")}


def test_a_training_that_goes_on_takes_the_releases_size_labels_and_colours() -> None:
    base = a_release(**KNOWN, changes={"colours": True})
    spec = train(a_catalog(attributes=LABELLED), base=base)
    assert (spec.from_release, spec.size, spec.attributes) == ("rel_1", 48, ("category",))
    assert spec.colours
    assert not train(a_catalog(attributes=LABELLED), base=a_release(**KNOWN)).colours


@pytest.mark.parametrize(
    ("catalog", "asked", "place", "words"),
    [
        ({"channels": 1}, {}, "from_release", "in colour"),
        ({"image_size": 32}, {}, "from_release", "48 px"),
        ({}, {"size": 32}, "size", "48 px"),
        ({}, {"preset": "dcgan"}, "preset", "'residual'"),
        ({}, {"width": "l"}, "width", "'s'"),
        ({}, {"attributes": ("colour",)}, "attributes", "as they were measured"),
    ],
)
def test_a_release_that_does_not_fit_is_no_start(
    catalog: dict[str, Any], asked: dict[str, Any], place: str, words: str
) -> None:
    card = {"recipe": {"preset": "residual", "width": "s"}}
    base = a_release(**KNOWN, changes={"colours": True, "card": card})
    with pytest.raises(InvalidInputError, match=words) as caught:
        train(a_catalog(attributes=LABELLED, **catalog), base=base, **asked)
    assert [fault.location for fault in caught.value.details["errors"]] == [(place,)]


def test_the_releases_own_networks_may_be_named() -> None:
    base = a_release(**KNOWN, changes={"card": {"recipe": {"preset": "residual", "width": "s"}}})
    spec = train(a_catalog(), base=base, preset="residual", width="s", size=48)
    assert (spec.preset, spec.width, spec.size) == ("residual", "s", 48)


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


@given(size=st.integers(16, 256))
def test_a_training_never_asks_for_more_pixels_than_there_are(size: int) -> None:
    if size > 64:
        with pytest.raises(InvalidInputError, match="64"):
            train(a_catalog(), size=size)
    else:
        assert train(a_catalog(), size=size).size == size


def test_a_colour_code_is_refused_where_the_release_knows_no_family() -> None:
    request = DesignRequest(model="default", condition={"colour": "#ff0000"})
    release = a_release(colour=("Sunset", "Ocean"))
    with pytest.raises(InvalidInputError, match="'Ocean', 'Sunset'"):
        asking.spec_of(request, release, seed=1)


def test_a_code_stands_for_itself_where_it_is_a_known_value() -> None:
    request = DesignRequest(model="default", condition={"colour": "#ff0000"})
    spec = asking.spec_of(request, a_release(colour=("#ff0000", "red")), seed=1)
    assert spec.condition == {"colour": "#ff0000"}


def test_a_code_is_no_colour_of_another_attribute() -> None:
    request = DesignRequest(model="default", condition={"lining": "#ff0000"})
    with pytest.raises(InvalidInputError):
        asking.spec_of(request, a_release(lining=("red", "blue")), seed=1)


@given(st.integers(0, 2**31 - 1))
def test_any_seed_that_is_given_is_kept(seed: int) -> None:
    request = DesignRequest(model="default", seed=seed)
    assert asking.spec_of(request, a_release(), seed=5).seed == seed


def test_a_long_list_of_choices_is_cut() -> None:
    error = unknown("a value", "x", [f"v{number:03d}" for number in range(99)], place=("a",))
    assert "and 59 more" in error.message
    assert len(error.details["allowed"]) == 99


def test_a_close_choice_is_found_whatever_its_case() -> None:
    error = unknown("a value", "DRESSES", ["Dress", "Skirt"], place=("a",))
    assert error.details["close"] == ["Dress"]
