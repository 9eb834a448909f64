"""What `toile doctor` looks at: each check is a function that says what it found."""

import json
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from redis.exceptions import RedisError

from shared.artifacts import keys, open_store
from shared.cli.doctor import Finding
from shared.errors import ToileError
from shared.queue.app import create_app
from shared.queue.connection import connect
from shared.queue.names import Queue
from shared.records import Records, migrate
from shared.settings import Settings, load_settings

_LEAST_PYTHON: Final = (3, 11)
_FIRST_UNSUPPORTED_PYTHON: Final = (3, 14)
_LEAST_BYTES: Final = 2**30  # with a full disk SQLite cannot even write that a job failed
_TENSORFLOW_SECONDS: Final = 120
_PING_SECONDS: Final = 3.0
# Celery writes the schedule every three minutes.
_BEAT_SECONDS: Final = 10 * 60
_UP: Final = "Start everything with `toile up`."
# In a process of its own: TensorFlow is large, and may be missing or broken.
_ASK_TENSORFLOW: Final = """
import json, os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf
gpus = [tf.config.experimental.get_device_details(one).get("device_name", one.name)
        for one in tf.config.list_physical_devices("GPU")]
print(json.dumps({"version": tf.__version__, "gpus": gpus, "cuda": tf.test.is_built_with_cuda()}))
"""

Check = Callable[[Settings], Iterator[Finding]]


def examine() -> Iterator[Finding]:
    """Yield a finding for each thing that Toile needs, in the order in which to mend them."""
    yield _python()
    try:
        settings = load_settings()
    except ToileError as error:
        yield Finding(name="settings", ok=False, found=error.message, mend="See docs/settings.md.")
        return
    yield Finding(name="settings", ok=True, found=f"TOILE_HOME is {settings.home.resolve()}")
    for check in (_database, _redis, _store, _disk, _tensorflow, _workers, _beat):
        yield from check(settings)


def _python() -> Finding:
    version, least = sys.version_info[:2], ".".join(map(str, _LEAST_PYTHON))
    return Finding(
        name="python",
        ok=_LEAST_PYTHON <= version < _FIRST_UNSUPPORTED_PYTHON,
        found=f"{platform.python_version()} at {sys.executable}",
        mend=None
        if _LEAST_PYTHON <= version < _FIRST_UNSUPPORTED_PYTHON
        else f"Toile needs Python {least} to 3.13. `make PYTHON=python3.12 setup` names another.",
    )


def _database(settings: Settings) -> Iterator[Finding]:
    where = settings.database.render_as_string(hide_password=True)
    file = settings.database.database
    if settings.database.get_backend_name() == "sqlite" and file and not Path(file).exists():
        # Only looking must not make an empty one.
        mend = "Run `toile migrate`, or `toile up`, which does it too."
        yield Finding(name="database", ok=False, found=f"{where} is not there yet", mend=mend)
        return
    with closing(Records(settings.database)) as records:
        try:
            current = migrate.current(records)
            is_current = migrate.is_current(records)
        except Exception as error:  # noqa: BLE001 - drivers raise their own, and all mean the same
            yield Finding(
                name="database",
                ok=False,
                found=f"{where} does not answer: {str(error).splitlines()[0]}",
                mend="Start it, or correct TOILE_DATABASE_URL.",
            )
            return
    yield Finding(name="database", ok=True, found=where)
    yield Finding(
        name="migrations",
        ok=is_current,
        found=f"at {current or 'none'}, {migrate.newest()} is expected",
        mend=None if is_current else "Run `toile migrate`.",
    )


def _redis(settings: Settings) -> Iterator[Finding]:
    own = settings.redis_url is None
    what = "the embedded one" if own else "the one of TOILE_REDIS_URL"
    try:
        with closing(connect(settings)) as client:
            server = client.info("server")
            memory = client.info("memory")
    except (RedisError, ToileError) as error:
        yield Finding(
            name="redis",
            ok=False,
            found=f"{what} does not answer ({type(error).__name__})",
            mend=_UP if own else "Start it, or correct TOILE_REDIS_URL.",
        )
        return
    version = server.get("valkey_version") or server.get("redis_version")
    policy = memory.get("maxmemory_policy", "noeviction")
    keeps = policy == "noeviction" or not memory.get("maxmemory")
    yield Finding(
        name="redis",
        ok=keeps,
        found=f"{what}, version {version}, {policy}",
        mend=None if keeps else "Set maxmemory-policy to noeviction: this one drops messages.",
    )


def _store(settings: Settings) -> Iterator[Finding]:
    where = settings.artifact_folder or settings.artifacts_url
    try:
        store = open_store(settings)
        store.put(keys.probe(), b"toile doctor")
        whole = store.read(keys.probe()) == b"toile doctor"
        store.delete(keys.probe())
    except (ToileError, OSError) as error:
        yield Finding(
            name="store",
            ok=False,
            found=f"{where}: {error}",
            mend="Check TOILE_ARTIFACTS_URL and the TOILE_S3_ settings, or the folder's owner.",
        )
        return
    yield Finding(
        name="store",
        ok=whole,
        found=f"{where} writes, reads and deletes" if whole else f"{where} reads other bytes",
        mend=None if whole else "Use a store that reads what it just wrote.",
    )


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = settings.home.resolve()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    yield Finding(
        name="disk",
        ok=free >= _LEAST_BYTES,
        found=f"{free / 2**30:.1f} GiB free at {folder}",
        mend=None if free >= _LEAST_BYTES else "Make room, or set TOILE_HOME to a larger disk.",
    )


def _tensorflow(_settings: Settings) -> Iterator[Finding]:
    command = [sys.executable, "-c", _ASK_TENSORFLOW]
    try:
        asked = subprocess.run(  # noqa: S603 - this interpreter, this text
            command, capture_output=True, text=True, timeout=_TENSORFLOW_SECONDS, check=False
        )
        answer = json.loads(asked.stdout.strip().splitlines()[-1])
    except (subprocess.TimeoutExpired, ValueError, IndexError):
        yield Finding(
            name="tensorflow",
            ok=False,
            found="it does not load",
            mend="Install the extra `worker`, or `gpu` on a machine with NVIDIA GPUs; a machine "
            "that only serves web needs neither.",
        )
        return
    yield Finding(name="tensorflow", ok=True, found=answer["version"])
    yield _gpu(answer)


def _gpu(answer: dict[str, object]) -> Finding:
    gpus = answer["gpus"]
    if isinstance(gpus, list) and gpus:
        return Finding(name="gpu", ok=True, found=", ".join(map(str, gpus)))
    if shutil.which("nvidia-smi") is None:
        return Finding(name="gpu", ok=True, found="none here; the CPU does the work")
    return Finding(
        name="gpu",
        ok=False,
        found="this machine has one, and TensorFlow does not see it",
        mend="Update the driver."
        if answer["cuda"]
        else "Install the extra `gpu`: pip install --require-hashes -r "
        "worker/requirements-gpu.txt.",
    )


def _workers(settings: Settings) -> Iterator[Finding]:
    try:
        found = create_app(settings).control.inspect(timeout=_PING_SECONDS).active_queues() or {}
    except Exception as error:  # noqa: BLE001 - kombu raises many kinds, and all mean the same
        why = f"cannot be asked without Redis ({type(error).__name__})"
        yield Finding(name="workers", ok=False, found=why, mend=_UP)
        return
    consumed = {queue["name"] for queues in found.values() for queue in queues}
    idle = [queue.value for queue in Queue if queue.value not in consumed]
    names = ", ".join(sorted(found)) or "none answers"
    yield Finding(
        name="workers",
        ok=not idle,
        found=names if not idle else f"{names}; nobody takes from {', '.join(idle)}",
        mend=None if not idle else f"{_UP} On more hosts, start the Procfile's lines there.",
    )


def _beat(settings: Settings) -> Iterator[Finding]:
    folder = settings.home.resolve() / "beat"
    written = [path.stat().st_mtime for path in _files(folder)]
    age = time.time() - max(written, default=0)
    ok = age < _BEAT_SECONDS
    yield Finding(
        name="beat",
        ok=ok,
        found=f"wrote its schedule {age:.0f} s ago"
        if written
        else f"has written no schedule in {folder}",
        mend=None if ok else f"{_UP} Where beat runs on another machine, ask there.",
    )


def _files(folder: Path) -> list[Path]:
    return list(folder.glob("schedule*")) if folder.is_dir() else []
