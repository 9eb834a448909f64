from hypothesis import given
from hypothesis import strategies as st

from worker.jobs.metering import shares


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**6), min_size=1, max_size=64))
def test_shares_add_up_to_the_whole_exactly(total: int, parts: list[int]) -> None:
    found = shares(total, parts)
    assert sum(found) == total
    assert len(found) == len(parts)
    assert min(found) >= 0


@given(st.integers(0, 10**12), st.lists(st.integers(1, 10**6), min_size=1, max_size=64))
def test_no_share_is_more_than_one_off_its_part(total: int, parts: list[int]) -> None:
    for share, part in zip(shares(total, parts), parts, strict=True):
        assert abs(share - total * part / sum(parts)) <= 1 + total * 1e-9


def test_nothing_is_shared_among_nobody() -> None:
    assert shares(5, []) == []
