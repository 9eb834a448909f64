import numpy as np
from numpy.typing import NDArray

from shared.schemas.jobs import DesignSpec
from tests.fixtures.painter import Painter
from worker.designs.batch import draw
from worker.designs.looking import Eye, Space
from worker.designs.novelty import TRIES, looked_at
from worker.pictures.crowd import Crowd


def greys(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """See of a picture its first pixel, in 128 equal numbers."""
    return np.repeat(images[:, 0, 0, :1].astype(np.float32), 128, axis=1)


def eye(*garments: int, copy: float = 1.0, plain_copy: float = 1.0) -> Eye:
    known = np.repeat(np.array(garments, np.float32).reshape(-1, 1), 128, axis=1)
    return Eye(
        encoder="e1",
        size=16,
        channels=1,
        learned=Space(greys, Crowd(known), copy),
        plain=Space(greys, Crowd(known), plain_copy),
    )


def spec(seed: int, **changes: object) -> DesignSpec:
    base = {
        "release_id": "rel", "count": 1, "condition": {}, "seed": seed, "size": 32, "format": "png",
    }  # fmt: skip
    return DesignSpec.model_validate({**base, **changes})


def test_a_design_far_from_all_garments_stays_and_is_seen() -> None:
    painter = Painter()
    (member,) = looked_at(painter, eye(200), draw(painter, [spec(10)]))
    (design,) = member.drawn
    assert (design.is_copy, design.replaced, design.order.seed) == (False, 0, 10)
    assert design.embedding is not None
    assert design.embedding[0] == 10
    assert design.colours is not None


def test_a_copy_is_replaced_and_the_same_request_gives_the_same_again() -> None:
    painter = Painter()
    made = [looked_at(painter, eye(10), draw(painter, [spec(10)])) for _ in range(2)]
    (first,), (again,) = (member[0].drawn for member in made)
    assert first.replaced == 1
    assert first.order.seed != 10
    assert first.order.latent[0].seed == first.order.seed
    assert (first.order, first.pixels.tolist()) == (again.order, again.pixels.tolist())


def test_only_the_copies_of_a_job_are_replaced_each_in_its_place() -> None:
    painter = Painter()
    members = looked_at(painter, eye(11), draw(painter, [spec(10, count=3), spec(50)]))
    assert [one.replaced > 0 for member in members for one in member.drawn] == [
        False, True, False, False,
    ]  # fmt: skip
    assert [len(member.drawn) for member in members] == [3, 1]


def test_what_is_near_in_one_space_only_is_no_copy() -> None:
    painter = Painter()
    (member,) = looked_at(painter, eye(10, plain_copy=0.0), draw(painter, [spec(10)]))
    assert member.drawn[0].replaced == 0


def test_where_everything_is_a_copy_it_ends_and_says_so() -> None:
    painter = Painter()
    (member,) = looked_at(painter, eye(10, copy=1e9, plain_copy=1e9), draw(painter, [spec(10)]))
    assert (member.drawn[0].replaced, member.drawn[0].is_copy) == (TRIES, True)


def test_a_variation_that_is_a_copy_is_left_and_told() -> None:
    painter = Painter()
    way = {
        "type": "variation", "of": "des_a", "seed": 10, "strength": 0,
        "latent": [{"seed": 10, "weight": 1}],
    }  # fmt: skip
    (member,) = looked_at(painter, eye(10), draw(painter, [spec(3, way=way)]))
    assert (member.drawn[0].replaced, member.drawn[0].is_copy) == (0, True)


def test_a_replaced_design_tells_its_condition_as_it_was_asked() -> None:
    painter = Painter()
    asked = spec(10, condition={"category": "skirt"})
    (member,) = looked_at(painter, eye(10), draw(painter, [asked]))
    assert member.drawn[0].condition == {"category": "skirt"}


def test_a_batch_without_designs_needs_no_look() -> None:
    painter = Painter()
    (member,) = looked_at(painter, eye(10), draw(painter, [spec(10, size=64)]))
    assert member.error is not None
