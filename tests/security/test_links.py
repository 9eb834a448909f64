"""Signed links: what they open, and every way in which they must not."""

import hashlib
import hmac
import logging
import time
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from flask.testing import FlaskClient
from PIL import Image, PngImagePlugin
from pydantic import SecretStr
from sqlalchemy import update

from shared.artifacts import ArtifactStore
from shared.provenance import mark
from shared.records import Records, designs, limits
from shared.records.tables import DesignRow
from shared.settings import Settings
from tests.fixtures.front import client_of
from tests.fixtures.shop import Shop, open_shop
from web.app import Application
from web.evidence import mark_of
from web.links import Links


def sign(client: FlaskClient, *paths: str, **options: Any) -> list[str]:
    answer = client.post("/v1/links", json={"paths": paths, **options})
    assert answer.status_code == 200, answer.get_json()
    return [one["url"] for one in answer.get_json()["links"]]


@pytest.fixture
def image(shop: Shop) -> str:
    return f"/v1/designs/{shop.design_ids[0]}/image"


def changed(url: str, **values: str | None) -> str:
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query)), **values}
    return f"{parts.path}?{urlencode({name: one for name, one in query.items() if one})}"


def refused(nobody: FlaskClient, url: str) -> str:
    answer = nobody.get(url)
    assert answer.status_code == 403, answer.get_data()
    problem = answer.get_json()
    assert problem["reason"] == "link_refused"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in answer.headers
    return str(problem["details"]["why"])


def test_a_link_opens_its_picture_without_a_key_for_any_page_and_cache(
    client: FlaskClient, nobody: FlaskClient, image: str
) -> None:
    (url,) = sign(client, image, expires_in=600)
    with_key, with_link = client.get(image), nobody.get(url)
    assert with_link.status_code == 200
    assert with_link.get_data() == with_key.get_data()
    kept = with_link.headers["Cache-Control"]
    assert kept.startswith("public, max-age=")
    assert kept.endswith(", immutable")
    assert 600 - 5 <= int(kept.split("=")[1].split(",")[0]) <= 660
    assert with_link.headers["Access-Control-Allow-Origin"] == "*"
    assert with_link.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert with_link.headers["ETag"] == with_key.headers["ETag"]
    again = nobody.get(url, headers={"If-None-Match": with_link.headers["ETag"]})
    assert again.status_code == 304
    assert again.headers["Access-Control-Allow-Origin"] == "*"
    assert nobody.head(url).status_code == 200
    assert "private" in with_key.headers["Cache-Control"]


def test_all_that_may_be_linked_opens(
    client: FlaskClient, nobody: FlaskClient, shop: Shop, image: str
) -> None:
    report = f"/v1/trend-reports/{shop.report_id}/files/report.json"
    paths = (
        image,
        f"/v1/garments/{shop.garment_ids[0]}/image",
        f"/v1/releases/{shop.release_id}/grid",
        f"/v1/releases/{shop.release_id}/card",
        report,
    )
    for path, url in zip(paths, sign(client, *paths), strict=True):
        expected, answer = client.get(path), nobody.get(url)
        assert (answer.status_code, answer.get_data()) == (
            expected.status_code,
            expected.get_data(),
        ), path


def test_whatever_is_changed_the_link_is_refused(
    client: FlaskClient, nobody: FlaskClient, image: str
) -> None:
    (url,) = sign(client, image, variant="card", format="webp")
    assert nobody.get(url).status_code == 200
    changes: list[dict[str, str | None]] = [
        {"signature": "A" * 43},
        {"signature": "AAAA"},
        {"signature": "é"},
        {"variant": "detail"},
        {"variant": None},
        {"format": "png"},
        {"signed": "true"},
        {"expires": "99999999999"},
        {"expires": "now"},
        {"expires": None},
        {"more": "1"},
    ]
    for one in changes:
        assert refused(nobody, changed(url, **one)) == "signature", one


def test_another_pictures_address_is_refused(
    client: FlaskClient, nobody: FlaskClient, shop: Shop, image: str
) -> None:
    (url,) = sign(client, image)
    other = f"/v1/designs/{shop.design_ids[1]}/image"
    for path in (other, f"/v1/garments/{shop.garment_ids[0]}/image"):
        assert refused(nobody, url.replace(image, path)) == "signature"


def test_a_link_opens_no_other_kind_of_thing_and_changes_nothing(
    client: FlaskClient, nobody: FlaskClient, shop: Shop, image: str
) -> None:
    (url,) = sign(client, image)
    query = urlsplit(url).query
    for path in ("/v1/designs", f"/v1/designs/{shop.design_ids[0]}", "/v1/usage", "/v1/jobs"):
        assert refused(nobody, f"{path}?{query}") == "not_linkable"
    posted = nobody.post(f"/v1/designs/{shop.design_ids[0]}/variations?{query}", json={})
    assert posted.status_code == 403
    assert nobody.post(f"/v1/links?{query}", json={"paths": [image]}).status_code == 403


def test_a_link_of_one_site_opens_nothing_of_another(
    client: FlaskClient, rival: FlaskClient, nobody: FlaskClient, shop: Shop, image: str
) -> None:
    # The rival may sign what it likes; it is still not its own.
    (url,) = sign(rival, image)
    assert nobody.get(url).status_code == 404
    (ours,) = sign(client, image)
    theirs = dict(parse_qsl(urlsplit(url).query))
    assert refused(nobody, changed(url, site=shop.site_id)) == "signature"
    assert refused(nobody, changed(ours, signature=theirs["signature"])) == "signature"
    assert refused(nobody, changed(ours, site="site_'; --")) == "not_linkable"
    assert refused(nobody, changed(ours, site="site_" + "0" * 24)) == "signature"


def test_a_link_is_over_at_its_end(
    app: Application, client: FlaskClient, nobody: FlaskClient, image: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (url,) = sign(client, image, expires_in=60)
    ends = int(dict(parse_qsl(urlsplit(url).query))["expires"])
    here = app.extensions["toile"]
    monkeypatch.setattr(here.links, "_now", lambda: ends - 1)
    assert nobody.get(url).headers["Cache-Control"] == "public, max-age=1, immutable"
    monkeypatch.setattr(here.links, "_now", lambda: ends)
    assert refused(nobody, url) == "expired"


def test_links_of_one_minute_are_the_same_so_that_caches_know_them(
    app: Application, client: FlaskClient, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = (int(time.time()) // 60) * 60 + 1
    here = app.extensions["toile"]
    urls = []
    for second in (0, 30, 58, 60):
        monkeypatch.setattr(here.links, "_now", lambda at=start + second: at)
        urls += sign(client, image, expires_in=600)
    assert urls[0] == urls[1] == urls[2] != urls[3]


def test_a_rotated_salt_ends_all_links_of_that_site_alone_within_five_seconds(
    app: Application, records: Records, client: FlaskClient, nobody: FlaskClient, shop: Shop,
    image: str,
) -> None:  # fmt: skip
    (url,) = sign(client, image)
    other = open_shop(records, "other")
    neighbour = client_of(app, other.secret)
    (theirs,) = sign(neighbour, image)
    assert nobody.get(url).status_code == 200
    with records.transaction() as tx:
        limits.rotate_links(tx, shop.site_id)
    until = time.monotonic() + 5
    while nobody.get(url).status_code == 200:
        assert time.monotonic() < until
        time.sleep(0.2)
    assert refused(nobody, url) == "signature"
    assert nobody.get(theirs).status_code == 404, "it still fits: only the picture is not theirs"
    (new,) = sign(client, image)
    assert nobody.get(new).status_code == 200


def test_another_servers_secret_signs_nothing_here(
    settings: Settings, nobody: FlaskClient, shop: Shop, image: str
) -> None:
    other = Links(settings.model_copy(update={"secret_key": SecretStr("another")}))
    url, _ = other.sign(image, [], site_id=shop.site_id, salt="", seconds=600)
    assert refused(nobody, url) == "signature"


def test_a_names_borders_are_part_of_what_is_signed(settings: Settings) -> None:
    links = Links(settings)
    one = links._signature("/a", [("b", "c&d=e")], site_id="s", salt="t")
    assert one != links._signature("/a", [("b", "c"), ("d", "e")], site_id="s", salt="t")
    assert links._signature("/a", [], site_id="s", salt="1") != links._signature(
        "/a", [], site_id="s1", salt=""
    )


def test_signatures_are_compared_in_constant_time(
    client: FlaskClient, nobody: FlaskClient, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def watching(first: bytes, second: bytes) -> bool:
        compared.append((first, second))
        return real(first, second)

    real = hmac.compare_digest
    monkeypatch.setattr("web.links.hmac.compare_digest", watching)
    (url,) = sign(client, image)
    assert nobody.get(url).status_code == 200
    refused(nobody, changed(url, signature="A" * 43))
    assert [len(one) for pair in compared for one in pair] == [43] * 4


def test_no_signature_stands_in_the_log(
    client: FlaskClient, nobody: FlaskClient, image: str, caplog: pytest.LogCaptureFixture
) -> None:
    (url,) = sign(client, image)
    signature = dict(parse_qsl(urlsplit(url).query))["signature"]
    with caplog.at_level(logging.DEBUG):
        nobody.get(url)
        refused(nobody, changed(url, variant="card"))
    assert image in caplog.text
    assert signature not in caplog.text
    assert "signature=" not in caplog.text


def test_a_signature_twice_is_no_signature(
    client: FlaskClient, nobody: FlaskClient, image: str
) -> None:
    (url,) = sign(client, image)
    signature = dict(parse_qsl(urlsplit(url).query))["signature"]
    assert refused(nobody, f"{url}&signature={signature}") == "signature"


def test_what_is_no_picture_of_ours_is_not_signed(client: FlaskClient) -> None:
    for path in (
        "https://evil.example/v1/designs/x/image",
        "//evil.example/v1/designs/x/image",
        "/v1/designs/x",
        "/v1/designs",
        "/v1/usage",
        "/v1/../healthz",
        "/console",
        "/v1/designs/x/image?signature=1",
        "/v1/designs/x/image?variant=huge",
        "/v1/designs/x/image?variant=card&variant=detail",
        "/v1/designs/x/image?nonsense=1",
        "/v1/designs/x/image#part",
        "/v1/releases/x/grid?variant=card",
        "",
    ):
        answer = client.post("/v1/links", json={"paths": [path]})
        assert answer.status_code == 422, path
        assert answer.get_json()["errors"][0]["location"][:2] == ["paths", 0], path


def test_a_week_is_the_longest(client: FlaskClient, image: str) -> None:
    for seconds in (59, 7 * 86_400 + 1):
        answer = client.post("/v1/links", json={"paths": [image], "expires_in": seconds})
        assert answer.status_code == 422


def test_variants_have_their_size_and_format_and_carry_the_designs_mark(
    client: FlaskClient, records: Records, store: ArtifactStore, shop: Shop
) -> None:
    design = shop.design_ids[0]
    packet = marked(records, store, shop.site_id, design)
    for variant, side in (("thumbnail", 96), ("card", 256), ("detail", 256)):
        for picture_format in ("png", "webp", "avif"):
            query = f"variant={variant}&format={picture_format}"
            answer = client.get(f"/v1/designs/{design}/image?{query}")
            assert answer.content_type == f"image/{picture_format}"
            assert answer.headers["Vary"] == "Origin"
            with Image.open(BytesIO(answer.get_data())) as made:
                assert made.format == picture_format.upper()
                assert made.size == (side, side)
                assert made.info["xmp"] == packet
            found = mark.read(packet)
            assert found is not None
            assert found.design_id == design


def marked(records: Records, store: ArtifactStore, site_id: str, design_id: str) -> bytes:
    """Put a mark into a design's stored picture, as a worker does; returns it."""
    with records.transaction() as tx:
        place = designs.get(tx, site_id, design_id)
        data = store.read(place.artifact)  # in this shop each has one of its own
        packet = mark.stamp(mark_of(place.design))
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt("XML:com.adobe.xmp", packet.decode())
        target = BytesIO()
        Image.open(BytesIO(data)).save(target, "PNG", pnginfo=chunks)
        store.put("designs/marked", target.getvalue())
        values = {"artifact": "designs/marked", "start": 0, "length": len(target.getvalue())}
        values["sha256"] = hashlib.sha256(target.getvalue()).hexdigest()
        tx.session.execute(update(DesignRow).where(DesignRow.id == design_id).values(**values))
    return packet


def test_the_browsers_accept_chooses_the_format_that_no_link_names(
    client: FlaskClient, nobody: FlaskClient, image: str
) -> None:
    (url,) = sign(client, image, variant="thumbnail")
    for accept, media_type in (
        ("image/avif,image/webp,image/apng,*/*;q=0.8", "image/avif"),
        ("image/webp,*/*;q=0.8", "image/webp"),
        ("image/avif;q=0,image/webp", "image/webp"),
        ("image/*", "image/png"),
        ("*/*", "image/png"),
        ("text/html", "image/png"),
        (None, "image/png"),
    ):
        answer = nobody.get(url, headers={} if accept is None else {"Accept": accept})
        assert answer.content_type == media_type, accept
        assert answer.headers["Vary"] == "Accept, Origin"


def test_each_variant_and_format_has_an_etag_of_its_own(client: FlaskClient, image: str) -> None:
    queries = ["", *(f"?variant={v}&format={f}" for v in ("thumbnail", "card")
                     for f in ("png", "webp", "avif")), "?format=webp"]  # fmt: skip
    tags = [client.get(image + query).headers["ETag"] for query in queries]
    assert len(set(tags)) == len(tags)
    assert client.get(image + queries[1], headers={"If-None-Match": tags[1]}).status_code == 304


def test_a_variant_can_carry_a_signed_manifest(
    client: FlaskClient, app: Application, image: str
) -> None:
    pytest.importorskip("c2pa", reason="the extra c2pa is not installed")
    signing_here = app.extensions["toile"].signing
    for picture_format in ("png", "webp", "avif"):
        answer = client.get(f"{image}?variant=card&format={picture_format}&signed=true")
        assert answer.status_code == 200, answer.get_json()
        manifest = signing_here.check(answer.get_data(), media_type=f"image/{picture_format}")
        assert (manifest.state.value, manifest.signer.value) == ("valid", "ours")


def test_a_variant_that_comes_back_is_known_again(
    client: FlaskClient, records: Records, store: ArtifactStore, shop: Shop, image: str
) -> None:
    marked(records, store, shop.site_id, shop.design_ids[0])
    for picture_format in ("png", "webp", "avif"):
        variant = client.get(f"{image}?variant=card&format={picture_format}").get_data()
        told = client.post("/v1/provenance", data=variant, content_type=f"image/{picture_format}")
        assert told.get_json()["evidence"] == "similar", picture_format
        assert told.get_json()["design"]["image_url"] == image


def test_variants_in_memory_stay_within_their_limit(
    app: Application, client: FlaskClient, shop: Shop
) -> None:
    kept = app.extensions["toile"].variants
    kept._memory = 20_000
    for design in shop.design_ids:
        for variant in ("thumbnail", "card"):
            for picture_format in ("png", "webp"):
                query = f"variant={variant}&format={picture_format}"
                assert client.get(f"/v1/designs/{design}/image?{query}").status_code == 200
    assert 0 < kept.size <= 20_000
    assert kept.size == sum(len(one) for one in kept._kept.values())
