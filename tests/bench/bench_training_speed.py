"""Images a second: the whole training, the bare step, and the same networks in PyTorch."""

import json
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from shared.errors import InvalidInputError
from tests.bench import catalogs, engine, flops, machine, numbers, results
from worker.gan import device
from worker.gan.recipe import Preset, Recipe

PEERS = ("residual", "dcgan")
"""Presets that were also written in PyTorch."""

AGREEING = 1e-3
"""Largest difference of two builds' outputs, of about one, that rounding explains."""


@dataclass(frozen=True)
class Effort:
    """How long and how often to measure.

    Attributes:
        rounds: each measures everything once, so that ratios are taken within a minute.
        seconds: of the bare step, and of the peer, in each round.
        minutes: of the whole training in each round.
        threads: for both sides; None leaves the choice to them.
        torch_python: an interpreter that has PyTorch; None leaves the peers out.
    """

    rounds: int
    seconds: float
    minutes: float
    threads: int | None
    torch_python: Path | None


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for results.")
@click.option("--root", default=catalogs.REAL, type=click.Path(path_type=Path), help="Real data.")
@click.option("--data", multiple=True, type=click.Choice(catalogs.NAMES),
              default=("fashion-mnist", "product-shots"), show_default=True)  # fmt: skip
@click.option("--presets", multiple=True, type=click.Choice(engine.PRESETS),
              default=engine.PRESETS, show_default=True)  # fmt: skip
@click.option("--rounds", default=3, show_default=True)
@click.option("--seconds", default=15.0, show_default=True, help="Of bare step and peer, a round.")
@click.option("--minutes", default=0.5, show_default=True, help="Of the whole training, a round.")
@click.option("--threads", type=int, help="For both sides; all cores unless told.")
@click.option("--torch-python", type=click.Path(path_type=Path, exists=True),
              help="Interpreter with PyTorch; without it the peers are left out.")  # fmt: skip
def main(  # noqa: PLR0913 - one parameter an option is click's way
    *, out: Path, root: Path, data: tuple[catalogs.Name, ...], presets: tuple[Preset, ...],
    rounds: int, seconds: float, minutes: float, threads: int | None, torch_python: Path | None,
) -> None:  # fmt: skip
    """Measure every preset on every catalog; finished ones are kept."""
    device.prepare(threads=threads)
    effort = Effort(rounds, seconds, minutes, threads, torch_python)
    for name in data:
        catalog = catalogs.read(name, root=root)
        for preset in presets:
            path = out / "training-speed" / f"{name}-{preset}.json"
            if results.read(path) is None:
                results.write(path, {**case(catalog, preset, effort), "machine": machine.facts()})
    click.echo(table(out))


def case(catalog: catalogs.Catalog, preset: Preset, effort: Effort) -> dict[str, Any]:
    """Measure one preset on one catalog, with labels as its only condition."""
    catalog = replace(catalog, train=replace(catalog.train, colours=None))
    bare = engine.BareStep(_asked(preset, catalog, images=1), catalog.train)
    exact = engine.BareStep(_exact(preset, catalog), catalog.train) if bare.halves else None
    work = bare.multiplications()
    with tempfile.TemporaryDirectory() as folder:
        asked = None
        if effort.torch_python is not None and preset in PEERS:
            asked = ask(Path(folder), catalog, preset, bare, effort)
        rounds = [
            one_round(catalog, preset, (bare, exact), effort, Path(folder) / str(number), asked)
            for number in range(effort.rounds)
        ]
    return {
        "data": catalog.name,
        "size": catalog.train.size,
        "channels": catalog.train.channels,
        "garments": catalog.train.n,
        "preset": preset,
        "precision": "bfloat16" if bare.halves else "float32",
        "batch": bare.hyper.batch,
        "parameters": bare.parameters(),
        "multiply_adds_an_image": work,
        "rounds": rounds,
        "summary": summarise(rounds, work["step"]),
    }


def one_round(
    catalog: catalogs.Catalog, preset: Preset,
    steps: tuple[engine.BareStep, engine.BareStep | None], effort: Effort,
    folder: Path, asked: Path | None,
) -> dict[str, Any]:  # fmt: skip
    """Measure everything once, one after the other.

    `steps` is the step as a training would take it, and the same in float32 where that is another.
    """
    bare, exact = steps
    told: dict[str, Any] = {"peak": flops.conv_peak(), "load": machine.load()["load"]}
    told["bare"] = bare.images_per_second(effort.seconds)
    told["bare_float32"] = (
        told["bare"] if exact is None else exact.images_per_second(effort.seconds)
    )
    watch = engine.StepWatch()
    recipe = _asked(preset, catalog, minutes=effort.minutes)
    card = engine.run(recipe, catalog.train, folder, should_stop=watch).card
    told["first_step_seconds"] = watch.until_first
    # Compiling is told apart: in hours of training it is nothing, in this half minute much.
    rest = max(card["seconds"] - watch.of_first, 1e-9)
    told["whole"] = (card["images_seen"] - bare.hyper.batch) / rest
    if asked is not None and effort.torch_python is not None:
        told["peer"] = peer(effort.torch_python, asked, bare.parameters())
    return told


def _asked(preset: Preset, catalog: catalogs.Catalog, **budget: Any) -> Recipe:
    return engine.unaugmented(Recipe(preset=preset, **budget), catalog.train)


def _exact(preset: Preset, catalog: catalogs.Catalog) -> Recipe:
    return replace(_asked(preset, catalog, images=1), precision="float32")


def ask(
    folder: Path, catalog: catalogs.Catalog, preset: Preset, bare: engine.BareStep, effort: Effort
) -> Path:
    """Write what a peer needs: the catalog, the settings and, for one check, our weights."""
    train = catalog.train
    np.savez(folder / "data.npz", images=train.images, labels=train.label_matrix())
    weights: dict[str, Any] = engine.BareStep(_exact(preset, catalog), train).probe()
    np.savez(folder / "probe.npz", **weights)
    content = {
        "preset": preset,
        "hyper": engine.settings(bare.hyper),
        "values": [len(values) for values in train.vocabulary.values()],
        "threads": effort.threads,
        "halves": bare.halves,
        "seconds": effort.seconds,
        "data": str(folder / "data.npz"),
        "probe": str(folder / "probe.npz"),
    }
    results.write(folder / "ask.json", content)
    return folder / "ask.json"


def peer(python: Path, asked: Path, parameters: dict[str, int]) -> dict[str, Any]:
    """Run the peer and check that it is the same network.

    Raises:
        InvalidInputError: it is not, or it did not run.
    """
    command = [str(python), "-m", "tests.bench.peers", str(asked)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=machine.ROOT, check=False)
    if done.returncode:
        raise InvalidInputError(
            f"The PyTorch peer ended with {done.returncode}:\n{done.stderr[-2000:]}\n"
            "Name an interpreter that has torch and numpy with --torch-python."
        )
    told: dict[str, Any] = json.loads(done.stdout)
    if told["parameters"] != parameters:
        raise InvalidInputError(
            f"The peer has {told['parameters']} parameters and ours {parameters}; a ratio of two "
            "different networks says nothing. Bring tests/bench/peers up to worker/gan/networks."
        )
    apart = max(told["difference"].values())
    if apart > AGREEING:
        raise InvalidInputError(
            f"With the same weights the peer's outputs differ from ours by {apart:.2g}; expected "
            f"at most {AGREEING:g}. Bring tests/bench/peers up to worker/gan/networks."
        )
    return told


def summarise(rounds: list[dict[str, Any]], step: int) -> dict[str, Any]:
    """Return medians of the rounds, and ratios taken within each round.

    Args:
        rounds: as `one_round` gives them.
        step: multiply-adds of a training step, an image.
    """
    bare = [told["bare"] for told in rounds]
    reached = [2e-9 * step * speed for speed in bare]
    told = {
        "bare_images_per_second": numbers.summary(bare),
        "whole_images_per_second": numbers.summary([told["whole"] for told in rounds]),
        "whole_over_bare": numbers.paired_ratio([told["whole"] for told in rounds], bare),
        "gflops": numbers.summary(reached),
        "conv_peak_gflops": numbers.summary([told["peak"] for told in rounds]),
        "share_of_peak": numbers.paired_ratio(reached, [told["peak"] for told in rounds]),
        "first_step_seconds": numbers.summary([told["first_step_seconds"] for told in rounds]),
    }
    if all("peer" in told for told in rounds):
        theirs = [told["peer"]["images_per_second"] for told in rounds]
        told["peer_images_per_second"] = numbers.summary(theirs)
        told["bare_over_peer"] = numbers.paired_ratio(bare, theirs)
        exact = [told["bare_float32"] for told in rounds]
        told["bare_over_peer_float32"] = numbers.paired_ratio(exact, theirs)
        halves = [told["peer"]["images_per_second_bfloat16"] for told in rounds]
        if all(halves):
            told["peer_images_per_second_bfloat16"] = numbers.summary(halves)
            told["bare_over_peer_bfloat16"] = numbers.paired_ratio(bare, halves)
    return told


def table(out: Path) -> str:
    """Return one line a finished case, and write them all as one file."""
    found = [results.read(path) for path in sorted((out / "training-speed").glob("*.json"))]
    cases = [content for content in found if content]
    results.write(out / "training-speed.json", {"cases": cases})
    lines = ["data preset: images/s whole, bare; whole/bare; GFLOP/s (of peak); first step; /torch"]
    for content in cases:
        told = {name: value["median"] for name, value in content["summary"].items()}
        lines.append(
            f"{content['data']} {content['preset']}: {told['whole_images_per_second']:.0f}, "
            f"{told['bare_images_per_second']:.0f}; {told['whole_over_bare']:.3f}; "
            f"{told['gflops']:.1f} ({told['share_of_peak']:.0%}); "
            f"{told['first_step_seconds']:.1f} s; {told.get('bare_over_peer', '-')}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
