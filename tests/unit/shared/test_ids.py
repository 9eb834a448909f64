from shared import ids


def test_an_id_carries_its_kind_and_fits_the_pattern() -> None:
    made = ids.new_id(ids.JOB)
    assert made.startswith("job_")
    assert ids.PATTERN.fullmatch(made)


def test_ids_do_not_repeat() -> None:
    assert len({ids.new_id(ids.DESIGN) for _ in range(10_000)}) == 10_000
