from collections.abc import Callable

from shared.artifacts import keys

MADE: list[Callable[[int], str]] = [
    lambda fence: keys.checkpoint_file("job_1", fence, 1, "generator.npz"),
    lambda fence: keys.preview("job_1", fence),
    lambda fence: keys.board_file("rep_1", "job_1", fence, "moodboard.json"),
]


def test_what_two_attempts_write_under_one_job_never_has_the_same_key() -> None:
    for made in MADE:
        assert len({made(fence) for fence in (1, 3, 10, 11)}) == 4
