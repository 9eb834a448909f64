"""Column files: what is written is read, joined and revised."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from worker.trends.columns import (
    DamagedColumnsError,
    join,
    read_columns,
    selected,
    without_revised,
    write_columns,
)
from worker.trends.observations import MEASURED, Observations, from_rows


def _seen() -> Observations:
    seen = from_rows(
        ["2026-01-05", None, "2026-01-07"],
        {"colour": ["red", None, "blue"], "category": ["dress", "dress", "dress"]},
        weights=[1, 2.5, 1],
        counts=[1, 40, 3],
        segments=["fr", None, "de"],
        sources=["blog", "blog", "shop"],
        accounts=["ann", None, None],
    )
    origins = {"colour": np.array([0, 0, MEASURED], dtype=np.int8)}
    return replace(seen, origins=origins, ids=np.array([b"gar_1", b"", b"gar_22"]))


def _file(folder: Path, seen: Observations, name: str = "columns.npz") -> Path:
    path = folder / name
    write_columns(seen, path)
    return path


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    seen = _seen()
    read = read_columns(_file(tmp_path, seen))
    assert read.fingerprint() == seen.fingerprint()
    assert read.ids is not None
    assert read.ids.tolist() == [b"gar_1", b"", b"gar_22"]
    assert read.origins["colour"].tolist() == [0, 0, MEASURED]
    assert read.account_names == ("ann",)


def test_the_same_observations_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = _file(tmp_path, _seen(), "1"), _file(tmp_path, _seen(), "2")
    assert one.read_bytes() == two.read_bytes()


def test_no_rows_are_a_file_too(tmp_path: Path) -> None:
    assert len(read_columns(_file(tmp_path, selected(_seen(), np.zeros(3, dtype=bool))))) == 0


@pytest.mark.parametrize("place", [0, 30, 200, 700, -40])
def test_a_damaged_file_is_one_error(tmp_path: Path, place: int) -> None:
    path = _file(tmp_path, _seen())
    data = bytearray(path.read_bytes())
    path.write_bytes(bytes(data[: len(data) // 2]))
    with pytest.raises(DamagedColumnsError):
        read_columns(path)
    data[place] ^= 0xFF
    path.write_bytes(bytes(data))
    try:
        assert len(read_columns(path)) == 3  # a flipped byte that nothing reads
    except DamagedColumnsError as error:
        assert path.name in str(error)  # noqa: PT017 - either outcome is right, a third is not


def test_another_file_is_refused_by_its_kind(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    np.savez(path, heading=np.frombuffer(b'{"kind": "garment index 1"}', dtype=np.uint8))
    with pytest.raises(DamagedColumnsError, match="garment index 1"):
        read_columns(path)


def test_joined_files_say_what_one_file_of_all_rows_says(tmp_path: Path) -> None:
    seen = _seen()
    other = from_rows(["2026-02-01"], {"material": ["wool"]}, segments=["fr"], sources=["mag"])
    parts = [read_columns(_file(tmp_path, one, str(at))) for at, one in enumerate([seen, other])]
    whole = join(parts)
    assert len(whole) == 4
    assert whole.vocabulary["colour"] == ("blue", "red")
    assert whole.attributes["material"].tolist() == [-1, -1, -1, 0]
    assert whole.sources is not None
    assert [whole.source_names[code] for code in whole.sources] == [
        "blog", "blog", "shop", "mag",
    ]  # fmt: skip
    assert join(parts[::-1]).fingerprint() == whole.fingerprint()


def _counts(day: str, segment: str | None, *counts: float) -> Observations:
    return from_rows(
        [day] * len(counts),
        {"colour": ["red", "blue"][: len(counts)]},
        counts=list(counts),
        segments=[segment] * len(counts),
    )


def test_a_later_batch_takes_back_what_was_said_of_its_days_and_segments() -> None:
    first = join([_counts("2026-01-05", "fr", 10, 20), _counts("2026-01-12", "fr", 30, 40)])
    other = _counts("2026-01-05", "de", 5, 6)
    revised = _counts("2026-01-05", "fr", 11)
    kept = list(without_revised([(first, False), (other, False), (revised, True)]))
    assert [one.multiplicity.tolist() for one in kept] == [[30, 40], [5, 6], [11]]


def test_a_revision_does_not_touch_what_comes_after_it() -> None:
    revised, later = _counts("2026-01-05", None, 11), _counts("2026-01-05", None, 1)
    kept = list(without_revised([(revised, True), (later, False)]))
    assert [one.multiplicity.tolist() for one in kept] == [[11], [1]]
