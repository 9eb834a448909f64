"""Signing copies of pictures, and judging the manifests of files that come back."""

import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from PIL import Image

from shared.errors import ConfigurationError, ForbiddenError, LibraryMissingError
from shared.provenance import certificates
from shared.provenance.mark import stamp
from shared.provenance.opened import look
from shared.provenance.signing import Signing
from shared.schemas.designs import ImageFormat
from shared.schemas.provenance import MADE_BY_MODEL, Manifest, ManifestState, Mark, Signer
from shared.settings import Settings
from tests.fixtures.shop import draw
from worker.designs.images import carrying, encode

EMAIL = ExtendedKeyUsageOID.EMAIL_PROTECTION
DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
NOW = datetime(2026, 5, 1, tzinfo=UTC)
MARK = Mark(release_id="rel_1", seed=7, job_id="job_1", design_id="des_1", tool="Toile 1.2")
PIXELS = draw("coat", "navy", seed=1)


def picture(image_format: ImageFormat) -> bytes:
    return encode(PIXELS, size=32, image_format=image_format, xmp=stamp(MARK))


def animation() -> bytes:
    buffer = BytesIO()
    first, second = Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)
    options = carrying(stamp(MARK), ImageFormat.WEBP)
    first.save(buffer, "WEBP", save_all=True, append_images=[second], lossless=True, **options)
    return buffer.getvalue()


PICTURES = [
    ("image/png", picture(ImageFormat.PNG)),
    ("image/webp", picture(ImageFormat.WEBP)),
    ("image/webp", animation()),
]
PNG = PICTURES[0][1]


def signing(home: Path, **changes: object) -> Signing:
    return Signing(Settings.model_validate({"home": home, **changes}))


def named(folder: Path) -> dict[str, object]:
    return {
        "c2pa": "certificate",
        "c2pa_certificate": folder / certificates.CERTIFICATE,
        "c2pa_private_key": folder / certificates.PRIVATE_KEY,
    }


@pytest.fixture
def bought(tmp_path: Path) -> Path:
    """A certificate that an operator brings along."""
    folder = tmp_path / "bought"
    certificates.make_development(folder, now=NOW)
    return folder


@pytest.mark.usefixtures("c2pa")
@pytest.mark.parametrize(("media_type", "content"), PICTURES, ids=["png", "webp", "animated"])
def test_a_signed_copy_is_ours_says_what_it_is_and_has_the_same_pixels(
    tmp_path: Path, media_type: str, content: bytes
) -> None:
    ours = signing(tmp_path)
    copy = ours.sign(content, MARK, media_type=media_type)
    assert look(copy).pixels_sha256 == look(content).pixels_sha256
    assert look(copy).mark == MARK
    assert ours.check(copy, media_type=media_type) == Manifest(
        state=ManifestState.VALID,
        signer=Signer.OURS,
        issuer="Toile, self-made for development",
        common_name="Toile Development",
        generator="Toile",
        source_type=MADE_BY_MODEL,
        design_id="des_1",
    )


@pytest.mark.usefixtures("c2pa")
def test_the_development_certificate_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    serials = {signing(tmp_path).serial() for _ in range(2)}
    assert len(serials) == 1
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "c2pa").iterdir()} == {0o600}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c2pa"]


def test_of_processes_that_start_together_the_first_ones_certificate_stays(tmp_path: Path) -> None:
    folder = tmp_path / "c2pa"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: certificates.make_development(folder, now=NOW), range(8)))
    identity = certificates.load(
        folder / certificates.CERTIFICATE, folder / certificates.PRIVATE_KEY, now=NOW
    )
    assert identity.algorithm == "ES256"
    assert [path.name for path in tmp_path.iterdir()] == ["c2pa"]


@pytest.mark.usefixtures("c2pa")
def test_a_picture_that_was_changed_after_signing_is_invalid(tmp_path: Path) -> None:
    ours = signing(tmp_path)
    copy = bytearray(ours.sign(PNG, MARK, media_type="image/png"))
    copy[-20] ^= 1
    found = ours.check(bytes(copy), media_type="image/png")
    assert (found.state, found.signer) == (ManifestState.INVALID, None)
    assert "assertion.dataHash.mismatch" in found.problems


@pytest.mark.usefixtures("c2pa")
def test_a_file_without_a_manifest_has_none_even_when_it_is_no_picture(tmp_path: Path) -> None:
    ours = signing(tmp_path)
    assert ours.check(PNG, media_type="image/png").state is ManifestState.ABSENT
    assert ours.check(PNG[:100], media_type="image/png").state in {
        ManifestState.ABSENT,
        ManifestState.INVALID,
    }


@pytest.mark.usefixtures("c2pa")
def test_a_strangers_signature_is_valid_but_of_nobody_known_until_it_is_trusted(
    tmp_path: Path, bought: Path
) -> None:
    copy = signing(tmp_path / "a", **named(bought)).sign(PNG, MARK, media_type="image/png")
    stranger = signing(tmp_path / "b").check(copy, media_type="image/png")
    assert (stranger.state, stranger.signer) == (ManifestState.VALID, Signer.UNKNOWN)
    assert "signingCredential.untrusted" in stranger.problems
    trusting = signing(tmp_path / "b", c2pa_trust=bought / certificates.CERTIFICATE)
    friend = trusting.check(copy, media_type="image/png")
    assert (friend.state, friend.signer) == (ManifestState.VALID, Signer.TRUSTED)
    assert friend.problems == ()


@pytest.mark.usefixtures("c2pa")
def test_a_named_certificate_signs_and_none_is_made(tmp_path: Path, bought: Path) -> None:
    ours = signing(tmp_path / "home", **named(bought))
    copy = ours.sign(PNG, MARK, media_type="image/png")
    assert ours.check(copy, media_type="image/png").signer is Signer.OURS
    assert not (tmp_path / "home").exists()


Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def buy(folder: Path, key: Key) -> None:
    """Write a certificate as authorities sell it: the root above its issuer is left out."""
    root, middle = (ec.generate_private_key(ec.SECP384R1()) for _ in range(2))
    issued = certificate("middle", middle, by=("root", root), signs_certificates=True)
    own = certificate("shop", key, by=("middle", middle), signs_certificates=False)
    pems = [one.public_bytes(serialization.Encoding.PEM) for one in (own, issued)]
    folder.mkdir()
    (folder / certificates.CERTIFICATE).write_bytes(b"".join(pems))
    (folder / certificates.PRIVATE_KEY).write_bytes(certificates._pem(key))


def certificate(
    name: str, key: Key, *, by: tuple[str, ec.EllipticCurvePrivateKey], signs_certificates: bool
) -> x509.Certificate:
    issuer, issuing = by
    now = datetime.now(tz=UTC)  # noqa: TID251 - the library compares with the machine's own clock
    builder = x509.CertificateBuilder(
        subject_name=certificates._name(name),
        issuer_name=certificates._name(issuer),
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(days=1),
        not_valid_after=now + timedelta(days=30),
    )
    usage = certificates._usage(signs_certificates=signs_certificates)
    basic = x509.BasicConstraints(ca=signs_certificates, path_length=None)
    return (
        builder.add_extension(basic, critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([DOCUMENT_SIGNING, EMAIL]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuing.public_key()),
            critical=False,
        )
        .sign(issuing, hashes.SHA384())
    )


@pytest.mark.usefixtures("c2pa")
@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["P-256", "P-384", "P-521", "Ed25519", "RSA"],
)
def test_a_bought_certificate_of_each_kind_of_key_signs(tmp_path: Path, key: Key) -> None:
    buy(tmp_path / "shop", key)
    ours = signing(tmp_path, **named(tmp_path / "shop"))
    copy = ours.sign(PNG, MARK, media_type="image/png")
    found = ours.check(copy, media_type="image/png")
    assert (found.state, found.signer, found.problems) == (ManifestState.VALID, Signer.OURS, ())


@pytest.mark.usefixtures("c2pa")
def test_a_certificate_that_may_not_sign_is_refused_with_what_is_needed(tmp_path: Path) -> None:
    folder, key = tmp_path / "shop", ec.generate_private_key(ec.SECP256R1())
    buy(folder, key)
    path = folder / certificates.CERTIFICATE
    (_, issued) = x509.load_pem_x509_certificates(path.read_bytes())
    own = certificate("shop", key, by=("middle", key), signs_certificates=True)
    pems = [one.public_bytes(serialization.Encoding.PEM) for one in (own, issued)]
    path.write_bytes(b"".join(pems))
    with pytest.raises(ConfigurationError, match="allowed to sign documents"):
        signing(tmp_path, **named(folder)).sign(PNG, MARK, media_type="image/png")


@pytest.mark.usefixtures("c2pa")
def test_many_threads_sign_at_once(tmp_path: Path) -> None:
    ours = signing(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        copies = list(pool.map(lambda _: ours.sign(PNG, MARK, media_type="image/png"), range(40)))
        found = pool.map(lambda one: ours.check(one, media_type="image/png"), copies)
    assert {one.signer for one in found} == {Signer.OURS}


@pytest.mark.usefixtures("c2pa")
def test_where_signing_is_off_the_setting_is_named_and_manifests_are_still_read(
    tmp_path: Path,
) -> None:
    copy = signing(tmp_path / "a").sign(PNG, MARK, media_type="image/png")
    off = signing(tmp_path / "b", c2pa="off")
    for ask in (off.serial, lambda: off.sign(PNG, MARK, media_type="image/png")):
        with pytest.raises(ForbiddenError, match="TOILE_C2PA is off"):
            ask()
    assert off.check(copy, media_type="image/png").signer is Signer.UNKNOWN


def test_without_the_library_it_says_what_to_install_and_checks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(LibraryMissingError, match=r"toile\[c2pa\]"):
        signing(tmp_path).sign(PNG, MARK, media_type="image/png")
    found = signing(tmp_path).check(PNG, media_type="image/png")
    assert found.state is ManifestState.NOT_CHECKED


def load(folder: Path, *, now: datetime = NOW) -> certificates.Identity:
    return certificates.load(
        folder / certificates.CERTIFICATE, folder / certificates.PRIVATE_KEY, now=now
    )


def test_a_certificate_whose_time_is_over_is_refused(bought: Path) -> None:
    load(bought)
    for now in (NOW - timedelta(days=2), NOW + timedelta(days=3651)):
        with pytest.raises(ConfigurationError, match="is valid from 2026-04-30 to 2036"):
            load(bought, now=now)


def test_a_certificate_without_its_issuer_is_refused(bought: Path) -> None:
    path = bought / certificates.CERTIFICATE
    (own, _) = x509.load_pem_x509_certificates(path.read_bytes())
    path.write_bytes(own.public_bytes(serialization.Encoding.PEM))
    with pytest.raises(ConfigurationError, match="then its issuers"):
        load(bought)


def test_a_key_that_does_not_belong_to_the_certificate_is_refused(
    bought: Path, tmp_path: Path
) -> None:
    certificates.make_development(tmp_path / "other", now=NOW)
    key = tmp_path / "other" / certificates.PRIVATE_KEY
    with pytest.raises(ConfigurationError, match="does not belong"):
        certificates.load(bought / certificates.CERTIFICATE, key, now=NOW)


def test_a_key_of_another_kind_is_refused() -> None:
    key = ed448.Ed448PrivateKey.generate()
    with pytest.raises(ConfigurationError, match="Expected one of the curves"):
        certificates._algorithm(key, Path("key.pem"))


@pytest.mark.parametrize("name", [certificates.CERTIFICATE, certificates.PRIVATE_KEY])
def test_a_file_that_is_missing_or_no_pem_is_named(bought: Path, name: str) -> None:
    (bought / name).write_text("nothing")
    with pytest.raises(ConfigurationError, match=name):
        load(bought)
    (bought / name).unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(bought)
