import importlib.util

import pytest


@pytest.fixture
def c2pa() -> None:
    """Skip where the extra is not installed; the lock of `make setup` brings it."""
    if importlib.util.find_spec("c2pa") is None:
        pytest.skip("the extra `c2pa` is not installed: pip install 'toile[c2pa]'")
