"""Whether a file that somebody sends is one of the site's designs."""

import importlib.util
import sys
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image

from shared import ids
from shared.artifacts import ArtifactStore, keys
from shared.provenance.mark import stamp
from shared.provenance.opened import look
from shared.records import Records, designs
from shared.schemas.designs import ImageFormat
from shared.schemas.provenance import Mark
from tests.fixtures.shop import Shop, design_spec, draw, finished
from web.app import Application, create_app
from web.runtime import EXTENSION
from worker.designs.images import carrying

Pixels = NDArray[np.uint8]

COAT: Pixels = draw("coat", "navy", seed=1)
DRESS: Pixels = draw("dress", "red", seed=2)
WITH_C2PA = pytest.mark.skipif(
    importlib.util.find_spec("c2pa") is None,
    reason="the extra `c2pa` is not installed: pip install 'toile[c2pa]'",
)


def saved(pictures: Sequence[Pixels], format_: str = "PNG", **options: Any) -> bytes:
    first, *others = [Image.fromarray(picture) for picture in pictures]
    if others:
        options |= {"save_all": True, "append_images": others}
    buffer = BytesIO()
    first.save(buffer, format_, **options)
    return buffer.getvalue()


def marked(design_id: str, *pictures: Pixels, image_format: ImageFormat = ImageFormat.PNG) -> bytes:
    """A file whose XMP names a design, true or not."""
    mark = Mark(release_id="rel_1", seed=7, job_id="job_1", design_id=design_id, tool="Toile 1")
    options = carrying(stamp(mark), image_format)
    if image_format is ImageFormat.WEBP:
        options["lossless"] = True
    return saved(pictures, image_format.value.upper(), **options)


class Wardrobe:
    """Puts designs into a site as a worker does."""

    def __init__(self, records: Records, store: ArtifactStore, shop: Shop) -> None:
        self.records, self.store, self.shop = records, store, shop

    def add(
        self, *pictures: Pixels, image_format: ImageFormat = ImageFormat.PNG
    ) -> tuple[str, bytes]:
        """Return a new design's id and its file."""
        design_id = ids.new_id(ids.DESIGN)
        data = marked(design_id, *pictures, image_format=image_format)
        with self.records.transaction() as tx:
            job = finished(tx, self.shop, design_spec(self.shop, count=1), {"designs": []})
            artifact = self.store.put(keys.designs(ids.new_id(ids.PACK)), data)
            row = {
                "id": design_id, "site_id": self.shop.site_id, "job_id": job.id,
                "release_id": self.shop.release_id, "position": 0, "seed": 7,
                "condition": {"category": "coat"}, "size": 32, "format": image_format.value,
                "artifact": artifact.key, "sha256": artifact.sha256,
                "perceptual_hash": look(data).perceptual_hash,
            }  # fmt: skip
            designs.publish(tx, [row])
        return design_id, data


@pytest.fixture
def wardrobe(records: Records, store: ArtifactStore, shop: Shop) -> Wardrobe:
    return Wardrobe(records, store, shop)


def ask(client: FlaskClient, content: bytes, media_type: str = "image/png") -> dict[str, Any]:
    answer = client.post("/v1/provenance", data=content, content_type=media_type)
    assert answer.status_code == 200, answer.get_json()
    found: dict[str, Any] = answer.get_json()
    return found


def test_a_design_is_known_by_its_bytes_with_when_and_what_made_it(
    client: FlaskClient, wardrobe: Wardrobe, shop: Shop
) -> None:
    design_id, data = wardrobe.add(COAT)
    found = ask(client, data)
    assert (found["evidence"], found["same_pixels"]) == ("exact", True)
    assert found["design"] == client.get(f"/v1/designs/{design_id}").get_json()
    assert found["design"]["release_id"] == shop.release_id
    assert found["design"]["created_at"]
    assert found["mark"]["design_id"] == design_id
    assert "byte for byte" in found["worth"]


def test_the_file_may_come_as_multipart(client: FlaskClient, wardrobe: Wardrobe) -> None:
    design_id, data = wardrobe.add(COAT)
    answer = client.post("/v1/provenance", data={"image": (BytesIO(data), "coat.png")})
    assert answer.get_json()["design"]["id"] == design_id


def test_a_file_whose_other_metadata_changed_is_known_by_its_mark_and_pixels(
    client: FlaskClient, wardrobe: Wardrobe
) -> None:
    design_id, _ = wardrobe.add(COAT)
    rewrapped = marked(design_id, COAT, image_format=ImageFormat.WEBP)
    found = ask(client, rewrapped, "image/webp")
    assert (found["evidence"], found["design"]["id"]) == ("metadata", design_id)
    assert (found["same_pixels"], found["distance"], found["difference"]) == (True, 0, 0)


def test_a_stored_designs_mark_names_release_and_seed_and_that_is_enough(
    client: FlaskClient, wardrobe: Wardrobe, shop: Shop
) -> None:
    design_id, _ = wardrobe.add(COAT)
    wardrobe.add(DRESS)  # the same seed under another condition
    mark = Mark(release_id=str(shop.release_id), seed=7, tool="Toile 1")
    found = ask(client, saved([COAT], **carrying(stamp(mark), ImageFormat.PNG)))
    assert (found["evidence"], found["design"]["id"]) == ("metadata", design_id)


def test_a_stripped_file_is_still_known_by_its_pixels(
    client: FlaskClient, wardrobe: Wardrobe
) -> None:
    wardrobe.add(DRESS)
    design_id, _ = wardrobe.add(COAT)
    found = ask(client, saved([COAT]))
    assert (found["evidence"], found["design"]["id"]) == ("similar", design_id)
    assert (found["same_pixels"], found["mark"]) == (True, None)
    assert found["searched"] == 2


@pytest.mark.parametrize(("side", "quality"), [(64, 80), (200, 70), (24, 90)])
def test_a_resized_and_recompressed_copy_is_similar_with_its_distance(
    client: FlaskClient, wardrobe: Wardrobe, side: int, quality: int
) -> None:
    design_id, _ = wardrobe.add(COAT)
    copy = np.asarray(Image.fromarray(COAT).resize((side, side)))
    found = ask(client, saved([copy], "JPEG", quality=quality), "image/jpeg")
    assert (found["evidence"], found["design"]["id"]) == ("similar", design_id)
    assert found["same_pixels"] is False
    assert 0 <= found["distance"] <= 10
    assert 0 < found["difference"] < 10


def test_a_resized_copy_that_kept_its_mark_is_similar_too(
    client: FlaskClient, wardrobe: Wardrobe
) -> None:
    design_id, _ = wardrobe.add(COAT)
    copy = np.asarray(Image.fromarray(COAT).resize((64, 64)))
    found = ask(client, marked(design_id, copy))
    assert (found["evidence"], found["design"]["id"]) == ("similar", design_id)
    assert found["searched"] == 0, "the design that it names is looked at first"


def test_a_forged_mark_on_another_picture_is_told_as_metadata_only(
    client: FlaskClient, wardrobe: Wardrobe
) -> None:
    design_id, _ = wardrobe.add(COAT)
    found = ask(client, marked(design_id, draw("trousers", "green", seed=3)))
    assert (found["evidence"], found["design"]["id"]) == ("metadata_only", design_id)
    assert found["same_pixels"] is False
    assert "forged" in found["worth"]


def test_a_design_with_another_ones_mark_is_known_by_its_pixels(
    client: FlaskClient, wardrobe: Wardrobe
) -> None:
    coat, _ = wardrobe.add(COAT)
    dress, _ = wardrobe.add(DRESS)
    found = ask(client, marked(dress, COAT))
    assert (found["evidence"], found["design"]["id"]) == ("similar", coat)
    assert found["mark"]["design_id"] == dress


def test_a_picture_from_elsewhere_is_nobodys(client: FlaskClient, wardrobe: Wardrobe) -> None:
    wardrobe.add(COAT)
    found = ask(client, saved([draw("trousers", "green", seed=3)]))
    assert (found["evidence"], found["design"], found["same_pixels"]) == ("none", None, None)
    assert "does not prove" in found["worth"]


def test_an_animation_is_known_and_a_changed_frame_is_told(
    client: FlaskClient, wardrobe: Wardrobe
) -> None:
    design_id, data = wardrobe.add(COAT, DRESS, image_format=ImageFormat.WEBP)
    assert ask(client, data, "image/webp")["evidence"] == "exact"
    changed = marked(design_id, COAT, 255 - DRESS, image_format=ImageFormat.WEBP)
    found = ask(client, changed, "image/webp")
    assert (found["evidence"], found["same_pixels"]) == ("similar", False)


def test_a_site_never_learns_of_anothers_designs(
    client: FlaskClient, rival: FlaskClient, wardrobe: Wardrobe
) -> None:
    design_id, data = wardrobe.add(COAT)
    assert ask(client, data)["evidence"] == "exact"
    of_other = ask(rival, data)
    of_none = ask(rival, marked(ids.new_id(ids.DESIGN), COAT))
    for found in (of_other, of_none):
        assert (found["evidence"], found["design"], found["searched"]) == ("none", None, 0)
    assert of_other["mark"]["design_id"] == design_id, "which the file itself says"
    differing = {key for key in of_other if of_other[key] != of_none[key]}
    assert differing == {"sha256", "mark"}
    assert ask(rival, saved([COAT]))["evidence"] == "none"


def test_a_design_whose_bytes_are_lost_is_said_to_be(
    client: FlaskClient, wardrobe: Wardrobe, records: Records, shop: Shop, store: ArtifactStore
) -> None:
    design_id, data = wardrobe.add(COAT)
    with records.reading() as tx:
        store.delete(designs.get(tx, shop.site_id, design_id).artifact)
    assert ask(client, data)["evidence"] == "exact", "the hash is in the database"
    answer = client.post("/v1/provenance", data=saved([COAT]), content_type="image/png")
    assert answer.status_code == 404
    assert design_id in answer.get_json()["detail"]


def test_a_damaged_file_is_refused(client: FlaskClient, wardrobe: Wardrobe) -> None:
    _, data = wardrobe.add(COAT)
    for content in (data[: len(data) // 2], b"no picture at all"):
        answer = client.post("/v1/provenance", data=content, content_type="image/png")
        assert (answer.status_code, answer.get_json()["reason"]) == (422, "unreadable_source")


def test_a_decompression_bomb_is_refused(client: FlaskClient) -> None:
    bomb = BytesIO()
    Image.new("1", (9000, 9000)).save(bomb, "PNG")
    answer = client.post("/v1/provenance", data=bomb.getvalue(), content_type="image/png")
    assert len(bomb.getvalue()) < 20_000
    assert (answer.status_code, answer.get_json()["reason"]) == (413, "too_large")
    assert "9000 x 9000" in answer.get_json()["detail"]


@pytest.fixture
def strict(app: Application, shop: Shop, records: Records, store: ArtifactStore) -> FlaskClient:
    """The same site behind a front that looks at 5000 bytes at most."""
    settings = app.extensions[EXTENSION].settings.model_copy(update={"picture_limit": 5000})
    client = create_app(settings, records=records, store=store).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {shop.secret}"
    return client


def test_a_file_above_the_limit_is_refused_however_it_comes(strict: FlaskClient) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    content = saved([noise])
    for data, media_type in (
        (content, "image/png"),
        ({"image": (BytesIO(content), "noise.png")}, "multipart/form-data"),
    ):
        answer = strict.post("/v1/provenance", data=data, content_type=media_type)
        assert (answer.status_code, answer.get_json()["reason"]) == (413, "too_large")
    assert ask(strict, saved([COAT]))["evidence"] == "none"


@pytest.mark.parametrize(
    ("data", "media_type", "status"),
    [
        (b"", "image/png", 422),
        (b"{}", "application/json", 415),
        (b"GIF89a", "image/gif", 415),
        ({}, "multipart/form-data", 422),
        ({"archive": (BytesIO(b"x"), "a.zip")}, "multipart/form-data", 422),
        ({"image": (BytesIO(b""), "a.png")}, "multipart/form-data", 422),
        ({"image": "text"}, "multipart/form-data", 422),
    ],
)
def test_what_carries_no_picture_is_refused_with_how_to_send_one(
    client: FlaskClient, data: Any, media_type: str, status: int
) -> None:
    answer = client.post("/v1/provenance", data=data, content_type=media_type)
    assert answer.status_code == status
    assert answer.get_json()["detail"]


@WITH_C2PA
@pytest.mark.parametrize("image_format", list(ImageFormat))
def test_a_signed_copy_has_the_same_pixels_and_comes_back_as_ours(
    client: FlaskClient, wardrobe: Wardrobe, image_format: ImageFormat
) -> None:
    design_id, data = wardrobe.add(COAT, image_format=image_format)
    place = f"/v1/designs/{design_id}/image"
    assert client.get(place).data == data, "what is stored stays the same bytes"
    signed = client.get(f"{place}?signed=true")
    assert signed.mimetype == image_format.media_type
    found = ask(client, signed.data, image_format.media_type)
    assert (found["evidence"], found["design"]["id"]) == ("metadata", design_id)
    manifest = found["manifest"]
    assert (manifest["state"], manifest["signer"]) == ("valid", "ours")
    assert manifest["design_id"] == design_id
    assert manifest["source_type"].endswith("/trainedAlgorithmicMedia")


@WITH_C2PA
def test_a_caller_that_holds_a_signed_copy_need_not_read_it_again(
    client: FlaskClient, wardrobe: Wardrobe
) -> None:
    design_id, _ = wardrobe.add(COAT)
    place = f"/v1/designs/{design_id}/image"
    etag = client.get(f"{place}?signed=true").headers["ETag"]
    assert etag.startswith("W/")
    held = {"If-None-Match": etag}
    assert client.get(f"{place}?signed=true", headers=held).status_code == 304
    assert client.get(place, headers=held).status_code == 200


@WITH_C2PA
def test_a_manifest_around_other_pixels_is_invalid(client: FlaskClient, wardrobe: Wardrobe) -> None:
    design_id, _ = wardrobe.add(COAT)
    signed = bytearray(client.get(f"/v1/designs/{design_id}/image?signed=true").data)
    signed[-5] ^= 0xFF  # within the last chunk's checksum, which changes no pixel
    found = ask(client, bytes(signed))
    assert (found["manifest"]["state"], found["manifest"]["signer"]) == ("invalid", None)
    assert found["evidence"] == "metadata"


@WITH_C2PA
def test_a_file_without_a_manifest_is_said_to_have_none(client: FlaskClient) -> None:
    assert ask(client, saved([COAT]))["manifest"]["state"] == "absent"


@WITH_C2PA
def test_where_signing_is_off_a_signed_copy_is_refused_with_the_setting(
    app: Application, records: Records, store: ArtifactStore, shop: Shop
) -> None:
    settings = app.extensions[EXTENSION].settings.model_copy(update={"c2pa": "off"})
    client = create_app(settings, records=records, store=store).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {shop.secret}"
    answer = client.get(f"/v1/designs/{shop.design_ids[0]}/image?signed=true")
    assert answer.status_code == 403
    assert "TOILE_C2PA" in answer.get_json()["detail"]


def test_without_the_library_a_signed_copy_is_refused_and_the_rest_is_still_told(
    client: FlaskClient, wardrobe: Wardrobe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    design_id, data = wardrobe.add(COAT)
    answer = client.get(f"/v1/designs/{design_id}/image?signed=true")
    assert (answer.status_code, answer.get_json()["reason"]) == (501, "library_missing")
    found = ask(client, data)
    assert (found["evidence"], found["manifest"]["state"]) == ("exact", "not_checked")
