"""The mark that every picture carries: what it is and which seed of which release made it, as XMP.

Sources: XMP (ISO 16684-1); the IPTC Photo Metadata Standard, "Digital Source Type"; where PNG keeps
XMP, XMP Specification Part 3.
"""

import xml.etree.ElementTree as ET
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Final
from xml.sax.saxutils import quoteattr

from pydantic import ValidationError

from shared.schemas.provenance import Mark

NAMESPACE: Final = "urn:toile:provenance:1:"

_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_IPTC: Final = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_XMP: Final = "http://ns.adobe.com/xap/1.0/"
_ATTRIBUTES: Final = {
    "source_type": f"{{{_IPTC}}}DigitalSourceType",
    "tool": f"{{{_XMP}}}CreatorTool",
    "release_id": f"{{{NAMESPACE}}}release",
    "seed": f"{{{NAMESPACE}}}seed",
    "job_id": f"{{{NAMESPACE}}}job",
    "design_id": f"{{{NAMESPACE}}}design",
}
# "r": whoever edits a file in place must not write into the packet, for it has no room to grow.
_PACKET: Final = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    f'<rdf:RDF xmlns:rdf="{_RDF}">'
    f'<rdf:Description rdf:about="" xmlns:xmp="{_XMP}" xmlns:Iptc4xmpExt="{_IPTC}"'
    f' xmlns:toile="{NAMESPACE}"'
    " Iptc4xmpExt:DigitalSourceType={source_type} xmp:CreatorTool={tool}"
    " toile:release={release_id} toile:seed={seed}{made_by}/>"
    '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
)
_SEED: Final = b' toile:seed="0"'
_ZERO: Final = b'0"'
# Ours has 800 bytes. Photographs may carry megabytes of editing history, which nobody needs here.
_LONGEST: Final = 2**18


@cache  # the version stands in a file, which each picture would read
def creator_tool() -> str:
    """Return what makes the pictures: ``Toile`` and its version."""
    return f"Toile {version('toile')}"


def stamp(mark: Mark) -> bytes:
    """Return a mark as an XMP packet, UTF-8; the same mark gives the same bytes."""
    values = {
        name: quoteattr(str(value))
        for name, value in mark.model_dump().items()
        if value is not None
    }
    names = (("job", "job_id"), ("design", "design_id"))
    made_by = "".join(f" toile:{name}={values[key]}" for name, key in names if key in values)
    return _PACKET.format(**values, made_by=made_by).encode()


@lru_cache(
    maxsize=64
)  # a batch is of one release: all that differs between its packets is a number
def around_seed(release_id: str, tool: str) -> tuple[bytes, bytes]:
    """Return what stands before and after the seed in the `stamp` of a release's designs."""
    packet = stamp(Mark(release_id=release_id, seed=0, tool=tool))
    before, seed, after = packet.partition(_SEED)
    return before + seed[: -len(_ZERO)], _ZERO[1:] + after


def read(packet: bytes) -> Mark | None:
    """Return the mark in an XMP packet from anywhere, or None where there is none of ours.

    Raises nothing: a packet that is damaged, too long (256 KiB), or brings a document type along
    (which XMP forbids, and which is how XML is made to explode) holds no mark.
    """
    if len(packet) > _LONGEST:
        return None
    try:
        text = packet.decode("utf-8")
        if "<!" in text:
            return None
        return _mark_of(ET.fromstring(text))  # noqa: S314 - no document type, so no entities
    except (UnicodeDecodeError, ET.ParseError, ValidationError):
        return None


def _mark_of(root: ET.Element) -> Mark | None:
    """Find Toile's properties, as attributes or as elements: tools that edit rewrite them so."""
    for node in root.iter(f"{{{_RDF}}}Description"):
        found = {name: _property(node, place) for name, place in _ATTRIBUTES.items()}
        given = {name: value for name, value in found.items() if value is not None}
        if {"release_id", "seed"} <= given.keys():
            return Mark.model_validate({"source_type": "", "tool": "", **given})
    return None


def _property(node: ET.Element, place: str) -> str | None:
    value = node.get(place)
    return node.findtext(place) if value is None else value
