"""Serving a real network over HTTP, beside one task a request, other servers, the bare limit."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tests.bench import machine, numbers, plots, processes, random_release, results, servers
from tests.bench.servers import Model, Served

OTHERS = ("litserve", "bentoml")
_POLLERS = 4


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    clients: Sequence[int]
    seconds: float
    share: float
    python: Path | None


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for results.")
@click.option("--sizes", multiple=True, type=int, default=(32, 128), show_default=True)
@click.option("--clients", multiple=True, type=int, default=(1, 8, 32, 128), show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--seconds", default=15.0, show_default=True, help="Of load in a measurement.")
@click.option("--share", default=0.7, show_default=True,
              help="Of the best closed-loop rate, asked for in the open loop.")  # fmt: skip
@click.option("--serving-python", "python", type=click.Path(path_type=Path, exists=True),
              help="An interpreter that has LitServe, BentoML, TensorFlow and Pillow.")  # fmt: skip
def main(
    *, out: Path, sizes: tuple[int, ...], clients: tuple[int, ...], rounds: int, seconds: float,
    share: float, python: Path | None,
) -> None:  # fmt: skip
    """Put load on each in turn, round by round."""
    asked = Asked(clients, seconds, share, python)
    for size in sizes:
        with _model(size) as model:
            found = [one_round(model, asked) for _ in range(rounds)]
        left_out = [name for name in OTHERS if name not in found[0]]
        result = {
            "size": size,
            "left_out": left_out,
            "summary": numbers.summaries(found),
            "rounds": found,
            "machine": machine.facts(),
        }
        results.write(out / f"serving-{size}.json", result)
        results.write_bytes(out / f"serving-{size}.png", _plot(size, found))
        for name in left_out:
            click.echo(f"{name} is left out: --serving-python names no interpreter that has it.")
        click.echo(f"{size} px: {json.dumps(numbers.plain(result['summary']), indent=1)}")


def one_round(model: Model, asked: Asked) -> dict[str, Any]:
    """Measure all of them one after the other, so that a busy machine weighs on all."""
    found: dict[str, Any] = {"load": machine.load()["load"]}
    found["bare"] = servers.bare(model, asked.seconds)
    with servers.toile(model) as served:
        found["toile"] = ours(served, asked)
        found["polls"] = polls(served, asked)
    with servers.celery(model) as target:
        found["celery"] = closed(target, asked)
    for name in OTHERS:
        if asked.python is not None and servers.has(asked.python, name):
            with servers.other(name, asked.python, model) as target:
                found[name] = closed(target, asked)
    found["ratios"] = _ratios(found, asked)
    return found


def ours(served: Served, asked: Asked) -> dict[str, Any]:
    """Closed loop at each number of clients, then an open one below the best rate."""
    found: dict[str, Any] = {}
    for clients in asked.clients:
        found[f"clients_{clients}"] = _with_fill(served, _ask(asked, served.target, clients))
    best = max(one["requests_per_second"] for one in found.values())
    rate = {"rate": asked.share * best}
    found["open"] = _with_fill(served, _ask(asked, served.target, max(asked.clients)) | rate)
    found["open"] |= rate
    return found


def closed(target: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    """Closed loop at each number of clients."""
    return {
        f"clients_{clients}": servers.child("load", _ask(asked, target, clients))
        for clients in asked.clients
    }


def polls(served: Served, asked: Asked) -> dict[str, float]:
    """Read the status of a job that is over as fast as the front answers.

    A core of the front is what counts, for the callers take the others.
    """
    site_id = served.ways.site_of(served.release_id)
    (job,) = served.ways.submit(site_id, served.release_id, jobs=1, count=1, size=16)
    served.ways.wait_for(job.id)
    target = {**served.target, "way": "poll", "path": f"/v1/jobs/{job.id}"}
    front = {"web": served.stack.processes["web"].pid}
    with processes.processor_time(front) as used:
        told = servers.child("load", _ask(asked, target, _POLLERS))
    return {**told, "polls_per_core_second": told["requests"] / used["web"]}


def _with_fill(served: Served, ask: Mapping[str, Any]) -> dict[str, Any]:
    before = served.ways.told(served.release_id)
    told = servers.child("load", ask)
    after = served.ways.told(served.release_id)
    batches = after["batches"] - before["batches"]
    return {**told, "images_a_batch": (after["images"] - before["images"]) / max(batches, 1)}


def _ask(asked: Asked, target: Mapping[str, Any], clients: int) -> dict[str, Any]:
    return {**target, "clients": clients, "seconds": asked.seconds, "count": 1}


def _ratios(found: Mapping[str, Any], asked: Asked) -> dict[str, float]:
    """Return ours over each other, at the most clients."""
    most = f"clients_{max(asked.clients)}"
    speed = found["toile"][most]["requests_per_second"]
    others = {name: found[name] for name in ("celery", *OTHERS) if name in found}
    return {
        **{
            f"over_{name}": speed / one[most]["requests_per_second"] for name, one in others.items()
        },
        "of_bare": speed / found["bare"]["images_per_second"],
    }


@contextmanager
def _model(size: int) -> Iterator[Model]:
    files = random_release.files(size)
    with tempfile.TemporaryDirectory(prefix="toile-model-") as folder:
        for name, data in files.items():
            (Path(folder) / name).write_bytes(data)
        yield Model(size, files, Path(folder))


def _plot(size: int, rounds: Sequence[Mapping[str, Any]]) -> bytes:
    series: dict[str, list[dict[str, float]]] = {}
    for name in ("toile", "celery", *OTHERS):
        for kind in rounds[0].get(name, ()):
            if kind != "open":
                told = numbers.summary([one[name][kind]["requests_per_second"] for one in rounds])
                point = {"clients": float(kind.partition("_")[2]), "jobs/s": told["median"],
                         "low": told["low"], "high": told["high"]}  # fmt: skip
                series.setdefault(name, []).append(point)
    return plots.curves(series, across="clients", up="jobs/s", title=f"One design of {size} px")


if __name__ == "__main__":
    main()
