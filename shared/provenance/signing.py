"""C2PA manifests: signing copies of designs, and judging the manifests of files that come back.

Nothing here speaks to the network: no timestamp authority, no revocation lists, and a manifest
that a file only points to is not fetched. Source: C2PA Technical Specification 2.2.
"""

import importlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from shared.clock import Clock, utc_now
from shared.errors import ConfigurationError, ForbiddenError, LibraryMissingError
from shared.schemas.provenance import MADE_BY_MODEL, Manifest, ManifestState, Mark, Signer
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.provenance.certificates import Identity

ASSERTION: Final = "toile.design"

_ACTIONS: Final = "c2pa.actions"
_VERIFY: Final = {
    "verify_trust": True,
    "verify_after_sign": False,  # it was made from our own picture a millisecond ago
    "remote_manifest_fetch": False,  # a stranger's file must not choose what we connect to
    "ocsp_fetch": False,
}
_LONGEST: Final = 200
_MOST_PROBLEMS: Final = 20
_TRUSTED: Final = "Trusted"
_INVALID: Final = "Invalid"


@dataclass(frozen=True)
class _Reading:
    """What the library says of a manifest."""

    state: str
    active: Mapping[str, Any]
    problems: tuple[str, ...]

    @property
    def serial(self) -> str | None:
        return self.signature.get("cert_serial_number")

    @property
    def signature(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.active.get("signature_info") or {}
        return found


class Signing:
    """Signs and checks with one process' certificate, which is read when it is first needed.

    Args:
        settings: names the certificate, and whom else to trust.
        clock: tells whether the certificate is valid.
    """

    def __init__(self, settings: Settings, *, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()

    def serial(self) -> str:
        """Return the serial number of the certificate that signs.

        Raises:
            ForbiddenError: TOILE_C2PA is off.
            LibraryMissingError: the extra `c2pa` is not installed.
            ConfigurationError: the certificate or its key does not fit.
        """
        _library()
        return self._signer().serial

    def sign(self, picture: bytes, mark: Mark, *, media_type: str) -> bytes:
        """Return a copy of a PNG or WebP that carries a signed manifest; no pixel changes.

        The manifest says that the picture was created by a trained model, and repeats the mark.
        Each call gives other bytes: a manifest has an identity of its own, and the signature
        draws random numbers.

        Raises:
            ForbiddenError: TOILE_C2PA is off.
            LibraryMissingError: the extra `c2pa` is not installed.
            ConfigurationError: the certificate or its key does not fit.
        """
        c2pa = _library()
        signer = self._c2pa_signer
        target = BytesIO()
        # A signature takes a millisecond; the library does not say whether two threads may share
        # a signer.
        try:
            with self._lock, c2pa.Builder(_manifest(mark), self._own_context) as builder:
                builder.sign(signer, media_type, BytesIO(picture), target)
        except c2pa.C2paError as error:
            raise _refused(error) from error
        return target.getvalue()

    def check(self, content: bytes, *, media_type: str) -> Manifest:
        """Return what a file's manifest is worth.

        Raises:
            ConfigurationError: the certificate, or the file of those to trust, cannot be read.
        """
        try:
            _library()
        except LibraryMissingError:
            return Manifest(state=ManifestState.NOT_CHECKED)
        own = _read(content, media_type, self._own_context)
        if own is None:
            return Manifest(state=ManifestState.ABSENT)
        if own.state == _INVALID:
            return _told(own, None)
        if own.state == _TRUSTED and own.serial == self._own_serial:
            return _told(own, Signer.OURS)
        other = _read(content, media_type, self._trusting_context) or own
        return _told(other, Signer.TRUSTED if other.state == _TRUSTED else Signer.UNKNOWN)

    def _signer(self) -> "Identity":
        if self._identity is None:
            raise ForbiddenError(
                "This server signs no pictures: TOILE_C2PA is off. The operator can set it to "
                "`development` or `certificate`."
            )
        return self._identity

    @cached_property
    def _identity(self) -> "Identity | None":
        from shared.provenance import certificates

        settings, now = self._settings, self._clock()
        if settings.c2pa == "off":
            return None
        if settings.c2pa_certificate is not None and settings.c2pa_private_key is not None:
            return certificates.load(settings.c2pa_certificate, settings.c2pa_private_key, now=now)
        folder = settings.home.resolve() / "c2pa"
        certificates.make_development(folder, now=now)
        return certificates.load(
            folder / certificates.CERTIFICATE, folder / certificates.PRIVATE_KEY, now=now
        )

    @cached_property
    def _c2pa_signer(self) -> Any:
        c2pa, identity = _library(), self._signer()
        algorithm = c2pa.C2paSigningAlg[identity.algorithm]
        # None: no timestamp authority is asked.
        info = c2pa.C2paSignerInfo(algorithm, identity.chain.encode(), identity.private_key, None)
        try:
            return c2pa.Signer.from_info(info)
        except c2pa.C2paError as error:
            raise _refused(error) from error

    @property
    def _own_serial(self) -> str | None:
        return None if self._identity is None else self._identity.serial

    @cached_property
    def _own_context(self) -> Any:
        return _context("" if self._identity is None else self._identity.issuers)

    @cached_property
    def _trusting_context(self) -> Any:
        from shared.provenance import certificates

        path = self._settings.c2pa_trust
        return _context("" if path is None else certificates.read_issuers(path))


def _library() -> Any:
    try:
        return importlib.import_module("c2pa")
    except ImportError as error:
        raise LibraryMissingError(
            "C2PA manifests need the extra `c2pa`, which this server does not have. The operator "
            "can install it: pip install 'toile[c2pa]'. Without it pictures still carry XMP.",
            extra="c2pa",
        ) from error


def _refused(error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"C2PA does not sign with this certificate ({error}). It needs a version 3 certificate "
        "that is allowed to sign documents or e-mail and is no authority itself; see "
        "TOILE_C2PA_CERTIFICATE in docs/provenance.md."
    )


def _context(anchors: str) -> Any:
    trust = {"trust": {"user_anchors": anchors}} if anchors else {}
    thumbnail = {"builder": {"thumbnail": {"enabled": False}}}
    return _library().Context.from_dict({"verify": _VERIFY, **thumbnail, **trust})


def _manifest(mark: Mark) -> dict[str, Any]:
    name, _, version = mark.tool.partition(" ")
    created = {"action": "c2pa.created", "digitalSourceType": MADE_BY_MODEL}
    said = mark.model_dump(include={"release_id", "seed", "job_id", "design_id"})
    return {
        "claim_generator_info": [{"name": name, "version": version}],
        "title": mark.design_id,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [created]}},
            {"label": ASSERTION, "data": said},
        ],
    }


def _read(content: bytes, media_type: str, context: Any) -> _Reading | None:
    """Return what the library reads, or None where the file carries no manifest."""
    c2pa = _library()
    try:
        with c2pa.Reader(media_type, BytesIO(content), context=context) as reader:
            found: dict[str, Any] = json.loads(reader.json())
    except c2pa.C2paError.ManifestNotFound:
        return None
    except c2pa.C2paError as error:
        # A stranger's manifest that cannot even be read is an answer, not a fault of ours.
        return _Reading(_INVALID, {}, (_short(f"unreadable: {error}"),))
    status = found.get("validation_status") or []
    return _Reading(
        state=str(found.get("validation_state")),
        active=found.get("manifests", {}).get(found.get("active_manifest"), {}),
        problems=tuple(_short(one["code"]) for one in status[:_MOST_PROBLEMS]),
    )


def _told(reading: _Reading, signer: Signer | None) -> Manifest:
    """Say what a reading comes to; whose certificate lies in an invalid one says nothing."""
    generators = reading.active.get("claim_generator_info") or [{}]
    return Manifest(
        state=ManifestState.INVALID if signer is None else ManifestState.VALID,
        signer=signer,
        issuer=_text(reading.signature.get("issuer")),
        common_name=_text(reading.signature.get("common_name")),
        generator=_text(generators[0].get("name")),
        source_type=_source_type(reading.active),
        design_id=_text(_assertion(reading.active, ASSERTION).get("design_id")),
        problems=reading.problems,
    )


def _source_type(active: Mapping[str, Any]) -> str | None:
    actions = _assertion(active, _ACTIONS).get("actions") or [{}]
    return _text(actions[0].get("digitalSourceType"))


def _assertion(active: Mapping[str, Any], label: str) -> Mapping[str, Any]:
    for one in active.get("assertions") or ():
        if str(one.get("label")).startswith(label) and isinstance(one.get("data"), dict):
            data: Mapping[str, Any] = one["data"]
            return data
    return {}


def _text(value: object) -> str | None:
    return None if value is None else _short(str(value))


def _short(text: str) -> str:
    return text[:_LONGEST]
