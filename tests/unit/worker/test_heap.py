"""The heap of the C library: kept while much memory comes and goes, and given back after it."""

import sys
from pathlib import Path

import pytest

from worker import heap

_PIECE, _PIECES = 4 * 2**20, 32


def _taken() -> int:
    """Return the bytes that this process has for itself."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = next(line for line in lines if line.startswith("RssAnon:"))
    return int(found.split()[1]) * 1024


def _use_and_let_go() -> None:
    pieces = [bytearray(b"1") * _PIECE for _ in range(_PIECES)]
    assert len(pieces[-1]) == _PIECE


@pytest.mark.skipif(sys.platform != "linux", reason="told by Linux")
def test_what_was_let_go_is_kept_until_the_end_and_then_given_back() -> None:
    if heap._glibc() is None:
        pytest.skip("the C library is not glibc")
    before = _taken()
    with heap.kept():
        _use_and_let_go()
        inside = _taken()
    after = _taken()
    half = _PIECE * _PIECES // 2
    assert inside - before > half
    assert after - before < half


def test_an_error_passes_through() -> None:
    with pytest.raises(KeyError), heap.kept():
        raise KeyError("lost")


def test_other_heaps_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with heap.kept():
        assert heap._glibc() is None
