import datetime as dt

from shared.demo.plan import choices_of, plan_designs
from shared.schemas.models import Release

VOCABULARY = {"category": ("bag", "coat", "dress"), "colour": ("blue", "red")}


def test_the_counts_sum_up_to_what_was_asked() -> None:
    for total in (1, 8, 9, 63, 64, 65):
        assert sum(wish.count for wish in plan_designs(VOCABULARY, total)) == total


def test_each_category_has_a_row_and_the_last_rows_a_colour_too() -> None:
    wishes = plan_designs(VOCABULARY, 40)
    assert [wish.title for wish in wishes] == ["bag", "coat", "dress", "blue bag", "red coat"]
    assert wishes[3].condition == {"category": "bag", "colour": "blue"}


def test_the_commonest_values_come_first() -> None:
    counts = {"category": {"dress": 9, "coat": 5, "bag": 1}, "colour": {"red": 3}}
    wishes = plan_designs(VOCABULARY, 16, counts=counts)
    assert [wish.title for wish in wishes] == ["dress", "red coat"]


def test_a_release_without_labels_is_asked_for_anything() -> None:
    assert [wish.title for wish in plan_designs({}, 16)] == ["any", "any"]
    assert [wish.condition for wish in plan_designs({}, 16)] == [{}, {}]


def test_a_release_with_colours_is_asked_for_those_that_the_catalog_has() -> None:
    release = Release(
        id="rel_1", model_id="model_1", model="default", number=1, job_id="job_1",
        catalog_id="cat_1", catalog_version=1, size=48, channels=3,
        vocabulary={"category": ("coat", "dress")}, colours=True, card={}, sha256="0" * 64,
        created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), url="", grid_url="", card_url="",
    )  # fmt: skip
    counts = {"colour": {"navy": 3, "red": 9, "ocean": 4}}
    choices = choices_of(release, counts)
    assert choices == {"category": ("coat", "dress"), "colour": ("red", "navy")}
    plain = release.model_copy(update={"colours": False})
    assert choices_of(plain, counts) == {"category": ("coat", "dress")}
