"""Hashes and thumbnails."""

import numpy as np

from shared.pictures.likeness import as_signed, from_signed


def test_hashes_survive_the_way_through_signed_integers() -> None:
    hashes = np.array([0, 1, 2**63, 2**64 - 1], dtype=np.uint64)
    assert as_signed(hashes) == [0, 1, -(2**63), -1]
    np.testing.assert_array_equal(from_signed(as_signed(hashes)), hashes)
