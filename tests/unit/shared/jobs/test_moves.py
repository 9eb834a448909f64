"""The table of moves: in code, in the docs, and in who makes them."""

from pathlib import Path

import pytest

from shared.jobs import lifecycle, recovery, submit
from shared.jobs.moves import EXPIRE, FINISH, MOVES, TABLE, as_markdown
from shared.schemas.jobs import JobState

ROOT = Path(__file__).resolve().parents[4]


def test_the_docs_show_the_table_that_the_code_goes_by() -> None:
    assert as_markdown() in (ROOT / "docs/architecture.md").read_text(), as_markdown()


def test_every_function_that_the_table_names_is_there() -> None:
    made = {name for move in TABLE for name in move.made_by}
    for name in made:
        assert any(hasattr(one, name) for one in (lifecycle, recovery, submit)), name


def test_no_state_that_is_final_has_a_way_out() -> None:
    assert {state for state in JobState if not MOVES[state]} == {
        state for state in JobState if state.is_final
    }


def test_a_move_leads_only_where_the_table_says() -> None:
    with pytest.raises(ValueError, match="never to queued"):
        FINISH.sources_of(JobState.QUEUED, stands=JobState.RUNNING)


def test_a_move_begins_only_where_the_table_says() -> None:
    assert EXPIRE.sources_of(JobState.FAILED, stands=JobState.RUNNING) == ()
    assert EXPIRE.sources_of(JobState.FAILED, stands=JobState.QUEUED) == (JobState.QUEUED,)
