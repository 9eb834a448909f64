"""Looking at a stranger's picture in a process of its own."""

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.errors import TooLargeError, UnreadableSourceError
from shared.provenance import apart
from shared.provenance.mark import stamp
from shared.provenance.opened import look
from shared.schemas.designs import ImageFormat
from shared.schemas.provenance import Mark
from tests.fixtures.shop import draw
from worker.designs.images import encode

MARK = Mark(release_id="rel_1", seed=7, tool="Toile 1.2")


def test_what_is_seen_apart_is_what_is_seen_here() -> None:
    pixels = draw("coat", "navy", seed=1)
    content = encode(pixels, size=32, image_format=ImageFormat.WEBP, xmp=stamp(MARK))
    here, there = look(content), apart.look_apart(content)
    assert np.array_equal(here.thumbnail, there.thumbnail)
    assert there.mark == MARK
    for name in ("media_type", "frames", "pixels_sha256", "perceptual_hash"):
        assert getattr(here, name) == getattr(there, name)


def test_a_refusal_comes_through_with_its_details() -> None:
    with pytest.raises(UnreadableSourceError, match="it is no picture"):
        apart.look_apart(b"GIF89a? no")
    buffer = BytesIO()
    Image.new("1", (4000, 4000)).save(buffer, "PNG")
    with pytest.raises(TooLargeError, match="4000 x 4000") as refused:
        apart.look_apart(buffer.getvalue())
    assert refused.value.details["pixels"] == 12_000_000


def test_a_picture_that_takes_too_long_is_refused() -> None:
    with pytest.raises(UnreadableSourceError, match="not decoded within"):
        apart.look_apart(b"x", seconds=0.001)


@pytest.mark.parametrize(
    "fault",
    ["import os; os.abort()", "x = b'0' * 2**31", "raise SystemExit(3)"],
    ids=["crash", "memory", "exit"],
)
def test_a_process_that_dies_of_a_picture_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """The decoder is replaced by one with a fault, and the process' own limits hold it."""
    (tmp_path / "sitecustomize.py").write_text(
        f"import shared.provenance.opened as opened\n"
        f"def broken(content):\n    {fault}\n"
        f"opened.look = broken\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(UnreadableSourceError, match="memory and time"):
        apart.look_apart(b"x")
