"""The settings: one frozen tree, read once from the environment and passed down."""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from sqlalchemy import URL, make_url

from shared.errors import ConfigurationError
from shared.schemas.base import Schema

PREFIX: Final = "TOILE_"

# The CLI reads these two for itself; they are not settings of the server.
CLIENT_NAMES: Final = frozenset({"TOILE_URL", "TOILE_API_KEY"})

Seconds = Annotated[float, Field(gt=0)]
Bytes = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Settings(Schema):
    """Everything an operator can set, each as ``TOILE_<NAME>``.

    Secrets are read masked; URLs that hold a password are built late and never logged.
    """

    home: Path = Field(Path("var"), description="Folder for all that one machine keeps.")
    redis_url: SecretStr | None = Field(
        None, description="A Redis or Valkey to use; unset, `toile up` starts its own."
    )
    database_url: SecretStr | None = Field(
        None, description="postgresql+psycopg://...; unset, SQLite in TOILE_HOME."
    )
    artifacts_url: str | None = Field(
        None, description="A folder, or s3://bucket/prefix; unset, a folder in TOILE_HOME."
    )
    s3_endpoint: str | None = Field(None, description="Address of an S3 that is not Amazon's.")
    s3_region: str = Field("us-east-1", description="Region of the S3 bucket.")
    s3_access_key: SecretStr | None = Field(None, description="Access key of the S3 bucket.")
    s3_secret_key: SecretStr | None = Field(None, description="Secret key of the S3 bucket.")
    secret_key: SecretStr | None = Field(
        None,
        description="Signs sessions and links, and secrets of webhooks come from it; unset, one is "
        "made and kept in TOILE_HOME.",
    )

    host: str = Field("127.0.0.1", description="Address that the web process listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port that the web process listens on.")
    web_threads: Count = Field(32, description="Requests served at once by one web process.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe level that is logged."
    )
    log_format: Literal["auto", "text", "json"] = Field(
        "auto",
        description="How lines are logged: text for people, JSON for programs; auto is text on a "
        "terminal and JSON elsewhere.",
    )
    trust_request_id: bool = Field(
        False,
        description="Whether a request's X-Request-Id is taken over: only behind a proxy that sets "
        "it.",
    )
    metrics_token: SecretStr | None = Field(
        None, description="Opens /metrics as a bearer token; unset, nobody reads them."
    )
    otlp_endpoint: str | None = Field(
        None,
        description="Where traces go, OTLP over HTTP; unset, OTEL_EXPORTER_OTLP_ENDPOINT, and "
        "without that there are none.",
    )

    upload_limit: Bytes = Field(2 * 2**30, description="Largest upload, bytes.")
    body_limit: Bytes = Field(2**20, description="Largest JSON body, bytes.")
    import_roots: tuple[Path, ...] = Field(
        (), description="Server-side folders that catalogs may be read from, split by ':'."
    )
    picture_limit: Bytes = Field(
        16 * 2**20, description="Largest picture whose provenance is asked, bytes."
    )
    long_poll_limit: Seconds = Field(60, description="Longest `?wait=`, seconds.")
    stream_limit: Count = Field(
        500, description="Event streams that one web process keeps open; they hold no thread."
    )

    lease_seconds: Seconds = Field(60, description="How long a worker holds a job unheard of.")
    heartbeat_seconds: Seconds = Field(15, description="How often a worker renews its lease.")
    stall_seconds: Seconds = Field(
        1800,
        description="How long a step of work may show no sign of life before it counts as hung.",
    )
    max_attempts: Count = Field(5, description="Tries at a job before it fails for good.")
    retry_delay_seconds: Seconds = Field(2, description="First pause before another try; doubles.")
    upkeep_seconds: Seconds = Field(2, description="How often upkeep looks for lost work.")
    queue_limit: Count = Field(
        500_000, description="Most design jobs that wait, of all sites together."
    )
    site_queue_limit: Count = Field(200_000, description="Most design jobs that wait, of a site.")
    worker_grace_seconds: Seconds = Field(
        120,
        description="Designs are refused once no worker that makes them was heard of for so long.",
    )
    batch_limit: Count = Field(64, description="Most images in one forward pass.")
    models_memory: Bytes = Field(
        2**30, description="Memory for the releases that a generation worker keeps, bytes."
    )
    drain_seconds: Seconds = Field(
        60, description="How long a generation worker goes on from batch to batch at a time."
    )
    consumer_seconds: Seconds = Field(
        60,
        description="How long a worker may leave messages lying while it is idle before it ends, "
        "to be started again.",
    )
    worker_memory: Bytes | None = Field(
        None,
        description="Memory that one child of a worker may take, bytes; unset, nine tenths of the "
        "machine's or container's.",
    )

    c2pa: Literal["off", "development", "certificate"] = Field(
        "development",
        description="Who signs C2PA manifests: nobody, a self-made certificate in TOILE_HOME, or "
        "the one named below.",
    )
    c2pa_certificate: Path | None = Field(
        None, description="PEM file: the certificate that signs, then its issuers."
    )
    c2pa_private_key: Path | None = Field(
        None, description="PEM file: the key of that certificate, without a password."
    )
    c2pa_trust: Path | None = Field(
        None, description="PEM file: issuers whose C2PA manifests count as trusted."
    )
    taste_half_life_days: float = Field(
        180, gt=0, le=36_500, description="Days after which what a shopper said counts half."
    )
    galleries_memory: Bytes = Field(
        2**29, description="Memory for the garment indexes that a web process keeps, bytes."
    )

    rate_limit: float = Field(
        1000, gt=0, description="Requests a second that a site may send, over time."
    )
    rate_burst: Count = Field(2000, description="Requests that a site may send at once.")
    poll_limit: float = Field(
        5000,
        gt=0,
        description="Status polls a second of a site, and as many pictures by signed link.",
    )
    guess_limit: Count = Field(
        30, description="Wrong keys a minute from one address before it must wait."
    )
    proxies: int = Field(
        0,
        ge=0,
        le=8,
        description="Reverse proxies before the web process that add to X-Forwarded-For.",
    )
    site_other_limit: Count = Field(
        10_000, description="Most other jobs (trainings, ingests, reports) that wait, of a site."
    )
    site_designs_a_day: Count | None = Field(
        None, description="Images that a site may ask for in a day (UTC); unset, any number."
    )
    site_training_minutes: Seconds | None = Field(
        None, description="Minutes of training of a site in a calendar month; unset, any number."
    )
    site_storage: Bytes | None = Field(
        None, description="Bytes kept for a site beyond which it may add nothing; unset, any."
    )
    link_seconds: int = Field(
        3600, ge=60, le=7 * 86_400, description="How long a signed link holds, unless asked."
    )
    variants_memory: Bytes = Field(
        64 * 2**20, description="Memory for picture variants that a web process keeps, bytes."
    )

    prediction_limit: float = Field(
        0.8,
        ge=0.5,
        le=1,
        description="Part of held-out garments that must be told right before an attribute's "
        "missing labels are predicted.",
    )
    trend_schedule_seconds: Seconds = Field(
        86_400, description="How often each site's trend report is made anew."
    )
    trend_moodboards: bool = Field(
        True, description="Whether a new trend report's moodboards are drawn without being asked."
    )

    disk_floor: int = Field(
        2**28,
        ge=0,
        description="Work is refused while less is free for records or artifacts, bytes; 0: never.",
    )
    design_retention_days: float = Field(
        0, ge=0, description="Days after which a finished job's designs go; 0: never."
    )
    job_retention_days: float = Field(
        90, ge=0, description="Days after which a job goes that left nothing behind; 0: never."
    )
    upload_retention_days: float = Field(
        7, ge=0, description="Days for which the file of a failed upload waits to be retried."
    )
    cache_retention_days: float = Field(
        90, ge=0, description="Days after which what a training can learn again goes; 0: never."
    )
    orphan_seconds: Seconds = Field(
        86_400,
        description="Age, beyond a lease, at which an artifact that no row names is removed.",
    )
    retention_seconds: Seconds = Field(
        600, description="How often retention looks for what is to go."
    )

    webhook_networks: tuple[str, ...] = Field(
        (),
        description="Networks (CIDR, split by ',') to which webhooks may go besides the public "
        "internet; there, plain http will do.",
    )

    @field_validator("webhook_networks", mode="before")
    @classmethod
    def _read_networks(cls, value: object) -> object:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list | tuple):
            return value
        # As text, so that the settings can be written down again; a fault is found at the start.
        return tuple(str(ip_network(str(part).strip())) for part in parts if str(part).strip())

    @model_validator(mode="before")
    @classmethod
    def _split_roots(cls, values: dict[str, object]) -> dict[str, object]:
        roots = values.get("import_roots")
        if isinstance(roots, str):
            values = {**values, "import_roots": tuple(p for p in roots.split(os.pathsep) if p)}
        return values

    @model_validator(mode="after")
    def _lease_outlives_heartbeat(self) -> Self:
        if self.lease_seconds < 2 * self.heartbeat_seconds:
            message = (
                f"TOILE_LEASE_SECONDS is {self.lease_seconds:g} and TOILE_HEARTBEAT_SECONDS is "
                f"{self.heartbeat_seconds:g}: a lease must outlive two heartbeats, or one late "
                "heartbeat loses the job. Raise the first or lower the second."
            )
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _certificate_is_whole(self) -> Self:
        named = [self.c2pa_certificate is not None, self.c2pa_private_key is not None]
        if named != [self.c2pa == "certificate"] * 2:
            first, second = ("set" if one else "unset" for one in named)
            message = (
                f"TOILE_C2PA is {self.c2pa}, TOILE_C2PA_CERTIFICATE is {first} and "
                f"TOILE_C2PA_PRIVATE_KEY is {second}. "
                "Set TOILE_C2PA=certificate and both files, or none of the three: pictures are "
                "never signed with another certificate than was meant."
            )
            raise ValueError(message)
        return self

    @property
    def database(self) -> URL:
        """The database's address; contains the password, so never log it."""
        if self.database_url is not None:
            return make_url(self.database_url.get_secret_value())
        return URL.create("sqlite", database=str(self.home.resolve() / "toile.sqlite3"))

    @property
    def artifact_folder(self) -> Path | None:
        """The local artifact folder, or None where artifacts live in S3."""
        if self.artifacts_url is None:
            return self.home.resolve() / "artifacts"
        return None if self.artifacts_url.startswith("s3://") else Path(self.artifacts_url)

    @property
    def cache_folder(self) -> Path:
        """Where this machine keeps what it can make again."""
        return self.home.resolve() / "cache"


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment, once, at an entry point.

    Args:
        environment: names and values to read instead of the process' own (for tests).

    Raises:
        ConfigurationError: a ``TOILE_*`` name is unknown, or a value does not fit.
    """
    found = os.environ if environment is None else environment  # noqa: TID251 - the one reader
    values = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in found.items()
        if name.startswith(PREFIX) and name not in CLIENT_NAMES
    }
    # The one name of others' that is read, for every program of a host is told by it.
    if not values.get("otlp_endpoint") and (told := found.get("OTEL_EXPORTER_OTLP_ENDPOINT")):
        values["otlp_endpoint"] = told
    for name in values.keys() - Settings.model_fields.keys():
        raise ConfigurationError(_unknown(name), name=PREFIX + name.upper())
    try:
        return Settings.model_validate({name: value for name, value in values.items() if value})
    except ValidationError as error:
        raise ConfigurationError(_explain(error)) from None


def _unknown(name: str) -> str:
    close = get_close_matches(name, Settings.model_fields, n=1)
    hint = f" Did you mean {PREFIX}{close[0].upper()}?" if close else ""
    return (
        f"{PREFIX}{name.upper()} is set, but Toile has no such setting.{hint} "
        "docs/settings.md lists them all; unset this one."
    )


def _explain(error: ValidationError) -> str:
    lines = []
    for fault in error.errors(include_url=False, include_input=False):
        name = ".".join(str(part) for part in fault["loc"])
        lines.append(f"{PREFIX}{name.upper()}: {fault['msg']}" if name else str(fault["msg"]))
    return "The settings do not fit. " + "; ".join(lines)
