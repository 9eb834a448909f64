"""How strongly to augment: more when the discriminator knows its garments by heart.

After ADA (Karras et al. 2020, arXiv 2006.06676), with its statistic r_v: how far garments that
were trained on are taken for more real than held-out ones, as a share of how far they are taken for
more real than generated ones. A relativistic discriminator has no absolute zero, so ADA's other
statistic (the sign of the logits) does not carry over.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from worker.gan.recipe import Hyperparameters

EVERY_IMAGES: Final = 4_000
"""Images between two looks; each look costs about two steps."""

FULL_SWING: Final = 0.1
"""Share of the budget in which the chance can go from none to all."""

SHORTEST_SWING: Final = 50_000
"""Images; ADA's own is 500,000, for runs of twenty-five million."""

HIGHEST: Final = 0.8
"""Beyond this chance augmentations leak into what is generated (Karras et al. 2020)."""


@dataclass
class AugmentChance:
    """The chance with which each image is augmented; adapted from what the discriminator says."""

    hyper: Hyperparameters
    chance: float
    looked: int = 0
    by_heart: float = 0.0

    def due(self, images_seen: int) -> bool:
        """Whether it is time to look again. It goes by images, so that a resume repeats it."""
        return self.hyper.augment_target > 0 and images_seen - self.looked >= EVERY_IMAGES

    def look(self, judged: Mapping[str, float], images_seen: int, swing: float) -> None:
        """Move the chance one step towards the target.

        Args:
            judged: mean logits of `seen`, `held_out` and `generated` garments.
            images_seen: so far.
            swing: images in which the chance may go from 0 to 1.
        """
        shown, self.looked = images_seen - self.looked, images_seen
        favour = judged["seen"] - judged["generated"]
        gap = judged["seen"] - judged["held_out"]
        self.by_heart = min(max(gap / favour, 0.0), 1.0) if favour > 0 else 0.0
        direction = 1.0 if self.by_heart > self.hyper.augment_target else -1.0
        moved = self.chance + direction * shown / max(swing, SHORTEST_SWING)
        self.chance = min(max(moved, 0.0), HIGHEST)

    def as_dict(self) -> dict[str, float]:
        """Return what a resume needs."""
        return {"chance": self.chance, "looked": self.looked, "by_heart": self.by_heart}

    def follow(self, hyper: Hyperparameters) -> None:
        """Take the settings of a remedy: never less augmentation than they ask for."""
        if hyper.augment > self.hyper.augment:
            self.chance = max(self.chance, hyper.augment)
        self.hyper = hyper
