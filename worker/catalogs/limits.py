"""How much one ingest may take in; what is beyond is refused before it can do harm."""

from dataclasses import dataclass
from typing import Final

MIB: Final = 2**20
GIB: Final = 2**30


@dataclass(frozen=True, slots=True)
class IngestLimits:
    """The limits of one ingest.

    Attributes:
        max_files: files in one source; IDX pictures count too.
        max_total_bytes: inflated bytes in one archive.
        max_ratio: inflated bytes for each packed one, once ``ratio_from`` bytes are inflated. A
            picture shrinks by a few times at most; a bomb by a thousand.
        ratio_from: inflated bytes below which the ratio does not matter.
        max_file_bytes: one picture file. A larger one is rejected by name.
        max_manifest_bytes: the manifest.
        max_pixels: width times height of one picture, read from its header before it is decoded.
            25 million take some 75 MB decoded.
        min_side: the shorter side of one picture; smaller ones are icons and tracking pixels.
        max_attributes: label columns of a manifest; the first ones count.
        max_reports: rejections and remarks kept by name; beyond that they are counted only.
    """

    max_files: int = 500_000
    max_total_bytes: int = 20 * GIB
    max_ratio: int = 100
    ratio_from: int = 64 * MIB
    max_file_bytes: int = 64 * MIB
    max_manifest_bytes: int = 256 * MIB
    max_pixels: int = 25_000_000
    min_side: int = 8
    max_attributes: int = 32
    max_reports: int = 10_000


DEFAULT_LIMITS: Final = IngestLimits()
