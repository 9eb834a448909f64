"""`toile workers`, `toile drain` and `toile health worker`."""

import json
import os
import socket
import threading
import time
from pathlib import Path

import pytest
from redis import Redis

from shared.queue.drains import Drains
from shared.queue.presence import Doing, Offer, Presence, Taking
from shared.queue.pulse import Pulse
from shared.settings import load_settings
from tests.fixtures.toile import Toile

BUSY = Doing(task="train", subject="job_7", seconds=300)


@pytest.fixture
def presence(redis: Redis, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> Presence:
    monkeypatch.setenv("TOILE_REDIS_URL", valkey_url)
    there = Presence(redis, seconds=60)
    there.announce("train@one", Offer(queues=("train",), doing=(BUSY,)))
    there.announce("generate@one", Offer(queues=("generate", "upkeep")))
    there.announce("generate@two", Offer(queues=("generate", "upkeep"), taking=Taking.DRAINED))
    return there


@pytest.mark.usefixtures("presence")
def test_workers_are_listed_with_what_they_do(toile: Toile) -> None:
    ran = toile("workers")
    assert ran.code == 0
    (line,) = [line for line in ran.out.splitlines() if line.startswith("train@one")]
    assert "train job_7 for 5 min" in line
    assert "s ago" in line
    assert "drained" in ran.out
    assert "Nobody takes from: chores" in ran.err
    told = json.loads(toile("workers", "--json").out)
    assert [one["worker"] for one in told] == ["generate@one", "generate@two", "train@one"]
    assert told[2]["doing"][0]["subject"] == "job_7"


@pytest.mark.usefixtures("presence")
def test_a_host_is_drained_by_a_pattern_and_let_work_again(toile: Toile, redis: Redis) -> None:
    ran = toile("drain", "*@one")
    assert ran.code == 0, ran.err
    drains = Drains(redis)
    wanted = {name: drains.wanted(name) for name in ("train@one", "generate@one", "generate@two")}
    assert wanted == {"train@one": True, "generate@one": True, "generate@two": None}
    assert toile("drain", "train@one", "--undo").code == 0
    assert drains.wanted("train@one") is False


def test_waiting_ends_when_all_are_drained_or_gone(toile: Toile, presence: Presence) -> None:
    def finish() -> None:
        time.sleep(0.5)
        presence.announce("train@one", Offer(queues=("train",), taking=Taking.DRAINED))
        presence.leave("generate@one")

    thread = threading.Thread(target=finish)
    thread.start()
    ran = toile("drain", "--all", "--wait", "--timeout", 20)
    thread.join()
    assert ran.code == 0
    assert "Waiting for" in ran.err
    assert "train job_7" in ran.err
    assert "generate@one: gone" in ran.out
    assert "train@one: drained" in ran.out


@pytest.mark.usefixtures("presence")
def test_waiting_in_vain_is_exit_code_1(toile: Toile) -> None:
    ran = toile("drain", "train@one", "--wait", "--timeout", 0.2, "--json")
    assert ran.code == 1
    assert json.loads(ran.out)[0]["taking"] == "work"


@pytest.mark.usefixtures("presence")
@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["--all", "a"], 2), (["nobody@*"], 1)])
def test_it_is_said_whom_to_name(toile: Toile, arguments: list[str], code: int) -> None:
    ran = toile("drain", *arguments)
    assert ran.code == code
    assert "train@one" in ran.err or "--all" in ran.err


def test_a_worker_of_this_host_is_well_while_its_pulse_beats(toile: Toile, home: Path) -> None:
    name = f"train@{socket.gethostname()}"
    assert toile("health", "worker", "train").code == 1
    Pulse(load_settings(), name).beat(Offer(queues=("train",)))
    ran = toile("health", "worker", "train", "--json")
    assert (ran.code, json.loads(ran.out)["ok"]) == (0, True)
    long_ago = time.time() - 40
    os.utime(home / "workers" / f"{name}.json", (long_ago, long_ago))
    assert toile("health", "worker", name).code == 1
    Pulse(load_settings(), name).stop()
    assert "does not run here" in toile("health", "worker", "train").out


def test_a_pulse_on_a_disk_without_room_ends_nobody(home: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    home.write_text("no folder can be made here")
    pulse = Pulse(load_settings(), "train@one")
    pulse.beat(Offer(queues=("train",)))
    pulse.stop()
