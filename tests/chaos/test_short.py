"""A minute of chaos over the real processes: every kind of fault, and then the count."""

import pytest

from tests.chaos.clients import Amounts
from tests.chaos.faults import Fault
from tests.chaos.run import Asked, run
from tests.chaos.telling import markdown
from tests.chaos.world import running_world

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1200)]


def test_every_accepted_job_ends_exactly_once_in_effect_whatever_dies() -> None:
    asked = Asked(seed=6, seconds=60, every=3, amounts=Amounts(100, 1, 2), drawn_by_workers=False)
    with running_world() as world:
        told = run(world, asked)
    assert told.findings == [], markdown(told)
    assert told.facts["accepted"] == {"design": 100, "training": 1, "trend_report": 2}
    wanted = {one.value for one in Fault} - set(told.facts["not_done"])
    assert set(told.facts["faults"]) == wanted
    assert told.facts["answers_lost"] > 0
    assert told.facts["outcomes"].get("lost_worker", 0) > 0, "no kill met a worker at its work"
    assert told.facts["messages_repeated"]
