from collections.abc import Sequence
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from shared.errors import OutOfMemoryError
from shared.schemas.designs import ImageFormat, Walk
from shared.schemas.jobs import DesignSpec
from tests.fixtures.painter import Dyer, Painter
from worker.designs.batch import Generates, draw
from worker.designs.encoding import Made, encoded
from worker.designs.images import encode
from worker.designs.orders import own, seeds_of


def spec(seed: int, count: int = 1, **changes: object) -> DesignSpec:
    base = {
        "release_id": "rel",
        "count": count,
        "condition": {},
        "seed": seed,
        "size": 32,
        "format": "png",
    }
    return DesignSpec.model_validate({**base, **changes})


def make(generator: Generates, specs: Sequence[DesignSpec]) -> list[Made]:
    """Draw and encode in one thread what the worker draws in one and encodes in another."""
    return [encoded(member) for member in draw(generator, specs)]


def grey_of(data: bytes) -> int:
    value = np.asarray(Image.open(BytesIO(data)))
    assert (value == value.flat[0]).all()
    return int(value.flat[0])


def test_all_members_share_one_forward_pass_and_get_their_own_pictures() -> None:
    painter = Painter()
    made = make(painter, [spec(10, 2), spec(50), spec(100, 3)])
    assert painter.batches == [6]
    greys = [[grey_of(picture.data) for picture in one.pictures] for one in made]
    assert greys == [[10, 11], [50], [100, 101, 102]]


def test_a_picture_tells_what_was_drawn_for_what_was_left_open() -> None:
    made = make(Painter(), [spec(1, 2), spec(3, condition={"category": "skirt"})])
    told = [[picture.condition["category"] for picture in one.pictures] for one in made]
    assert told == [["dress", "skirt"], ["skirt"]]


def test_one_bad_member_fails_alone() -> None:
    made = make(Painter(), [spec(1), spec(2, condition={"category": "boat"}), spec(3)])
    assert [len(one.pictures) for one in made] == [1, 0, 1]
    assert "boat" in str(made[1].error)
    assert "dress, skirt" in str(made[1].error)


def test_colours_reach_the_generator_as_codes_and_are_told_as_they_were_asked() -> None:
    dyer = Dyer()
    asked = {"category": "skirt", "colour": "navy", "second_colour": "#FFAA00"}
    (made,) = make(dyer, [spec(1, condition=asked)])
    assert dyer.asked == [
        {"category": "skirt", "colour": "#1c2748", "second_colour": "#ffaa00"},
    ]
    assert [picture.condition for picture in made.pictures] == [asked]


def test_a_word_that_is_no_colour_fails_alone() -> None:
    made = make(Dyer(), [spec(1, condition={"colour": "nvy"}), spec(2)])
    assert "#rrggbb" in str(made[0].error)
    assert made[1].error is None


def test_a_generator_without_colours_takes_none() -> None:
    (made,) = make(Painter(), [spec(1, condition={"colour": "navy"})])
    assert "no such attribute" in str(made.error)


def test_a_size_that_the_release_cannot_make_fails_alone() -> None:
    made = make(Painter(), [spec(1, size=64), spec(2)])
    assert "32 px" in str(made[0].error)
    assert made[1].error is None


def test_a_batch_of_bad_members_needs_no_forward_pass() -> None:
    painter = Painter()
    made = make(painter, [spec(1, size=64)])
    assert painter.batches == []
    assert made[0].error is not None


def test_each_member_has_the_variety_that_it_asked_for() -> None:
    painter = Painter()
    make(painter, [spec(1, 2, variety=0.3), spec(2)])
    assert painter.tempers == [0.3, 0.3, 0.8]


def test_seeds_count_up_from_the_jobs_own_and_wrap() -> None:
    assert seeds_of(spec(2**31 - 1, 3)) == [2**31 - 1, 0, 1]


@pytest.mark.parametrize("image_format", list(ImageFormat))
@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_is_lossless_and_of_the_size_asked_for(
    image_format: ImageFormat, channels: int
) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (32, 32, channels), np.uint8)
    same = Image.open(BytesIO(encode(pixels, size=32, image_format=image_format)))
    assert same.format == image_format.value.upper()
    assert (np.asarray(same.convert("RGB")) == np.broadcast_to(pixels, (32, 32, 3))).all()
    half = Image.open(BytesIO(encode(pixels, size=16, image_format=image_format)))
    assert half.size == (16, 16)


def test_a_pass_without_memory_is_made_again_in_halves() -> None:
    painter = Cramped(most=2)
    made = make(painter, [spec(1), spec(2), spec(3), spec(4), spec(5)])
    assert [len(one.pictures) for one in made] == [1] * 5
    assert max(painter.batches) <= 2


def test_a_member_too_large_for_the_memory_fails_alone() -> None:
    made = make(Cramped(most=3), [spec(1), spec(20, 5), spec(2)])
    assert [len(one.pictures) for one in made] == [1, 0, 1]
    assert isinstance(made[1].error, OutOfMemoryError)


def test_any_other_error_of_the_device_is_not_taken_for_a_lack_of_memory() -> None:
    class Broken(Painter):
        def generate(self, *_: object, **__: object) -> NDArray[np.uint8]:
            raise RuntimeError("the device fell off")

    with pytest.raises(RuntimeError, match="fell off"):
        draw(Broken(), [spec(1)])


def test_a_walk_is_one_animation() -> None:
    way = Walk(
        of=("des_a", "des_b"), seeds=(10, 90), first=own(10), second=own(90),
        frames=6, frame_milliseconds=40,
        end_condition={},
    )  # fmt: skip
    (made,) = make(Painter(), [spec(10, way=way.model_dump())])
    (picture,) = made.pictures
    animation = Image.open(BytesIO(picture.data))
    assert (picture.frames, animation.format) == (6, "WEBP")
    assert getattr(animation, "n_frames", 1) == 10  # there and back
    assert picture.as_columns(spec(10, way=way.model_dump()))["origin"]["of"] == ["des_a", "des_b"]


def test_a_variation_keeps_how_it_can_be_made_again() -> None:
    asked = spec(7, way={"type": "variation", "of": "des_a", "seed": 3, "latent": [
        {"seed": 3, "weight": 1.0}], "strength": 0.5})  # fmt: skip
    (made,) = make(Painter(), [asked])
    origin = made.pictures[0].as_columns(asked)["origin"]
    assert origin["way"] == "variation"
    assert {term["seed"] for term in origin["latent"]} == {3, 7}


def test_a_design_of_its_own_seed_needs_no_origin() -> None:
    (made,) = make(Painter(), [spec(7)])
    assert made.pictures[0].as_columns(spec(7))["origin"] is None


class Cramped(Painter):
    """Has memory for so many images and no more."""

    def __init__(self, *, most: int) -> None:
        super().__init__()
        self.most = most

    def before_pass(self, seeds: Sequence[int]) -> None:
        if len(seeds) > self.most:
            raise MemoryError
