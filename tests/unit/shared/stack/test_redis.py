import stat
from contextlib import closing
from pathlib import Path

import pytest
from redis.exceptions import AuthenticationError

from shared.errors import ConfigurationError, QueueUnavailableError
from shared.queue.connection import connect, embedded_folder, embedded_password, embedded_socket
from shared.settings import Settings
from shared.stack.lock import AlreadyRunningError
from shared.stack.redis import EmbeddedRedis


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "a home")


def write(settings: Settings, count: int) -> None:
    with closing(connect(settings)) as client:
        for number in range(count):
            client.set(f"key {number}", number)


def count(settings: Settings) -> int:
    with closing(connect(settings)) as client:
        return int(client.dbsize())


def test_what_was_written_is_there_after_a_restart(own: Settings) -> None:
    with EmbeddedRedis(own):
        write(own, 3)
    with EmbeddedRedis(own):
        assert count(own) == 3


def test_what_was_acknowledged_a_second_ago_survives_a_kill(own: Settings) -> None:
    with EmbeddedRedis(own) as server:
        write(own, 100)
        with closing(connect(own)) as client:
            client.waitaof(1, 0, 2_000)
        assert server._process is not None
        server._process.kill()
        server._process.wait()
        assert server.ended() == -9
    with EmbeddedRedis(own):
        assert count(own) == 100


def test_only_the_owner_can_reach_it_and_only_with_the_password(own: Settings) -> None:
    with EmbeddedRedis(own) as server:
        folder = embedded_folder(own)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(embedded_socket(own).stat().st_mode) == 0o700
        for name in ("password", "valkey.conf"):
            assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        assert server._process is not None
        shown = Path(f"/proc/{server._process.pid}/cmdline")
        if shown.exists():
            assert embedded_password(own).encode() not in shown.read_bytes()
        (folder / "password").write_text("guessed")
        with closing(connect(own)) as client, pytest.raises(AuthenticationError):
            client.ping()


def test_it_never_throws_work_away_for_want_of_memory(own: Settings) -> None:
    with EmbeddedRedis(own), closing(connect(own)) as client:
        kept = client.config_get("maxmemory-policy", "appendonly", "appendfsync", "port", "save")
    assert kept == {
        "maxmemory-policy": "noeviction",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "port": "0",
        "save": "",
    }


def test_a_second_one_for_the_same_home_is_refused(own: Settings) -> None:
    with EmbeddedRedis(own) as first:
        with pytest.raises(AlreadyRunningError, match="already runs"):
            EmbeddedRedis(own).start()
        assert first.answers()


def test_one_whose_parent_was_killed_is_refused_and_not_replaced(own: Settings) -> None:
    with EmbeddedRedis(own) as orphan:
        orphan._held.close()  # the kernel gives a dead parent's lock back
        with pytest.raises(AlreadyRunningError, match="already answers"):
            EmbeddedRedis(own).start()
        assert orphan.answers()


@pytest.mark.parametrize("damaged", ["*.incr.aof", "*.manifest"])
def test_a_damaged_file_is_moved_aside_loudly_and_it_starts_empty(
    own: Settings, damaged: str, caplog: pytest.LogCaptureFixture
) -> None:
    with EmbeddedRedis(own):
        write(own, 500)
    (file,) = (embedded_folder(own) / "appendonlydir").glob(damaged)
    content = bytearray(file.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 40] = b"?" * 40
    file.write_bytes(content)
    with EmbeddedRedis(own):
        assert count(own) == 0
    assert "FILE IS DAMAGED" in caplog.text
    (aside,) = embedded_folder(own).glob("damaged-*")
    assert (aside / file.name).read_bytes() == content


def test_a_file_that_a_power_cut_shortened_still_loads(own: Settings) -> None:
    with EmbeddedRedis(own):
        write(own, 500)
    (file,) = (embedded_folder(own) / "appendonlydir").glob("*.incr.aof")
    file.write_bytes(file.read_bytes()[:-7])
    with EmbeddedRedis(own):
        assert count(own) == 499
    assert list(embedded_folder(own).glob("damaged-*")) == []


def test_another_failure_is_told_in_the_servers_words_and_moves_nothing(own: Settings) -> None:
    server = EmbeddedRedis(own)
    server._configuration = lambda password: "no-such-setting yes\n"  # type: ignore[method-assign]  # noqa: ARG005
    with pytest.raises(QueueUnavailableError, match="no-such-setting"):
        server.start()
    with EmbeddedRedis(own):
        assert count(own) == 0


def test_a_home_too_deep_for_a_socket_gets_one_in_a_private_folder(tmp_path: Path) -> None:
    deep = Settings(home=tmp_path / ("d" * 120))
    with EmbeddedRedis(deep) as server:
        assert server.answers()
        folder = embedded_socket(deep).parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.rmdir()


def test_a_folder_that_a_link_leads_away_from_is_refused(own: Settings, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    embedded_folder(own).parent.mkdir(parents=True)
    embedded_folder(own).symlink_to(elsewhere)
    with pytest.raises(ConfigurationError, match="belongs to another user"):
        EmbeddedRedis(own).start()
