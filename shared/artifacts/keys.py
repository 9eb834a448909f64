"""The one place where artifact keys are made. A key never holds what a caller typed."""


def upload(upload_id: str) -> str:
    """A file as a site sent it."""
    return f"uploads/{upload_id}"


def shard(catalog_id: str, shard_id: str) -> str:
    """Garment pictures of a catalog: uint8 [n, size, size, channels] as .npy."""
    return f"catalogs/{catalog_id}/shards/{shard_id}.npy"


def columns(catalog_id: str, columns_id: str) -> str:
    """What trend reports read of the garments that a catalog version added, as .npz."""
    return f"catalogs/{catalog_id}/columns/{columns_id}.npz"


def feed(feed_id: str) -> str:
    """The prefix of a feed's files."""
    return f"feeds/{feed_id}/"


def feed_columns(feed_id: str, columns_id: str) -> str:
    """What trend reports read of one batch of counts, as .npz."""
    return f"{feed(feed_id)}{columns_id}.npz"


def catalog(catalog_id: str) -> str:
    """The prefix of all that belongs to a catalog."""
    return f"catalogs/{catalog_id}/"


def extractors(catalog_id: str, mark: str) -> str:
    """The prefix of what measures releases of a catalog; the mark names what it was trained on."""
    return f"catalogs/{catalog_id}/extractors/{mark}/"


def checkpoints(job_id: str) -> str:
    """The prefix of a training's checkpoints."""
    return f"jobs/{job_id}/checkpoints/"


def checkpoint_file(job_id: str, fence: int, number: int, name: str) -> str:
    """One file of the n-th checkpoint under a fence; as text, the newest sorts last.

    The fence keeps a worker that lost its lease from writing over the newer one's.
    """
    return f"{checkpoints(job_id)}{fence:06d}-{number:08d}/{name}"


def preview(job_id: str, fence: int) -> str:
    """The newest sample grid of a running training, PNG."""
    return f"jobs/{job_id}/preview-{fence}.png"


def release(release_id: str) -> str:
    """The prefix of a release's files."""
    return f"releases/{release_id}/"


def release_file(release_id: str, name: str) -> str:
    """One file of a release."""
    return f"{release(release_id)}{name}"


def designs(pack_id: str) -> str:
    """Pictures of designs that were published together, one after the other."""
    return f"designs/{pack_id}"


def report_file(report_id: str, name: str) -> str:
    """One file of a trend report."""
    return f"reports/{report_id}/{name}"


def board_file(report_id: str, job_id: str, fence: int, name: str) -> str:
    """One file of a report's moodboards.

    Under the job and its fence: another's may be read while these are written, and a worker that
    lost its lease must not write over the newer one's.
    """
    return report_file(report_id, f"{job_id}/{fence}/{name}")


def index(index_id: str) -> str:
    """The prefix of a garment index's files."""
    return f"indexes/{index_id}/"


def index_file(index_id: str, name: str) -> str:
    """One file of a garment index: ``garments.npz``, ``space.npz`` or ``encoder.npz``."""
    return f"{index(index_id)}{name}"


def derivation(catalog_id: str, derivation_id: str) -> str:
    """What was told of a catalog version's garments, as columns, .npz."""
    return f"catalogs/{catalog_id}/derivations/{derivation_id}.npz"


def taste_prior(site_id: str, encoder: str, prior_id: str) -> str:
    """What a site's shoppers like on the whole, for what an encoder (by its digest) sees.

    New each time: an artifact that a row names never changes.
    """
    return f"priors/{site_id}/{encoder}/{prior_id}.npz"


def probe() -> str:
    """A few bytes that are written to see whether the store can be written."""
    return "health/probe"
