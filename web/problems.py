"""The kinds of problem that the front can answer with: status, title, and what to do."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from shared import errors


@dataclass(frozen=True)
class Kind:
    """One kind of problem."""

    status: int
    title: str
    advice: str


_STATE = "Read the thing again; its state tells what is possible now."
_AWAY = (
    "Wait as long as Retry-After says and send the same request again, with the same "
    "Idempotency-Key if it had one. The operator can run `toile doctor`."
)

# By the errors' own words, and the few that only HTTP knows.
KINDS: Final = MappingProxyType(
    {
        errors.InvalidInputError.reason: Kind(
            422,
            "The request does not fit",
            "Read `errors`: each entry names a place in the request and what was expected there.",
        ),
        errors.UnreadableSourceError.reason: Kind(
            422,
            "A file cannot be read",
            "See that the file is whole and of the kind that its name says, then send it again.",
        ),
        errors.CatalogTooSmallError.reason: Kind(
            422,
            "The catalog is too small",
            "Add garments to the catalog until it holds at least `details.least`.",
        ),
        errors.TooLittleDataError.reason: Kind(
            422,
            "Too little data for a trend report",
            "Give garments a date when they are added, then ask again.",
        ),
        errors.IdempotencyMismatchError.reason: Kind(
            422,
            "The Idempotency-Key stands for another request",
            "Make a new key for a new request; repeat a request with its own key, unchanged.",
        ),
        errors.UnauthorizedError.reason: Kind(
            401,
            "No valid API key",
            "Send `Authorization: Bearer toile_...`. `toile key create` makes a key; a revoked "
            "one never works again.",
        ),
        errors.ForbiddenError.reason: Kind(
            403,
            "This is not allowed here",
            "The detail names what is missing: a scope, an origin, or a setting of the operator's.",
        ),
        errors.NotFoundError.reason: Kind(
            404,
            "There is no such thing",
            "Check the address and the id. Things of other sites are never found.",
        ),
        errors.ConflictError.reason: Kind(409, "The thing's state does not allow this", _STATE),
        errors.TooLargeError.reason: Kind(
            413,
            "The request is too large",
            "Send less at once. TOILE_UPLOAD_LIMIT, TOILE_BODY_LIMIT and, for one picture, "
            "TOILE_PICTURE_LIMIT are the limits, in bytes.",
        ),
        errors.StoreUnavailableError.reason: Kind(503, "The artifact store is away", _AWAY),
        errors.DiskFullError.reason: Kind(
            507,
            "The disk is full",
            "Ask again later: nothing was kept of the request. The operator can make room; "
            "TOILE_DISK_FLOOR says how much must stay free.",
        ),
        errors.ArtifactDamagedError.reason: Kind(
            500,
            "A stored file is damaged",
            "Tell the operator the key in the details: `toile verify` lists what is damaged, and a "
            "backup has it whole.",
        ),
        errors.QueueUnavailableError.reason: Kind(503, "Redis is away", _AWAY),
        errors.DatabaseUnavailableError.reason: Kind(503, "The database is away", _AWAY),
        errors.NoWorkerError.reason: Kind(
            503,
            "No worker could do this",
            "Start a worker that makes designs, then ask again; Retry-After says when.",
        ),
        errors.QueueFullError.reason: Kind(
            503,
            "The queue is full",
            "Ask again after Retry-After. The operator can add workers, or raise the limit.",
        ),
        errors.StreamsFullError.reason: Kind(
            503,
            "Too many event streams are open",
            "Ask with GET /v1/jobs/{job}?wait=30 meanwhile. The operator can raise "
            "TOILE_STREAM_LIMIT or start another web process.",
        ),
        errors.QuotaExceededError.reason: Kind(
            429,
            "The site has used up what it may",
            "Wait as long as Retry-After says, or cancel what is not wanted any more. "
            "`details.quota` names what is used up; GET /v1/usage tells of all.",
        ),
        errors.RateLimitedError.reason: Kind(
            429,
            "Too many requests",
            "Wait as long as Retry-After says. The headers RateLimit and RateLimit-Policy tell how "
            "much is left; `details.policy` names what was too much.",
        ),
        errors.StorageFullError.reason: Kind(
            403,
            "The site keeps as much as it may",
            "Remove what is not needed any more, or let the operator raise the limit.",
        ),
        errors.LinkRefusedError.reason: Kind(
            403,
            "The signed link does not open this",
            "Ask for a new one by POST /v1/links. `details.why` tells whether it is over.",
        ),
        errors.LibraryMissingError.reason: Kind(
            501,
            "The server lacks an optional library",
            "The detail names the extra that the operator can install.",
        ),
        "bad_request": Kind(
            400,
            "The request cannot be read",
            "Send what HTTP and JSON allow: one JSON object in UTF-8, with finite numbers.",
        ),
        "method_not_allowed": Kind(
            405,
            "The address does not take this method",
            "The Allow header lists the methods that it takes.",
        ),
        "unsupported_media_type": Kind(
            415,
            "The body is of the wrong type",
            "Send JSON with `Content-Type: application/json`; files as multipart/form-data.",
        ),
        "internal": Kind(
            500,
            "Something broke in Toile",
            "This is our fault. Tell the operator the request id; the log holds the rest.",
        ),
    }
)
