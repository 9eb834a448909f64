import pytest

from shared.artifacts import ArtifactStore, open_store
from shared.keeping.checked import CheckedStore
from shared.keeping.opening import open_checked
from shared.keeping.verifying import Verifier
from shared.records import Records
from shared.settings import Settings
from tests.fixtures.shop import Shop, fill_shop


@pytest.fixture
def store(settings: Settings, records: Records) -> CheckedStore:
    """The store as the processes use it."""
    return open_checked(settings, records)


@pytest.fixture
def inner(settings: Settings) -> ArtifactStore:
    """The same bytes, compared with nothing."""
    return open_store(settings)


@pytest.fixture
def shop(records: Records, store: CheckedStore, inner: ArtifactStore) -> Shop:
    """A site with everything in it, all of its hashes written down."""
    made = fill_shop(records, inner, "shop")
    assert not [one for one in Verifier(records, store, adopt=True).findings()]
    return made
