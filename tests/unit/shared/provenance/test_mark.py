"""The mark as XMP, from bytes to bytes."""

import xml.etree.ElementTree as ET

import pytest

from shared.provenance.mark import creator_tool, read, stamp
from shared.schemas.provenance import MADE_BY_MODEL, Mark

MARK = Mark(release_id="rel_1", seed=7, job_id="job_1", design_id="des_1", tool="Toile 1.2")


def test_a_mark_comes_back_as_it_was_stamped() -> None:
    assert read(stamp(MARK)) == MARK


def test_the_same_mark_gives_the_same_bytes() -> None:
    assert stamp(MARK) == stamp(MARK.model_copy())
    assert stamp(MARK) != stamp(MARK.model_copy(update={"seed": 8}))


def test_it_says_in_iptcs_words_that_a_model_made_the_picture() -> None:
    text = stamp(MARK).decode()
    assert f'Iptc4xmpExt:DigitalSourceType="{MADE_BY_MODEL}"' in text
    assert 'xmp:CreatorTool="Toile 1.2"' in text
    assert creator_tool().startswith("Toile ")


@pytest.mark.parametrize("value", ['a"b', "a<b>&c", 'it\'s "both"', "näh\u00a0ß", "]]>"])
def test_what_xml_would_misread_is_escaped(value: str) -> None:
    mark = MARK.model_copy(update={"design_id": value})
    packet = stamp(mark)
    ET.fromstring(packet.decode())  # noqa: S314 - our own
    assert read(packet) == mark


def test_a_mark_that_an_editor_rewrote_as_elements_is_still_read() -> None:
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
        ' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:t="urn:toile:provenance:1:" t:job="job_1">'
        "<t:release>rel_1</t:release><t:seed>7</t:seed><t:design>des_1</t:design>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    found = read(packet.encode())
    assert found is not None
    assert (found.design_id, found.seed, found.source_type) == ("des_1", 7, "")


BOMB = b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]>' + stamp(MARK).replace(
    b"rel_1", b"&c;"
)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"<x",
        b"\xff\xfe\x00",
        b"<a/>",
        BOMB,
        BOMB.decode().encode("utf-16"),
        stamp(MARK) + b" " * 2**18,
        stamp(MARK).replace(b'toile:seed="7"', b'toile:seed="seven"'),
        stamp(MARK).replace(b"des_1", b"d" * 201),
    ],
)
def test_what_is_no_mark_of_ours_is_none_and_breaks_nothing(packet: bytes) -> None:
    assert read(packet) is None
