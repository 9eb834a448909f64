"""Erasing a shopper: files before rows, and nothing that is still being made gets through."""

from shared.artifacts import ArtifactStore
from shared.errors import StoreUnavailableError
from shared.jobs import lifecycle
from shared.records import Records, erasures, shoppers
from shared.schemas.shoppers import Erasure


def erase(records: Records, store: ArtifactStore, site_id: str, ref: str) -> Erasure:
    """Forget a shopper: preferences, designs with their pictures, jobs, and the shopper itself.

    1. Cancel all that is under way, so that no worker publishes anything more of it.
    2. Delete the files of their designs.
    3. When no file is left, delete all rows and write the receipt, in one transaction.

    Files go before rows because only the rows know where the files are: were the rows deleted first
    and the store away then, pictures would be left that nobody could find again. So a failure on
    the way leaves rows, and the same request finishes what it began.

    Raises:
        NotFoundError: the site has no such shopper.
        StoreUnavailableError: not all is deleted yet; ask again.
    """
    with records.reading() as tx:
        shopper = shoppers.get(tx, site_id, ref)
    gone: set[str] = set()
    while True:
        with records.transaction() as tx:
            erasures.lock(tx, shopper.id)
            lifecycle.withdraw(tx, shopper.id)
            # A design may have been asked for, made and published since the last look.
            left = erasures.artifacts(tx, shopper.id) - gone
            if not left:
                return erasures.remove(tx, site_id, shopper, artifacts=gone)
        _delete(store, left)
        gone |= left


def _delete(store: ArtifactStore, keys: set[str]) -> None:
    try:
        for key in sorted(keys):
            store.delete(key)
    except StoreUnavailableError as error:
        raise StoreUnavailableError(
            "The shopper is not erased yet: the artifact store is away, and their pictures lie in "
            "it. Their jobs are cancelled, nothing else is lost; send the same request again, and "
            f"it goes on from here. The store said: {error.message}"
        ) from error
