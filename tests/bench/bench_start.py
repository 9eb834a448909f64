"""Starting: cold to the first step, from a kill to the next step, memory, and bit-exact resume."""

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from shared.errors import InvalidInputError
from tests.bench import catalogs, child, engine, machine, numbers, results
from worker.gan.recipe import Recipe

PARTS = ("restart", "memory", "exact")


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for results.")
@click.option("--root", default=catalogs.REAL, type=click.Path(path_type=Path), help="Real data.")
@click.option("--data", default="fashion-mnist", type=click.Choice(catalogs.NAMES),
              show_default=True)  # fmt: skip
@click.option("--preset", default="residual", type=click.Choice(engine.PRESETS),
              show_default=True)  # fmt: skip
@click.option("--repeats", default=5, show_default=True)
@click.option("--minutes", default=2.0, show_default=True, help="Trained while memory is watched.")
@click.option("--steps", default=300, show_default=True, help="Of the bit-exact resume.")
@click.option("--checkpoint-seconds", default=3.0, show_default=True)
@click.option("--parts", multiple=True, type=click.Choice(PARTS), default=PARTS,
              show_default=True)  # fmt: skip
def main(  # noqa: PLR0913 - one parameter an option is click's way
    *, out: Path, root: Path, data: catalogs.Name, preset: str, repeats: int, minutes: float,
    steps: int, checkpoint_seconds: float, parts: tuple[str, ...],
) -> None:  # fmt: skip
    """Start, kill and resume trainings in processes of their own."""
    told = {
        "data": data, "root": str(root.resolve()), "preset": preset, "seed": 0,
        "checkpoint_seconds": checkpoint_seconds,
    }  # fmt: skip
    work = out / "start"
    shutil.rmtree(work, ignore_errors=True)
    result: dict[str, Any] = {"data": data, "preset": preset}
    if "restart" in parts:
        result |= starts([restart(work / str(number), told) for number in range(repeats)])
    if "memory" in parts:
        result["memory"] = memory(work / "memory", told, minutes)
    if "exact" in parts:
        result["bit_exact"] = bit_exact(work / "exact", told, steps)
    result["machine"] = machine.facts()
    results.write(out / f"start-{data}-{preset}.json", result)
    click.echo(json.dumps(numbers.plain(result), indent=1))


def starts(repeated: list[dict[str, Any]]) -> dict[str, Any]:
    """Summarise what `restart` told each time, in seconds."""
    names = ("imports", "reading", "setting_up", "first_step")
    return {
        "cold": {name: numbers.summary([one["cold"][name] for one in repeated]) for name in names},
        "resume_after_kill": numbers.summary([one["resumed"] for one in repeated]),
    }


def restart(folder: Path, told: dict[str, Any]) -> dict[str, Any]:
    """Start cold; kill without warning once a checkpoint is there; start again."""
    ask = folder / "ask.json"
    child.ask(ask, **told, folder=str(folder), budget={"minutes": 60.0}, judged=False)
    begun = time.monotonic()
    with running(ask) as process:
        events = _until(process, "checkpoint")
        process.kill()
    # A step is made only after everything before it, so it tells for the whole start.
    cold = {
        "imports": events["imported"]["at"] - begun,
        "reading": events["read"]["at"] - events["imported"]["at"],
        "setting_up": events["step"]["at"] - events["read"]["at"],
        "first_step": events["step"]["at"] - begun,
    }
    killed = time.monotonic()
    with running(ask) as process:
        resumed = _until(process, "step")["step"]["at"] - killed
        process.kill()
    return {"cold": cold, "resumed": resumed}


def memory(folder: Path, told: dict[str, Any], minutes: float) -> dict[str, Any]:
    """Train for a while, judged as jobs are, and return the most memory ever resident, in MiB."""
    ask = folder / "ask.json"
    child.ask(ask, **told, folder=str(folder), budget={"minutes": minutes}, judged=True)
    with running(ask) as process:
        events = _until(process, "ended")
    return {
        "peak_mib": numbers.significant(events["ended"]["peak_mib"], 4),
        "garments": events["read"]["garments"],
        "steps": events["ended"]["steps"],
    }


def bit_exact(folder: Path, told: dict[str, Any], steps: int) -> dict[str, Any]:
    """Train once straight through, and once killed at its first checkpoint; compare the weights.

    The budget is in images: with one in minutes the schedule follows the clock, and no two runs
    are the same.
    """
    batch = engine.hyper_of(
        Recipe(preset=told["preset"], images=1),
        catalogs.read(told["data"], root=Path(told["root"])).train,
    ).batch
    budget = {"images": steps * batch}
    digests = {}
    for name in ("straight", "killed"):
        ask = folder / f"{name}.json"
        child.ask(ask, **told, folder=str(folder / name), budget=budget, judged=False)
        if name == "killed":
            with running(ask) as process:
                seen = _until(process, "checkpoint", "ended")
                process.kill()
        with running(ask) as process:
            _until(process, "ended")
        weights = (folder / name / "generator.npz").read_bytes()
        digests[name] = hashlib.sha256(weights).hexdigest()
    return {
        "equal": digests["straight"] == digests["killed"],
        "steps": steps,
        "killed_after_steps": seen.get("checkpoint", {}).get("steps"),
        **digests,
    }


@contextmanager
def running(ask: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a child; it is ended with this block at the latest."""
    command = [sys.executable, "-m", "tests.bench.child", str(ask.resolve())]
    log = ask.with_suffix(".log")
    with log.open("a", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=machine.ROOT
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _until(process: subprocess.Popen[str], *names: str) -> dict[str, dict[str, Any]]:
    """Read events until one of these; return all so far by their names."""
    seen: dict[str, dict[str, Any]] = {}
    for line in process.stdout or ():
        event = json.loads(line)
        seen[event["event"]] = event
        if event["event"] in names:
            return seen
    raise InvalidInputError(
        f"The training ended before it came to {' or '.join(names)}; it said {sorted(seen)}. "
        "Its log lies beside its ask.json."
    )


if __name__ == "__main__":
    main()
