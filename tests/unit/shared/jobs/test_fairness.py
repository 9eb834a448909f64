from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from shared.jobs.fairness import Line, fill


@dataclass(frozen=True)
class Job:
    name: str
    units: int


def line(site: str, sizes: list[int], *, weight: float = 1, deficit: float = 0) -> Line[Job]:
    return Line(site, weight, [Job(f"{site}{n}", size) for n, size in enumerate(sizes)], deficit)


def images_of(chosen: list[Job], site: str) -> int:
    return sum(job.units for job in chosen if job.name.startswith(site))


LINES = st.lists(
    st.tuples(st.lists(st.integers(1, 64), max_size=12), st.floats(0.1, 8), st.floats(0, 64)),
    max_size=6,
)


def several(lines: list[tuple[list[int], float, float]]) -> list[Line[Job]]:
    return [
        line(f"s{n}-", sizes, weight=weight, deficit=deficit)
        for n, (sizes, weight, deficit) in enumerate(lines)
    ]


@given(LINES, st.integers(1, 64))
def test_each_job_is_chosen_once_and_in_its_sites_order(
    lines: list[tuple[list[int], float, float]], room: int
) -> None:
    made = [
        line(f"s{n}-", *args[:1], weight=args[1], deficit=args[2]) for n, args in enumerate(lines)
    ]
    chosen, owed = fill(made, room=room)
    for one in made:
        mine = [job for job in chosen if job in one.jobs]
        assert mine == list(one.jobs[: one.taken])
    assert set(owed) == {one.site_id for one in made}
    assert all(value >= 0 for value in owed.values())


@given(LINES, st.integers(1, 64))
def test_a_batch_is_filled_while_something_fits(
    lines: list[tuple[list[int], float, float]], room: int
) -> None:
    made = [
        line(f"s{n}-", *args[:1], weight=args[1], deficit=args[2]) for n, args in enumerate(lines)
    ]
    chosen, _ = fill(made, room=room)
    left = room - sum(job.units for job in chosen)
    waiting = [one.head for one in made if one.head is not None]
    assert bool(chosen) == any(args[0] for args in lines)
    assert all(job.units > left for job in waiting)


def test_a_flood_gets_no_more_than_one_who_asks_steadily() -> None:
    chosen, _ = fill([line("flood", [1] * 500), line("steady", [1] * 40)], room=64)
    assert images_of(chosen, "steady") == 32


def test_weights_share_a_batch() -> None:
    chosen, _ = fill([line("a", [1] * 99, weight=3), line("b", [1] * 99, weight=1)], room=64)
    assert (images_of(chosen, "a"), images_of(chosen, "b")) == (48, 16)


def test_large_and_small_jobs_get_the_same_images_over_time() -> None:
    deficits = {"large": 0.0, "small": 0.0}
    served = {"large": 0, "small": 0}
    for _ in range(50):
        lines = [
            line("large", [48] * 4, deficit=deficits["large"]),
            line("small", [1] * 99, deficit=deficits["small"]),
        ]
        chosen, owed = fill(lines, room=64)
        deficits = dict(owed)
        for site in served:
            served[site] += images_of(chosen, site)
    assert abs(served["large"] - served["small"]) <= 0.1 * sum(served.values())


def test_the_first_job_of_a_batch_goes_even_if_it_is_too_large() -> None:
    chosen, _ = fill([line("a", [64, 1])], room=9)
    assert [job.units for job in chosen] == [64]


def test_a_large_job_below_a_stream_of_urgent_ones_is_not_passed_over_for_ever() -> None:
    deficit = 0.0
    for batch in range(100):
        chosen, owed = fill([line("large", [64], deficit=deficit)], room=63, first=False)
        if chosen:
            assert batch < 64
            return
        deficit = owed["large"]
    raise AssertionError("never chosen")


def test_what_is_owed_ends_with_the_queue() -> None:
    _, owed = fill([line("a", [1])], room=64)
    assert owed == {"a": 0.0}
