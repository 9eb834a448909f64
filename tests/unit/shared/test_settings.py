import pytest
from pydantic import SecretStr

from shared.errors import ConfigurationError
from shared.settings import load_settings


def test_nothing_set_gives_one_machine_with_sqlite_under_home() -> None:
    settings = load_settings({})
    assert settings.database.get_backend_name() == "sqlite"
    assert str(settings.database.database).endswith("var/toile.sqlite3")
    assert settings.artifact_folder is not None
    assert settings.artifact_folder.name == "artifacts"


def test_an_unknown_name_stops_the_start_and_hints_at_the_right_one() -> None:
    with pytest.raises(ConfigurationError, match=r"Did you mean TOILE_LEASE_SECONDS\?"):
        load_settings({"TOILE_LEASE_SECOND": "60"})


def test_a_value_that_does_not_fit_names_its_variable() -> None:
    with pytest.raises(ConfigurationError, match="TOILE_PORT"):
        load_settings({"TOILE_PORT": "eighty"})


def test_a_lease_shorter_than_two_heartbeats_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="outlive two heartbeats"):
        load_settings({"TOILE_LEASE_SECONDS": "20", "TOILE_HEARTBEAT_SECONDS": "15"})


def test_secrets_are_masked_wherever_settings_are_printed() -> None:
    settings = load_settings({"TOILE_REDIS_URL": "redis://:hunter2@cache:6379/0"})
    assert isinstance(settings.redis_url, SecretStr)
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings.model_dump())


def test_the_clients_own_names_are_not_taken_for_settings() -> None:
    load_settings({"TOILE_URL": "http://shop.example", "TOILE_API_KEY": "toile_x"})


def test_import_roots_are_split_like_a_path() -> None:
    roots = load_settings({"TOILE_IMPORT_ROOTS": "/a:/b c"}).import_roots
    assert [str(root) for root in roots] == ["/a", "/b c"]


def test_an_s3_address_leaves_no_local_folder() -> None:
    assert load_settings({"TOILE_ARTIFACTS_URL": "s3://bucket/toile"}).artifact_folder is None


@pytest.mark.parametrize(
    "named",
    [
        {"TOILE_C2PA": "certificate"},
        {"TOILE_C2PA_CERTIFICATE": "a.pem", "TOILE_C2PA_PRIVATE_KEY": "k.pem"},
        {"TOILE_C2PA": "certificate", "TOILE_C2PA_CERTIFICATE": "a.pem"},
    ],
)
def test_a_certificate_is_named_whole_or_not_at_all(named: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="both files, or none"):
        load_settings(named)


def test_networks_of_webhooks_are_read_and_what_is_none_is_refused() -> None:
    read = load_settings({"TOILE_WEBHOOK_NETWORKS": "10.0.0.0/8, fd12::/48,"})
    assert read.webhook_networks == ("10.0.0.0/8", "fd12::/48")
    assert load_settings({"TOILE_WEBHOOK_NETWORKS": ""}).webhook_networks == ()
    for wrong in ("10.0.0.1/8", "shop.example", "10.0.0.0/33"):
        with pytest.raises(ConfigurationError, match="TOILE_WEBHOOK_NETWORKS"):
            load_settings({"TOILE_WEBHOOK_NETWORKS": wrong})
