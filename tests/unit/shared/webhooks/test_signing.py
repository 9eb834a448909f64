import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from shared.clock import utc_now
from shared.records.webhooks import Salts
from shared.settings import Settings
from shared.webhooks.signing import (
    ForeignSecretError,
    _hkdf,
    headers_of,
    new_salts,
    secret_of,
)

PAYLOAD = '{"type":"job.succeeded","data":{"id":"job_1","name":"\\u00e9té"}}'


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, secret_key=SecretStr("k" * 40))


def test_a_secret_is_made_again_from_its_salt_and_looks_as_the_libraries_want_it(
    settings: Settings,
) -> None:
    salts = new_salts(settings)
    secret = secret_of(settings, salts)
    assert secret == secret_of(settings, salts)
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert secret_of(settings, new_salts(settings)) != secret


def test_neither_the_salt_nor_the_mark_holds_the_secret(settings: Settings) -> None:
    salts = new_salts(settings)
    raw = base64.b64decode(secret_of(settings, salts).removeprefix("whsec_"))
    assert raw.hex() not in salts.salt + salts.key_mark
    assert bytes.fromhex(salts.salt) != raw


def test_another_servers_key_signs_nothing(settings: Settings) -> None:
    salts = new_salts(settings)
    other = settings.model_copy(update={"secret_key": SecretStr("o" * 40)})
    with pytest.raises(ForeignSecretError, match="TOILE_SECRET_KEY"):
        secret_of(other, salts)


def test_the_derivation_is_that_of_rfc_5869() -> None:
    # Test case 3 of its appendix A, whose info is empty, cut to 32 bytes.
    derived = _hkdf(b"\x0b" * 22, salt=b"", purpose=b"")
    assert derived.hex() == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"


def test_a_shops_library_verifies_what_is_signed_by_either_secret(settings: Settings) -> None:
    new, old, strange = (secret_of(settings, new_salts(settings)) for _ in range(3))
    headers = headers_of([new, old], event_id="evt_1", at=utc_now(), payload=PAYLOAD)
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (new, old):
        assert Verifier(secret).verify(PAYLOAD, headers)["type"] == "job.succeeded"
    with pytest.raises(WebhookVerificationError):
        Verifier(strange).verify(PAYLOAD, headers)


def test_the_signature_is_that_of_the_specification() -> None:
    secret = "whsec_" + base64.b64encode(b"s" * 32).decode()
    at = datetime(2026, 11, 26, 20, 26, 10, 900_000, tzinfo=UTC)
    headers = headers_of([secret], event_id="evt_1", at=at, payload="{}")
    assert headers["webhook-timestamp"] == str(int(at.timestamp()))
    import hashlib
    import hmac

    signed = f"evt_1.{int(at.timestamp())}.{{}}".encode()
    expected = base64.b64encode(hmac.digest(b"s" * 32, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_salts_are_hex_of_thirty_two_bytes(settings: Settings) -> None:
    salts = new_salts(settings)
    assert isinstance(salts, Salts)
    assert len(bytes.fromhex(salts.salt)) == 32
