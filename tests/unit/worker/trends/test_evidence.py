"""Evidence: the newest garments of each series, found without sorting all rows."""

import numpy as np
import pytest

from worker.trends.evidence import _first_of_each


@pytest.mark.parametrize("rows", [0, 5, 400, 60_000])
def test_the_first_of_each_code_are_those_of_a_full_sort(rows: int) -> None:
    rng = np.random.default_rng(rows)
    size, most = 40, 20
    # A long tail: some codes have thousands of rows, some hardly any, and -1 is no code.
    codes = (rng.random(rows) ** 6 * (size + 1)).astype(np.int64) - 1
    places, edges = _first_of_each(codes, size, most)
    for code in range(size):
        found = places[edges[code] : edges[code + 1]][:most]
        assert found.tolist() == np.flatnonzero(codes == code)[:most].tolist()
    assert len(edges) == size + 1
