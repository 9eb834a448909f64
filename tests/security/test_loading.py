"""What is loaded into a process: JSON and arrays, never something that runs."""

import ast
import pickle
from pathlib import Path

import pytest
from kombu import Connection, Consumer, Exchange, Producer
from kombu import Queue as KombuQueue
from kombu.exceptions import ContentDisallowed

from shared.queue.app import create_app
from shared.queue.connection import broker_url
from shared.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
RUNS_CODE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
LOADERS = {"load_model", "saved_model"}


def sources() -> list[Path]:
    return [path for part in ("web", "worker", "shared") for path in (ROOT / part).rglob("*.py")]


def test_nothing_of_ours_unpickles() -> None:
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [one.name.split(".")[0] for one in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module.split(".")[0]]
            assert not RUNS_CODE.intersection(names), path


def test_every_array_is_read_without_pickle() -> None:
    """NumPy's default refuses pickles too; being told so at each place survives a default."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr == "load" and ast.unparse(node.func.value) == "np":
                said = {one.arg: ast.unparse(one.value) for one in node.keywords}
                assert said.get("allow_pickle") == "False", f"{path}:{node.lineno}"
            assert node.func.attr not in LOADERS, f"{path}:{node.lineno}"


def test_a_pickled_message_is_refused(settings: Settings) -> None:
    """Whoever reaches Redis must not thereby run code in a worker."""
    app = create_app(settings)
    assert set(app.conf.accept_content) == {"json"}
    queue = KombuQueue("evil", Exchange("evil"), routing_key="evil")
    with Connection(broker_url(settings)) as connection:
        channel = connection.channel()
        Producer(channel).publish(
            pickle.dumps({"x": 1}),
            exchange=queue.exchange,
            routing_key="evil",
            declare=[queue],
            content_type="application/x-python-serialize",
            content_encoding="binary",
        )
        refused: list[Exception] = []

        def on_refused(_message: object, error: Exception) -> None:
            refused.append(error)

        consumer = Consumer(
            channel,
            [queue],
            accept=app.conf.accept_content,
            on_decode_error=on_refused,
            callbacks=[lambda *_: pytest.fail("the pickle was read")],
        )
        with consumer:
            connection.drain_events(timeout=5)
    assert [type(one) for one in refused] == [ContentDisallowed]
