"""The one family of errors: each says what happened, what was expected, and how to mend it."""

from typing import Any, ClassVar


class ToileError(Exception):
    """Something that a caller can be told.

    Attributes:
        reason: a stable word for the kind of error; it ends a job's ``reason`` column and a
            problem document's ``type``.
        retryable: whether the same request can succeed later, unchanged.
        details: data that the caller may want to read by program.
    """

    reason: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidInputError(ToileError):
    """The request can never succeed as it stands."""

    reason = "invalid_input"


class NotFoundError(ToileError):
    """There is no such thing, or it is another site's."""

    reason = "not_found"


class ConflictError(ToileError):
    """The thing is in a state that does not allow this."""

    reason = "conflict"


class IdempotencyMismatchError(ToileError):
    """An idempotency key came back with another body."""

    reason = "idempotency_mismatch"


class UnauthorizedError(ToileError):
    """No key, or a key that is not known."""

    reason = "unauthorized"


class ForbiddenError(ToileError):
    """The key is known, but does not allow this."""

    reason = "forbidden"


class TooLargeError(ToileError):
    """More bytes, files or pixels than the limits allow."""

    reason = "too_large"


class UnreadableSourceError(ToileError):
    """An archive, manifest or data file cannot be read as what it claims to be."""

    reason = "unreadable_source"


class CatalogTooSmallError(ToileError):
    """Too few garments to train on."""

    reason = "catalog_too_small"


class CatalogChangedError(ToileError):
    """Another ingest published a version of the same catalog first."""

    reason = "catalog_changed"
    retryable = True


class TooLittleDataError(ToileError):
    """Too few dated garments to say anything about trends."""

    reason = "too_little_data"


class CheckpointCorruptError(ToileError):
    """A checkpoint is incomplete, damaged, or of another network."""

    reason = "checkpoint_corrupt"


class ReleaseCorruptError(ToileError):
    """A release's files are incomplete, damaged, or do not match its hash."""

    reason = "release_corrupt"


class TasteCorruptError(ToileError):
    """A garment index, feature space or taste prior is damaged, or of another format."""

    reason = "taste_corrupt"


class ReportCorruptError(ToileError):
    """A file of a trend report is damaged, or of another format."""

    reason = "report_corrupt"


class LibraryMissingError(ToileError):
    """An optional library that this needs is not installed."""

    reason = "library_missing"


class ExportRefusedError(ToileError):
    """An exported model does not paint what the release paints."""

    reason = "export_refused"


class TrainingDivergedError(ToileError):
    """The losses are no longer finite, and going back did not help."""

    reason = "diverged"


class OutOfMemoryError(ToileError):
    """The device has too little memory for the work."""

    reason = "out_of_memory"


class StoreUnavailableError(ToileError):
    """The artifact store does not answer."""

    reason = "store_unavailable"
    retryable = True


class DiskFullError(ToileError):
    """The disk of the records or artifacts has too little room left."""

    reason = "disk_full"
    retryable = True


class ArtifactDamagedError(ToileError):
    """An artifact's bytes are not those that were stored."""

    reason = "artifact_damaged"


class BackupError(ToileError):
    """A backup is not whole, not of this format, or would overwrite something."""

    reason = "backup"


class QueueUnavailableError(ToileError):
    """Redis does not answer."""

    reason = "queue_unavailable"
    retryable = True


class NoWorkerError(ToileError):
    """No worker is there that could do the work."""

    reason = "no_worker"
    retryable = True


class QueueFullError(ToileError):
    """All sites together have more work waiting than the operator allows."""

    reason = "queue_full"
    retryable = True


class QuotaExceededError(ToileError):
    """One site has more work waiting, or has used more, than the operator allows it."""

    reason = "quota_exceeded"
    retryable = True


class StreamsFullError(ToileError):
    """This web process has as many event streams open as the operator allows."""

    reason = "streams_full"
    retryable = True


class StorageFullError(ToileError):
    """One site keeps more bytes than the operator allows it; only removing some helps."""

    reason = "storage_quota_exceeded"


class RateLimitedError(ToileError):
    """More requests, or more wrong keys, than are let through in a while."""

    reason = "rate_limited"
    retryable = True


class LinkRefusedError(ToileError):
    """A signed link was changed, is over, or was taken back."""

    reason = "link_refused"


class DatabaseUnavailableError(ToileError):
    """The database does not answer."""

    reason = "database_unavailable"
    retryable = True


class RecordsFullError(DiskFullError, DatabaseUnavailableError):
    """The database's disk is full: as long as it is, nothing can be written, as if it were away."""


class ConfigurationError(ToileError):
    """A setting is unknown, missing, or does not fit the others."""

    reason = "configuration"
