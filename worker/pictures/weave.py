"""What the middle of a garment's picture measures like: contrast, edges, repeats, directions.

Many pictures are measured at once, each on a crop around the garment's middle, where there is most
cloth and least ground, skin and outline. Nothing is random.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.colour import srgb_to_lab
from shared.pictures.resize import resize_pixels
from worker.pictures.colours import garment_mask

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Counts = NDArray[np.int64]

FINEST: Final = 128
"""Side at which larger pictures are measured, px: finer is grain and cloth, not pattern."""

_MASK_SIDE: Final = 32
# Of the side: the crop, its innermost part, and the window within which a repeat must show.
_TALL, _WIDE = 0.5, 0.375
_INNER_TALL, _INNER_WIDE = 0.28, 0.18
_WINDOW: Final = 0.25
_LOCAL: Final = 0.1  # of the side: shading slower than this is taken out
_STEPS: Final = 4  # windows overlap: steps to a window
_DIRECTIONS: Final = 12  # of 15 degrees
_SLOWEST, _FASTEST = 1.5, 0.4  # waves a window, and a pixel: slower is shading, faster is grain
_COVERED: Final = 0.9  # part of a window that must be garment
_LEAST_LINES: Final = 4  # rows and columns of cloth long enough to count changes in
_LINE: Final = 0.12  # of the side: the shortest such line
_CHANGE: Final = (3.0, 0.3)  # how far off the mean a change goes: at least, and of the contrast
# Opponent channels in steps about as large as CIELAB's, but linear in the bytes, which is ten
# times as fast and good enough for differences.
_OPPONENT: Final = np.array(
    [[0.299, 0.500, -0.169], [0.587, -0.419, -0.331], [0.114, -0.081, 0.500]], np.float32
) * np.array([100 / 255, 150 / 255, 150 / 255], np.float32)
_SHARP: Final = 12.0  # a step over two pixels: a printed edge, not a fold
_SOFT: Final = 5.0
_RIM: Final = 2  # pixels off the ground: edges there are the outline's


@dataclass(frozen=True, slots=True)
class Weave:
    """What n garments measure like, float32 [n] each; NaN where there is too little cloth for it.

    Attributes:
        sharp: part of the cloth on sharp edges, 0-1.
        middle: the same of the innermost part.
        soft: part of the cloth on edges of any kind, 0-1.
        across: changes between lighter and darker along a row, a picture's width of it; the median.
        down: the same along a column.
        steady_across: how unlike rows are in that: quartile range over median.
        steady_down: the same of columns.
        first: part of the finer contrast that runs in the strongest direction, 0-1; by chance 0.25.
        second: the same at right angles to it.
        level: whether the strongest direction is of level stripes (1), of upright ones (0) or
            between.
        windows: how many windows that was seen in.
        wide: the garment's width over its height.
        cloth: bool [n, height, width], where the crop is garment.
        relief: float32 [n, height, width], how far the crop is off its surroundings along its main
            colour axis, about CIELAB units; 0 off the garment.
    """

    sharp: Floats
    middle: Floats
    soft: Floats
    across: Floats
    down: Floats
    steady_across: Floats
    steady_down: Floats
    first: Floats
    second: Floats
    level: Floats
    windows: Floats
    wide: Floats
    cloth: Mask
    relief: Floats


def measure_weave(pixels: Pixels) -> Weave:
    """Measure uint8 RGB ``[n, size, size, 3]``; as many as fit the processor's cache, some 64."""
    side = min(FINEST, pixels.shape[1])
    colours, cloth, wide = _cropped(pixels, side)
    relief = _relief(colours, cloth, side)
    spread = np.sqrt((relief**2).sum((1, 2)) / np.maximum(cloth.sum((1, 2)), 1))
    least = np.maximum(_CHANGE[0], _CHANGE[1] * spread)
    across = _changes(relief, cloth, least, side)
    down = _changes(relief.transpose(0, 2, 1), cloth.transpose(0, 2, 1), least, side)
    sharp, middle, soft = _edges(colours, cloth, side)
    first, second, level, windows = _directions(relief, cloth, side)
    return Weave(
        sharp=sharp,
        middle=middle,
        soft=soft,
        across=across[1],
        down=down[1],
        steady_across=_unsteadiness(across),
        steady_down=_unsteadiness(down),
        first=first,
        second=second,
        level=level,
        windows=windows,
        wide=wide,
        cloth=cloth,
        relief=relief,
    )


def _cropped(pixels: Pixels, side: int) -> tuple[Floats, Mask, Floats]:
    """Return opponent colours [n, h, w, 3], where they are garment, and width over height."""
    masks = garment_mask(srgb_to_lab(resize_pixels(pixels, min(_MASK_SIDE, pixels.shape[1]))))
    height, width = 2 * round(side * _TALL / 2), 2 * round(side * _WIDE / 2)
    crops = np.empty((len(pixels), height, width, 3), np.uint8)
    cloth = np.empty((len(pixels), height, width), np.bool_)
    wide = np.empty(len(pixels), np.float32)
    for place, mask in enumerate(masks):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        wide[place] = (np.ptp(columns) + 1) / (np.ptp(rows) + 1)
        weight = np.cumsum(mask.sum(axis=0))
        centre = int(np.searchsorted(weight, weight[-1] / 2)) + 0.5
        scale = side / len(mask)
        top = round((rows[0] + rows[-1] + 1) / 2 * scale) - height // 2
        top = min(max(top, 0), side - height)
        left = min(max(round(centre * scale) - width // 2, 0), side - width)
        crops[place] = _crop(pixels[place], (top, left, height, width), side)
        near = [
            ((np.arange(start, start + length) + 0.5) / scale).astype(int)
            for start, length in ((top, height), (left, width))
        ]
        cloth[place] = mask[np.ix_(*near)]
    return _opponent(crops), cloth, wide


def _opponent(crops: Pixels) -> Floats:
    """Turn RGB into opponent channels. Products this narrow only keep BLAS threads waiting."""
    red, green, blue = (crops[..., channel].astype(np.float32) for channel in range(3))
    mixed = [r * red + g * green + b * blue for r, g, b in _OPPONENT.T.tolist()]
    return np.stack(mixed, axis=-1).astype(np.float32)


def _crop(picture: Pixels, place: tuple[int, int, int, int], side: int) -> Any:
    top, left, height, width = place
    if len(picture) == side:
        return picture[top : top + height, left : left + width]
    scale = len(picture) / side
    box = (left * scale, top * scale, (left + width) * scale, (top + height) * scale)
    return Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS, box=box)


def _relief(colours: Floats, cloth: Mask, side: int) -> Floats:
    """Take out slow shading, and keep the axis along which the rest varies most."""
    weight = cloth.astype(np.float32)
    reach = max(2, round(side * _LOCAL))
    there = np.maximum(_summed(weight, reach), 1)[..., None]
    rest = (colours - _summed(colours * weight[..., None], reach) / there) * weight[..., None]
    channels = [np.ascontiguousarray(rest[..., place]) for place in range(3)]
    spread = np.array([[(one * two).sum((1, 2)) for two in channels] for one in channels])
    _, axes = np.linalg.eigh(spread.transpose(2, 0, 1))
    along = axes[..., -1].astype(np.float32)[..., None, None]
    mixed = along[:, 0] * channels[0] + along[:, 1] * channels[1] + along[:, 2] * channels[2]
    return np.asarray(mixed, np.float32)


def _changes(relief: Floats, cloth: Mask, least: Floats, side: int) -> Floats:
    """Count, along each row, how often it goes from lighter to darker or back.

    Returns:
        float32 [3, n]: the quartiles over the rows that are long enough; NaN where too few are.
    """
    bound = least[:, None, None]
    sign = ((relief > bound).astype(np.int8) - (relief < -bound).astype(np.int8)) * cloth
    places = np.where(sign != 0, np.arange(sign.shape[2]), -1)
    last = np.maximum.accumulate(places, axis=2)
    held = np.where(last >= 0, np.take_along_axis(sign, np.maximum(last, 0), axis=2), 0)
    changed = ((held[..., 1:] != held[..., :-1]) & (held[..., :-1] != 0)).sum(axis=2)
    length = cloth.sum(axis=2)
    rate = np.where(length >= _LINE * side, changed / np.maximum(length, 1) * side, np.nan)
    few = (length >= _LINE * side).sum(axis=1) < _LEAST_LINES
    rate[few] = 0
    quartiles = np.nanquantile(rate, [0.25, 0.5, 0.75], axis=1)
    quartiles[:, few] = np.nan
    return quartiles.astype(np.float32)


def _unsteadiness(quartiles: Floats) -> Floats:
    return np.asarray((quartiles[2] - quartiles[0]) / np.maximum(quartiles[1], 4), np.float32)


def _edges(colours: Floats, cloth: Mask, side: int) -> tuple[Floats, Floats, Floats]:
    """Return the part of the cloth on sharp edges, that of its innermost part, and on any edges."""
    inner = _summed(cloth.astype(np.float32), _RIM) > (2 * _RIM + 1) ** 2 - 0.5
    step = np.zeros(cloth.shape, np.float32)
    step[:, :, 1:-1] += np.square(colours[:, :, 2:] - colours[:, :, :-2]).sum(axis=-1)
    step[:, 1:-1] += np.square(colours[:, 2:] - colours[:, :-2]).sum(axis=-1)
    height, width = cloth.shape[1:]
    tall, broad = round(side * _INNER_TALL / 2), round(side * _INNER_WIDE / 2)
    middle = np.s_[
        :, height // 2 - tall : height // 2 + tall, width // 2 - broad : width // 2 + broad
    ]
    sharp = inner & (step > _SHARP**2)
    return (
        _part(sharp, inner),
        _part(sharp[middle], inner[middle]),
        _part(inner & (step > _SOFT**2), inner),
    )


def _part(found: Mask, of: Mask) -> Floats:
    """Return the part of each picture's pixels, NaN where there are next to none."""
    count = of.sum(axis=(1, 2))
    part = found.sum(axis=(1, 2)) / np.maximum(count, 1)
    return np.where(count > 0.1 * of.shape[1] * of.shape[2], part, np.nan).astype(np.float32)


def _directions(relief: Floats, cloth: Mask, side: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the strongest direction's part, that at right angles, its lie, and the windows."""
    window = 2 * round(side * _WINDOW / 2)
    step = max(2, window // _STEPS)
    seen = np.lib.stride_tricks.sliding_window_view
    parts = seen(relief, (window, window), axis=(1, 2))[:, ::step, ::step]
    covered = seen(cloth, (window, window), axis=(1, 2))[:, ::step, ::step].mean(axis=(3, 4))
    place = np.nonzero(covered >= _COVERED)
    wheel = _wheel(window)
    chosen = parts[place]
    waves = np.fft.rfft2((chosen - chosen.mean(axis=(1, 2), keepdims=True)) * wheel.taper)
    # Summed, not multiplied by a matrix: BLAS threads beside a training wait in busy loops.
    power = np.square(waves.real) + np.square(waves.imag)
    power = power.reshape(len(chosen), power.shape[1] * power.shape[2])
    power = np.add.reduceat(power[:, wheel.waves] * wheel.twice, wheel.starts, axis=1)
    power /= np.maximum(power.sum(axis=1, keepdims=True), 1e-6)
    near = power + np.roll(power, 1, axis=1) + np.roll(power, -1, axis=1)
    count = np.bincount(place[0], minlength=len(relief)).astype(np.float32)
    total = np.zeros((len(relief), _DIRECTIONS), np.float32)
    np.add.at(total, place[0], near)
    mean = total / np.maximum(count, 1)[:, None]
    mean[count == 0] = np.nan
    best = total.argmax(axis=1)
    rows = np.arange(len(relief))
    square = (best + _DIRECTIONS // 2) % _DIRECTIONS
    level = np.abs((best + _DIRECTIONS // 2) % _DIRECTIONS - _DIRECTIONS // 2) / _DIRECTIONS * 2
    return mean[rows, best], mean[rows, square], level.astype(np.float32), count


@dataclass(frozen=True)
class _Wheel:
    """Which of a window's waves have which direction.

    Attributes:
        taper: float32 [window, window]: what a window is multiplied by, its rim tells nothing.
        waves: places of the waves that count among all of `rfft2`, direction by direction.
        twice: float32 [waves]: 2 where `rfft2` leaves the mirrored half out.
        starts: where each direction's waves begin.
    """

    taper: Floats
    waves: Counts
    twice: Floats
    starts: Counts


@lru_cache(maxsize=8)
def _wheel(window: int) -> _Wheel:
    down, right = np.meshgrid(
        np.fft.fftfreq(window) * window, np.fft.rfftfreq(window) * window, indexing="ij"
    )
    speed = np.hypot(down, right).ravel()
    turn = np.round(np.degrees(np.arctan2(down, right)) / (180 / _DIRECTIONS)).astype(np.int64)
    turn = turn.ravel() % _DIRECTIONS
    kept = np.flatnonzero((speed >= _SLOWEST) & (speed <= _FASTEST * window))
    waves = kept[np.argsort(turn[kept], kind="stable")]
    bell = np.hanning(window + 2)[1:-1]
    mirrored = (right > 0) & (right < window / 2)
    return _Wheel(
        taper=np.outer(bell, bell).astype(np.float32),
        waves=waves,
        twice=np.where(mirrored, 2, 1).astype(np.float32).ravel()[waves],
        starts=np.searchsorted(turn[waves], np.arange(_DIRECTIONS)),
    )


def _summed(values: Floats, reach: int) -> Floats:
    """Return sums over squares of 2 reach + 1 pixels, of what is there of them."""
    for axis in (1, 2):
        edges = [(0, 0)] * values.ndim
        edges[axis] = (reach + 1, reach)
        running = np.cumsum(np.pad(values, edges), axis=axis, dtype=np.float32)
        size, span = values.shape[axis], 2 * reach + 1
        values = np.take(running, range(span, span + size), axis=axis) - np.take(
            running, range(size), axis=axis
        )
    return values
