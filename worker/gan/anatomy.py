"""What shapes a generator and tells what it may be asked for: generator.json, read and written."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from worker.gan.combinations import Combinations
from worker.gan.frame import Frame
from worker.gan.networks.layers import Shape
from worker.gan.recipe import Hyperparameters
from worker.gan.versions import FORMAT


@dataclass(frozen=True)
class Anatomy:
    """What shapes a generator and tells what it may be asked for.

    Attributes:
        preset: the family of networks.
        hyper: the settings that shape it.
        frame: the size of its pictures.
        channels: 1 or 3.
        vocabulary: attribute -> the values that may be asked for.
        slots: colours that may be asked for, 0 or 2.
        combinations: the labels and colours that go together, for what a condition leaves open.
    """

    preset: str
    hyper: Hyperparameters
    frame: Frame
    channels: int
    vocabulary: Mapping[str, tuple[str, ...]]
    slots: int
    combinations: Combinations

    @property
    def shape(self) -> Shape:
        """What the networks are built to."""
        values = tuple(len(values) for values in self.vocabulary.values())
        return Shape(self.frame.side, self.channels, values, self.slots)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "format": FORMAT,
            "preset": self.preset,
            "size": max(self.frame.height, self.frame.width),
            "height": self.frame.height,
            "width": self.frame.width,
            "channels": self.channels,
            "slots": self.slots,
            "vocabulary": {name: list(values) for name, values in self.vocabulary.items()},
            "combinations": self.combinations.as_lists(),
            "colours": self.combinations.colours_as_lists(),
            "hyper": asdict(self.hyper),
        }

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> "Anatomy":
        """Read what `as_dict` and JSON made, of this format or an earlier one."""
        size = config["size"]
        return cls(
            config.get("preset", "residual"),
            Hyperparameters.from_dict(config["hyper"]),
            Frame(config.get("height", size), config.get("width", size)),
            config["channels"],
            {name: tuple(values) for name, values in config["vocabulary"].items()},
            config.get("slots", 0),
            Combinations.from_lists(config["combinations"], config.get("colours", ())),
        )
