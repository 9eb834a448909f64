from shared import ids


def test_an_id_carries_its_kind_and_fits_the_pattern() -> None:
    made = ids.new_id(ids.JOB)
    assert made.startswith("job_")
    assert ids.PATTERN.fullmatch(made)


def test_ids_do_not_repeat() -> None:
    assert len({ids.new_id(ids.DESIGN) for _ in range(10_000)}) == 10_000


def test_the_same_parts_always_give_the_same_id_and_others_another() -> None:
    made = ids.derived_id(ids.DESIGN, "job_1", 2)
    assert ids.PATTERN.fullmatch(made)
    assert made == ids.derived_id(ids.DESIGN, "job_1", 2)
    others = {ids.derived_id(ids.DESIGN, "job_1", place) for place in range(1000)}
    assert len(others | {ids.derived_id(ids.DESIGN, "job_", 12)}) == 1001
