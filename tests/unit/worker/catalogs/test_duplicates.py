"""Exact and near duplicates."""

import io
from datetime import date

import numpy as np
import pytest
from PIL import Image

from shared.demo import drawn, shapes
from shared.pictures.likeness import as_signed, perceptual_hashes
from shared.pictures.resize import resize_pixels
from worker.catalogs.duplicates import NearDuplicates, SeenGarments
from worker.catalogs.garments import KnownGarments

Array = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def garments(count: int) -> Array:
    rng = np.random.default_rng(0)
    return np.stack(
        [
            np.asarray(shapes.draw(g.category, g.pattern, g.colour, rng))
            for g in drawn.plan(count=count, end=date(2026, 1, 1))
        ]
    )


def recompressed(picture: Array) -> Array:
    buffer = io.BytesIO()
    Image.fromarray(picture).resize((64, 64)).save(buffer, "JPEG", quality=80)
    return np.asarray(Image.open(buffer).resize((32, 32)))


def flips(rng: np.random.Generator, hashes: np.ndarray, bits: int) -> np.ndarray:
    mask = np.zeros(len(hashes), dtype=np.uint64)
    for row in range(len(hashes)):
        for bit in rng.permutation(64)[:bits]:
            mask[row] |= np.uint64(1) << np.uint64(bit)
    return np.asarray(hashes ^ mask)


def test_the_index_finds_all_that_differ_in_five_bits_and_none_that_differ_in_six() -> None:
    rng = np.random.default_rng(1)
    known = rng.integers(0, 2**63, 3000).astype(np.uint64)
    index = NearDuplicates()
    for start in range(0, 3000, 70):
        rows = np.arange(start, min(start + 70, 3000))
        index.add(known[rows], rows)
    for bits in range(7):
        asked, rows = index.near(flips(rng, known[:200], bits))
        expected = np.arange(200) if bits <= 5 else np.empty(0)
        np.testing.assert_array_equal(asked, expected)
        np.testing.assert_array_equal(rows, expected)


def test_a_hundred_thousand_hashes_are_found_even_when_they_crowd() -> None:
    rng = np.random.default_rng(2)
    # Half of all bits are always 0, as in a catalog that is all of one kind.
    hashes = np.unique(rng.integers(0, 2**63, 120_000) & 0x0F0F_0F0F_0F0F_0F0F)[:100_000]
    index = NearDuplicates()
    for first in range(0, len(hashes), 4096):
        block = hashes[first : first + 4096].astype(np.uint64)
        index.add(block, np.arange(first, first + len(block)))
        asked, rows = index.near(block)
        own = asked[rows == asked + first]
        np.testing.assert_array_equal(np.unique(own), np.arange(len(block)))


def test_a_recompressed_copy_is_flagged_with_the_name_of_the_first() -> None:
    pictures = garments(40)
    seen = SeenGarments(KnownGarments())
    seen.add([f"{i}" for i in range(40)], perceptual_hashes(pictures), pictures)
    copies = np.stack([recompressed(picture) for picture in pictures])
    twins = seen.add([f"copy {i}" for i in range(40)], perceptual_hashes(copies), copies)
    assert sum(twin == f"{i}" for i, twin in enumerate(twins)) >= 34


def test_a_garment_in_another_colour_is_no_near_duplicate() -> None:
    red = np.asarray(shapes.draw("dress", "plain", "red", np.random.default_rng(3)))
    blue = np.asarray(shapes.draw("dress", "plain", "blue", np.random.default_rng(3)))
    pictures = np.stack([red, blue])
    seen = SeenGarments(KnownGarments())
    assert seen.add(["red", "blue"], perceptual_hashes(pictures), pictures) == [None, None]


def test_what_the_catalog_holds_is_found_with_and_without_its_pixels() -> None:
    pictures = resize_pixels(garments(6), 64)
    hashes = tuple(as_signed(perceptual_hashes(pictures)))
    names = tuple(f"gar_{i}" for i in range(6))
    digests = tuple(f"{i:064x}" for i in range(6))
    asked: list[int] = []

    def look(row: int) -> Array:
        asked.append(row)
        return np.asarray(pictures[row])

    for known in (
        KnownGarments(names, digests, hashes),
        KnownGarments(names, digests, hashes, look),
    ):
        seen = SeenGarments(known)
        assert seen.is_same(digests[2], "new")
        assert not seen.is_same("f" * 64, "new")
        assert seen.is_same("f" * 64, "newer")
        small = resize_pixels(pictures[:2], 32)
        assert seen.add(["a", "b"], perceptual_hashes(pictures[:2]), small)[0] == "gar_0"
    assert asked


@pytest.mark.parametrize("channels", [1, 3])
def test_equal_hashes_by_the_thousand_are_no_trouble(channels: int) -> None:
    flat = np.zeros((2000, 32, 32, channels), dtype=np.uint8)
    seen = SeenGarments(KnownGarments())
    twins = seen.add([str(i) for i in range(2000)], perceptual_hashes(flat), flat)
    assert twins[0] is None
    assert set(twins[1:]) == {"0"}
