"""Who signs: the certificate that the operator names, or a self-made one for development.

Needs the extra `c2pa`. A certificate fits C2PA when its key is of one of the kinds below, it is not
its own issuer, and it may sign documents or e-mail (C2PA Technical Specification 2.2, 14.5).
"""

import os
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shared.errors import ConfigurationError

CERTIFICATE: Final = "certificate.pem"
PRIVATE_KEY: Final = "private-key.pem"

_LIFE: Final = timedelta(days=3650)
_EARLIER: Final = timedelta(days=1)  # clocks of other machines may be behind
_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_PEM: Final = serialization.Encoding.PEM


@dataclass(frozen=True)
class Identity:
    """A certificate and its key, ready to sign.

    Attributes:
        chain: PEM, the signer's own certificate first, then its issuers.
        issuers: PEM of the issuers alone.
        serial: the certificate's serial number, decimal.
        algorithm: ES256, ES384, ES512, PS256 or ED25519.
        private_key: PEM, PKCS 8.
    """

    chain: str
    issuers: str
    serial: str
    algorithm: str
    private_key: bytes = field(repr=False)


def load(certificate: Path, private_key: Path, *, now: datetime) -> Identity:
    """Read a certificate chain and its key.

    Raises:
        ConfigurationError: a file is missing or not PEM, they do not belong together, the
            certificate's time is over or not come, or its issuer is not in the chain.
    """
    chain = _read_chain(certificate)
    key = _read_key(private_key)
    _check(chain, key, certificate, now)
    pems = [one.public_bytes(_PEM).decode() for one in chain]
    return Identity(
        chain="".join(pems),
        issuers="".join(pems[1:]),
        serial=str(chain[0].serial_number),
        algorithm=_algorithm(key, private_key),
        private_key=_pem(key),
    )


def read_issuers(path: Path) -> str:
    """Return the certificates of a PEM file, as PEM.

    Raises:
        ConfigurationError: there is no such file, or it is no PEM.
    """
    return "".join(one.public_bytes(_PEM).decode() for one in _read_chain(path))


def make_development(folder: Path, *, now: datetime) -> None:
    """Make a certificate authority and a certificate of its, valid for ten years, in a folder.

    The authority's key is thrown away at once, so that nobody can ever issue another one. Of two
    processes that start together the first one's stay. An existing folder is left as it is.
    """
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f".{folder.name}-{secrets.token_hex(8)}")
    unfinished.mkdir(mode=0o700)
    chain, key = _development_chain(now)
    _write(unfinished / CERTIFICATE, b"".join(one.public_bytes(_PEM) for one in chain))
    _write(unfinished / PRIVATE_KEY, _pem(key))
    try:
        unfinished.rename(folder)
    except OSError:
        if not folder.exists():
            raise
        for name in (CERTIFICATE, PRIVATE_KEY):
            (unfinished / name).unlink()
        unfinished.rmdir()


def _development_chain(
    now: datetime,
) -> tuple[tuple[x509.Certificate, x509.Certificate], ec.EllipticCurvePrivateKey]:
    authority, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = _name("Development authority")
    root = (
        _builder(issuer, issuer, authority.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(authority, hashes.SHA256())
    )
    own = (
        _builder(_name("Development"), issuer, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()),
            critical=False,
        )
        .sign(authority, hashes.SHA256())
    )
    return (own, root), key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Toile, self-made for development"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Toile {common}"),
        ]
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _check(chain: list[x509.Certificate], key: PrivateKeyTypes, path: Path, now: datetime) -> None:
    own = chain[0]
    if len(chain) == 1:
        raise ConfigurationError(
            f"{path} holds one certificate; expected the signer's own, then its issuers. Append "
            "the issuers' certificates, as whoever issued it provides them."
        )
    if own.public_key() != key.public_key():
        raise ConfigurationError(
            f"The private key does not belong to the first certificate of {path}. Put the "
            "signer's own certificate first, or name its own key."
        )
    if not own.not_valid_before_utc <= now <= own.not_valid_after_utc:
        raise ConfigurationError(
            f"The certificate of {path} is valid from {own.not_valid_before_utc:%Y-%m-%d} to "
            f"{own.not_valid_after_utc:%Y-%m-%d}, not now. Name one that is; a self-made one is "
            "made anew when its folder is removed."
        )


def _algorithm(key: PrivateKeyTypes, path: Path) -> str:
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ED25519"
    if isinstance(key, rsa.RSAPrivateKey):
        return "PS256"
    raise ConfigurationError(
        f"{path} holds a key that C2PA does not sign with. Expected one of the curves P-256, "
        "P-384 or P-521, Ed25519, or RSA."
    )


def _read_chain(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(path))
    except ValueError as error:
        raise ConfigurationError(
            f"{path} holds no certificates ({error}). Expected PEM: -----BEGIN CERTIFICATE-----."
        ) from error


def _read_key(path: Path) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(_read(path), password=None)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{path} holds no private key that can be read. Expected PEM without a password; "
            "guard the file by its owner and mode."
        ) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error.strerror}). Check TOILE_C2PA_CERTIFICATE, "
            "TOILE_C2PA_PRIVATE_KEY and TOILE_C2PA_TRUST, and who may read the files."
        ) from error


def _pem(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
