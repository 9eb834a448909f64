"""Warm start: the weights of a release in networks for a catalog that has grown since.

What a condition is called decides where its weights go: a value that both know keeps its
embedding, a new value starts from the mean of those known, and a new attribute starts without a
say (zeros where it enters), so that at the first step the networks do what they did before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidInputError
from worker.gan.anatomy import Anatomy
from worker.gan.data import Dataset
from worker.gan.recipe import Recipe
from worker.gan.release import load_networks

GENTLER = 0.5
"""Times the first learning rate: the networks are near a good place already."""

Vocabulary = Mapping[str, Sequence[str]]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class WarmStart:
    """A release to go on from.

    Attributes:
        anatomy: what shapes its networks.
        generator: its network.
        critic: the discriminator or encoder; None where the release has none, and a new one is
            trained.
        dataset: the catalog to go on with.
    """

    anatomy: Anatomy
    generator: Any
    critic: Any | None
    dataset: Dataset

    @classmethod
    def read(cls, files: Mapping[str, bytes], dataset: Dataset) -> "WarmStart":
        """Read a release for a catalog.

        Raises:
            ReleaseCorruptError: it cannot be read.
            InvalidInputError: it is of another size or channels.
        """
        anatomy, generator, critic = load_networks(files)
        if (anatomy.frame, anatomy.channels) != (dataset.frame, dataset.channels):
            raise InvalidInputError(
                f"The release makes pictures of {anatomy.frame.width}x{anatomy.frame.height} px "
                f"with {anatomy.channels} channel(s); the catalog has {dataset.frame.width}x"
                f"{dataset.frame.height} px with {dataset.channels}. Go on with the same, or train "
                "without a release to start from."
            )
        return cls(anatomy, generator, critic, dataset)

    @property
    def words(self) -> str:
        """Say what is kept and what is new."""
        new = [
            f"{name}={value}"
            for name, values in self.dataset.vocabulary.items()
            for value in values
            if value not in self.anatomy.vocabulary.get(name, ())
        ]
        critic = "" if self.critic is not None else " Its discriminator is not kept: a new one."
        return (
            "Started from an earlier release with half the usual learning rate; new labels: "
            f"{', '.join(new) or 'none'}.{critic}"
        )

    @property
    def told(self) -> dict[str, Any]:
        """What the card says."""
        return {"preset": self.anatomy.preset, "vocabulary": dict(self.anatomy.vocabulary)}

    def lead(self, asked: Recipe) -> Recipe:
        """Return the recipe with the release's preset and settings, learning more gently."""
        hyper = replace(
            self.anatomy.hyper, learning_rate=GENTLER * self.anatomy.hyper.learning_rate, ramp=0.0
        )
        preset: Any = self.anatomy.preset
        return replace(asked, preset=preset, hyper=hyper)

    def into(self, trainer: Any) -> None:
        """Put the release's weights into new networks."""
        known, wanted = self.anatomy.vocabulary, self.dataset.vocabulary
        latent = self.anatomy.hyper.latent
        for target in (trainer.generator, trainer.average):
            transfer(self.generator, target, known=known, wanted=wanted, kept=latent)
        if self.critic is not None:
            kept = getattr(trainer.critic, "pictured", 0)
            transfer(self.critic, trainer.critic, known=known, wanted=wanted, kept=kept)


def transfer(
    source: Any, target: Any, *, known: Vocabulary, wanted: Vocabulary, kept: int = 0
) -> None:
    """Copy the weights of one network into another of the same preset and settings.

    Args:
        source: knows the vocabulary `known`.
        target: is to know the vocabulary `wanted`.
        known: attribute -> values of the source, in its own order.
        wanted: the same of the target.
        kept: rows of the first dense layer that come before the conditions' (the latent's), for
            networks that take conditions beside it.

    Raises:
        ValueError: the networks differ in more than their conditions.
    """
    told = [getattr(network, "told", None) for network in (source, target)]
    judged = [getattr(network, "verdict", None) for network in (source, target)]
    special = {id(v) for network in (*told, *judged) for v in _conditional(network)}
    kernels = (source.first_kernel, target.first_kernel) if told[0] is not None else ()
    special |= {id(kernel) for kernel in kernels}
    _copy_plain(source, target, special)
    for pair in (told, judged):
        if pair[0] is not None:
            _copy_tables(*pair, known=known, wanted=wanted)
    if kernels:
        width = told[0].conditions.tables[0].shape[1] if known else 0
        blocks = _blocks(np.asarray(kernels[0]), kept, width, list(known))
        _fill_kernel(kernels[1], blocks, kept, list(wanted), width)


def _conditional(layer: Any) -> list[Any]:
    if layer is None:
        return []
    colours = layer.colours.weights if layer.colours is not None else []
    return [*layer.conditions.weights, *colours]


def _copy_plain(source: Any, target: Any, special: set[int]) -> None:
    ours = [v for v in target.weights if id(v) not in special]
    theirs = [v for v in source.weights if id(v) not in special]
    if [tuple(v.shape) for v in ours] != [tuple(v.shape) for v in theirs]:
        raise ValueError("the networks differ in more than their conditions")
    for mine, other in zip(ours, theirs, strict=True):
        mine.assign(other)


def _copy_tables(source: Any, target: Any, *, known: Vocabulary, wanted: Vocabulary) -> None:
    tables = dict(zip(known, source.conditions.tables, strict=True))
    for (name, values), table in zip(wanted.items(), target.conditions.tables, strict=True):
        if name in tables:
            table.assign(_grown(np.asarray(tables[name]), list(known[name]), list(values)))
    if source.colours is not None and target.colours is not None:
        for mine, other in zip(target.colours.weights, source.colours.weights, strict=True):
            mine.assign(other)


def _grown(rows: Array, known: list[str], wanted: list[str]) -> Array:
    """Row 0 is NULL; the others follow their values, and a new value starts from the mean."""
    mean = rows[1:].mean(axis=0)
    told = [rows[known.index(value) + 1] if value in known else mean for value in wanted]
    return np.stack([rows[0], *told])


def _blocks(kernel: Array, kept: int, width: int, names: list[str]) -> dict[str, Array]:
    """Cut the rows of a first dense layer by what feeds them."""
    blocks, start = {"": kernel[:kept]}, kept
    for name in names:
        blocks[name] = kernel[start : start + width]
        start += width
    blocks["#"] = kernel[start:]
    return blocks


def _fill_kernel(
    kernel: Any, blocks: Mapping[str, Array], kept: int, names: list[str], width: int
) -> None:
    whole = np.zeros(kernel.shape, np.float32)
    whole[:kept] = blocks[""]
    width = width or (kernel.shape[0] - kept) // max(len(names), 1)
    for place, name in enumerate(names):
        if name in blocks:
            start = kept + place * width
            whole[start : start + width] = blocks[name]
    end = kept + len(names) * width
    if blocks["#"].shape == whole[end:].shape:
        whole[end:] = blocks["#"]
    kernel.assign(whole)
