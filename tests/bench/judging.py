"""Figures of runs, by extractors that are trained once a catalog and kept with the results.

All extractors learn from the training part alone. The test part is looked at for the report, after
a run; what is read during a run is read against what the run holds out of the training part.
"""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from tests.bench import results
from tests.bench.catalogs import RGB, Catalog, palettes
from tests.bench.engine import Sampler
from worker.gan.judging import Judging
from worker.gan.measure.classifier import Classifier
from worker.gan.measure.extractors import Extractors
from worker.gan.measure.judge import Judge
from worker.gan.measure.suite import measure


class Judgement:
    """One catalog's extractors, and what is measured by them."""

    def __init__(self, catalog: Catalog, out: Path, *, seed: int = 0) -> None:
        self._catalog, self._seed = catalog, seed
        mark = f"{catalog.name}-{catalog.train.fingerprint[:8]}-{seed}"
        self._folder = out / f"extractors-{mark}"
        self._tester: Judge | None = None

    @cached_property
    def extractors(self) -> Extractors:
        """Read them, or train and keep them; the last file is written when all are there."""
        whole = self._folder / "names.json"
        if (told := results.read(whole)) is not None:
            files = {name: (self._folder / name).read_bytes() for name in told["names"]}
            return Extractors.from_files(files)
        click.echo(f"Training the extractors of {self._catalog.name}.")
        trained = Extractors.train(self._catalog.train, seed=self._seed)
        for name, content in trained.to_files().items():
            results.write_bytes(self._folder / name, content)
        results.write(whole, {"names": sorted(trained.to_files())})
        return trained

    def judge(self) -> Judging:
        """Return what reads a run's metric while it trains: by A, on what the run holds out."""
        return Judging(self.extractors.to_files())

    def figures(self, sampler: Sampler, *, n: int, seeds: int) -> list[dict[str, Any]]:
        """Measure all there is against the test part."""
        told = measure(
            sampler,
            train=self._catalog.train,
            test=self._catalog.test,
            extractors=self.extractors,
            n=n,
            seeds=seeds,
            seed=self._seed,
            measure_colours=palettes if self._catalog.train.channels == RGB else None,
        )
        return [figure.as_dict() for figure in told]

    def distance(self, sampler: Sampler, *, n: int) -> float:
        """Return the Frechet distance by A alone, against the test part."""
        if self._tester is None:
            self._tester = Judge(self._classifier, self._catalog.test, distance="fd")
        return float(self._tester.read(sampler, n, self._seed).value)

    @property
    def _classifier(self) -> Classifier:
        if self.extractors.a is None:
            raise AssertionError("every catalog of the benchmarks has labels")
        return self.extractors.a


def read(path: Path) -> list[dict[str, Any]]:
    """Return the figures that a run's `figures.json` holds, or none."""
    found: list[dict[str, Any]] = json.loads(path.read_bytes())["figures"] if path.exists() else []
    return found
