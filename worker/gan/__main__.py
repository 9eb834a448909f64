"""Training and sampling with no services: `python -m worker.gan train|sample`."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shared.errors import ToileError
from worker.gan.explore.commands import directions, export, invert, wishes_of

if TYPE_CHECKING:
    from worker.gan.progress import Progress


SHOWN = ("discriminator", "encoder", "generator", "margin", "divergence")
"""Of the losses, what one line has room for."""


@click.group()
def main() -> None:
    """Train a garment generator on pictures, and make sheets of its designs."""


@main.command()
@click.option("--data", required=True, type=click.Path(path_type=Path, exists=True),
              help="IDX folder, folder of category folders, or .npz.")  # fmt: skip
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where all goes.")
@click.option("--minutes", type=float, help="Budget in minutes, over all resumes.")
@click.option("--images", type=int, help="Budget in images, in place of minutes.")
@click.option("--size", type=int, help="Side in px; pictures are 32 unless told.")
@click.option(
    "--preset",
    type=click.Choice(["auto", "residual", "dcgan", "mlp", "vae"]),
    default="auto",
    show_default=True,
)
@click.option(
    "--width", type=click.Choice(["auto", "s", "m", "l"]), default="auto", show_default=True
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    show_default=True,
)
@click.option(
    "--early-stop", type=int, help="End when the metric has not moved over so many readings."
)
@click.option(
    "--from",
    "start",
    type=click.Path(path_type=Path, exists=True),
    help="Folder of a release to go on from.",
)
@click.option(
    "--judge/--no-judge",
    default=True,
    show_default=True,
    help="Measure against held-out garments while training, and publish the best state.",
)
@click.option("--seed", default=0, show_default=True)
@click.option("--attributes", default="", help="Labels to learn, with commas; all unless told.")
@click.option("--preview-seconds", default=15.0, show_default=True)
@click.option("--checkpoint-seconds", default=60.0, show_default=True)
def train(  # noqa: PLR0913 - one parameter an option is click's way
    *, data: Path, out: Path, minutes: float | None, images: int | None, size: int | None,
    preset: Any, width: Any, precision: Any, early_stop: int | None, start: Path | None,
    judge: bool, seed: int, attributes: str, preview_seconds: float, checkpoint_seconds: float,
) -> None:  # fmt: skip
    """Train, or go on training, and write the release, the sample sheets and the checkpoints."""
    from worker.gan import sources
    from worker.gan.checkpoint import FolderCheckpoints
    from worker.gan.judging import Judging, steps_for
    from worker.gan.measuring import depth_for, with_figures
    from worker.gan.recipe import Recipe

    recipe = Recipe(
        minutes=minutes, images=images, seed=seed, preset=preset, width=width,
        precision=precision, early_stop=early_stop,
        preview_seconds=preview_seconds, checkpoint_seconds=checkpoint_seconds,
    )  # fmt: skip
    dataset = sources.read(data, size=size, attributes=[a for a in attributes.split(",") if a])
    click.echo(f"{dataset.n} garments, {dataset.size} px, {dataset.channels} channel(s), "
               f"labels: {', '.join(dataset.vocabulary) or 'none'}")  # fmt: skip
    from worker.gan.train import train as run

    kept = _Kept(out / "extractors")
    steps = steps_for(dataset.n, minutes=minutes, images=images)
    judging = Judging(kept.read(), steps=steps, keep=kept.write) if judge else None
    release = run(
        recipe, dataset, FolderCheckpoints(out / "checkpoints"),
        on_progress=_Reporter(out / "grids"), should_stop=lambda: False,
        start=_files(start) if start else None, judge=judging,
    )  # fmt: skip
    if judging is not None:
        click.echo("\nMeasuring against the garments that were held out ...")
        release, found = with_figures(
            release, dataset, judging, heldout=recipe.heldout, depth=depth_for(minutes)
        )
        kept.write(found)
    for name, content in release.files().items():
        (out / name).write_bytes(content)
    click.echo("")
    for choice in release.card["choices"]:
        click.echo(f"- {choice}")
    for figure in release.card.get("figures", ()):
        click.echo(f"{figure['key']:<52} {figure['value']:.4g}")
    click.echo(f"{release.card['images_per_second']} images/s. Release: {out}")


@main.command()
@click.option("--release", required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A PNG file.")
@click.option("--condition", "wishes", multiple=True, help="attribute=value; may be repeated.")
@click.option("--count", default=64, show_default=True, help="Designs, when a condition is given.")
@click.option("--columns", default=8, show_default=True)
@click.option("--seed", default=0, show_default=True, help="Of the first design.")
@click.option("--temper", default=1.0, show_default=True, help="Below 1: more ordinary, cleaner.")
@click.option("--scale", default=2, show_default=True, help="Times each pixel is repeated.")
def sample(  # noqa: PLR0913 - one parameter an option is click's way
    *, release: Path, out: Path, wishes: tuple[str, ...], count: int, columns: int, seed: int,
    temper: float, scale: int,
) -> None:  # fmt: skip
    """Write a sheet of designs; without a condition, one row a value of the first attribute."""
    from worker.gan import grid
    from worker.gan.release import load_generator

    generator = load_generator(_files(release))
    if wishes or not generator.vocabulary:
        conditions = [wishes_of(wishes)] * count
        seeds = list(range(seed, seed + count))
    else:
        attribute, values = next(iter(generator.vocabulary.items()))
        conditions = [{attribute: value} for value in values for _ in range(columns)]
        seeds = [seed + i % columns for i in range(len(conditions))]
    images = generator.generate(seeds, conditions, temper=temper)
    out.write_bytes(grid.png(grid.assemble(images, columns), scale=scale))
    click.echo(f"{len(images)} designs: {out}")


class _Kept:
    """Extractors in a folder, so that a resume need not train them again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self._folder.glob("*.npz"))}

    def write(self, files: Mapping[str, bytes]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (self._folder / name).write_bytes(content)


class _Reporter:
    """Prints one line that overwrites itself, and keeps the sample sheets."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, progress: "Progress") -> None:
        from worker.gan import grid

        line = (
            f"{progress.fraction:4.0%}  step {progress.step}  {progress.images_per_second:.0f} "
            f"images/s  {progress.eta_seconds:.0f} s left  "
            + "  ".join(f"{n} {progress.losses[n]:.2f}" for n in SHOWN if n in progress.losses)
        )
        if progress.metrics:
            line += f"  {progress.metric} {progress.metrics[-1]['value']:.4g}"
        click.echo(f"\r{line:<110}", nl=False)
        if progress.grid is not None:
            path = self._folder / f"{progress.images_seen:010d}.png"
            path.write_bytes(grid.png(progress.grid))


def _files(release: Path) -> dict[str, bytes]:
    """Read what a release's folder holds; whoever loads it says what is missing."""
    names = ("generator.npz", "generator.json", "critic.npz")
    return {n: (release / n).read_bytes() for n in names if (release / n).exists()}


for command in (invert, directions, export):
    main.add_command(command)

if __name__ == "__main__":
    try:
        main()
    except ToileError as problem:
        click.echo(f"Error: {problem.message}", err=True)
        sys.exit(1)
