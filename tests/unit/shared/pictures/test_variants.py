from io import BytesIO

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from shared.pictures.variants import rendered, side_in, side_of

PACKET = b'<?xpacket begin="" id="x"?><x:xmpmeta xmlns:x="adobe:ns:meta/"/><?xpacket end="r"?>'


def picture(size: int = 32, *, grey: bool = False, packet: bytes | None = PACKET) -> bytes:
    rng = np.random.default_rng(7)
    pixels = rng.integers(0, 256, (size, size) if grey else (size, size, 3), dtype=np.uint8)
    chunks = PngImagePlugin.PngInfo()
    if packet is not None:
        chunks.add_itxt("XML:com.adobe.xmp", packet.decode())
    target = BytesIO()
    Image.fromarray(pixels).save(target, "PNG", pnginfo=chunks)
    return target.getvalue()


@pytest.mark.parametrize(
    ("side", "most", "gets"),
    [
        (256, 96, 96), (96, 96, 96), (64, 96, 64), (32, 96, 96), (28, 96, 84),
        (16, 512, 128), (32, 512, 256), (48, 512, 384), (64, 512, 512), (96, 512, 480),
        (128, 512, 512), (256, 512, 512), (256, 1024, 1024), (128, 1024, 1024),
        (64, 1024, 512), (2000, 1024, 1024), (1, 96, 8),
    ],
)  # fmt: skip
def test_a_side_grows_by_whole_numbers_and_at_most_eightfold(
    side: int, most: int, gets: int
) -> None:
    assert side_of(side, most=most) == gets


@pytest.mark.parametrize("to", ["png", "webp", "avif"])
@pytest.mark.parametrize("grey", [False, True])
def test_every_format_has_the_size_and_carries_the_mark(to: str, *, grey: bool) -> None:
    made = rendered(picture(grey=grey), side=64, to=to)
    with Image.open(BytesIO(made)) as image:
        assert image.format == to.upper()
        assert image.size == (64, 64)
        assert image.info["xmp"].strip(b"\0") == PACKET
    assert side_in(made) == 64


@pytest.mark.parametrize("to", ["png", "webp", "avif"])
def test_a_photograph_without_a_mark_gets_none(to: str) -> None:
    made = rendered(picture(packet=None), side=None, to=to)
    with Image.open(BytesIO(made)) as image:
        assert "xmp" not in image.info
        assert image.size == (32, 32)


@pytest.mark.parametrize("to", ["png", "webp", "avif"])
def test_the_same_picture_gives_the_same_bytes(to: str) -> None:
    assert rendered(picture(), side=96, to=to) == rendered(picture(), side=96, to=to)


def test_png_of_its_own_size_keeps_every_pixel() -> None:
    before = picture()
    after = rendered(before, side=None, to="png")
    one, two = (np.asarray(Image.open(BytesIO(data))) for data in (before, after))
    assert np.array_equal(one, two)


def test_of_an_animation_the_first_frame_is_taken() -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    target = BytesIO()
    frames[0].save(target, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    with Image.open(BytesIO(rendered(target.getvalue(), side=64, to="png"))) as image:
        assert getattr(image, "n_frames", 1) == 1
        assert image.convert("RGB").getpixel((30, 30)) == (255, 0, 0)
