from pathlib import Path

import numpy as np
import pytest

from worker.gan.checkpoint import FolderCheckpoints, pack, unpack


def test_an_empty_place_has_no_checkpoint(tmp_path: Path) -> None:
    assert FolderCheckpoints(tmp_path / "none").newest() is None


def test_the_newest_of_two_is_kept_and_read(tmp_path: Path) -> None:
    store = FolderCheckpoints(tmp_path)
    for step in (1, 2, 3):
        store.save(step, {"a": bytes([step])})
    found = store.newest()
    assert found is not None
    assert (found.step, found.files) == (3, {"a": b"\x03"})
    assert len(list(tmp_path.iterdir())) == 2


def test_a_training_that_went_back_saves_a_lower_step_as_the_newest(tmp_path: Path) -> None:
    store = FolderCheckpoints(tmp_path)
    store.save(9, {"a": b"old"})
    store.save(4, {"a": b"new"})
    found = store.newest()
    assert found is not None
    assert found.step == 4


@pytest.mark.parametrize("damage", ["flip", "cut", "missing", "manifest"])
def test_a_damaged_newest_falls_back_to_the_one_before(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = FolderCheckpoints(tmp_path)
    store.save(1, {"a": b"first"})
    store.save(2, {"a": b"second"})
    newest = max(tmp_path.iterdir())
    match damage:
        case "flip":
            (newest / "a").write_bytes(b"sEcond")
        case "cut":
            (newest / "a").write_bytes(b"sec")
        case "missing":
            (newest / "a").unlink()
        case _:
            (newest / "manifest.json").write_text("{")
    found = store.newest()
    assert found is not None
    assert (found.step, found.files) == (1, {"a": b"first"})
    assert "damaged" in caplog.text


def test_a_save_that_was_cut_off_is_never_seen_and_is_cleared_away(tmp_path: Path) -> None:
    store = FolderCheckpoints(tmp_path)
    store.save(1, {"a": b"whole"})
    (tmp_path / ".partial-00000002").mkdir()
    (tmp_path / ".partial-00000002" / "a").write_bytes(b"ha")
    found = store.newest()
    assert found is not None
    assert found.step == 1
    store.save(2, {"a": b"whole"})
    assert not list(tmp_path.glob(".partial-*"))


def test_arrays_survive_packing_and_equal_arrays_give_equal_bytes() -> None:
    arrays = {"x/000": np.arange(6, dtype=np.float32).reshape(2, 3), "x/001": np.array(4)}
    packed = pack(arrays)
    assert pack(arrays) == packed
    assert {k: v.tolist() for k, v in unpack(packed).items()} == {
        "x/000": [[0, 1, 2], [3, 4, 5]],
        "x/001": 4,
    }


def test_pickled_objects_are_refused() -> None:
    import io

    buffer = io.BytesIO()
    np.savez(buffer, a=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        unpack(buffer.getvalue())
