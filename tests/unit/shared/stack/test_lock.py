from pathlib import Path

import pytest

from shared.stack.lock import AlreadyRunningError, Holder, hold, holder


def test_a_held_lock_names_its_holder_and_the_page(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lock"
    with hold(path, what="Toile", url="http://127.0.0.1:8000"):
        found = holder(path)
    assert isinstance(found, Holder)
    assert found.url == "http://127.0.0.1:8000"


def test_a_lock_is_refused_while_another_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with (
        hold(path, what="Toile", url="http://127.0.0.1:8000"),
        pytest.raises(AlreadyRunningError, match=r"Toile already runs at http://127.0.0.1:8000"),
        hold(path, what="Toile"),
    ):
        pass


def test_a_lock_that_was_given_back_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold(path, what="Toile"):
        pass
    assert holder(path) is None
    with hold(path, what="Toile"):
        assert holder(path) is not None


def test_nobody_holds_a_lock_that_never_was(tmp_path: Path) -> None:
    assert holder(tmp_path / "lock") is None
