from shared.demo.plan import plan_designs

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
