"""What shoppers like, as the front tells it, and the garments that follow from it."""

import threading
from collections.abc import Sequence
from copy import deepcopy
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from shared.artifacts import ArtifactStore, keys
from shared.clock import utc_now
from shared.records import Records, indexes, priors
from shared.records.indexes import Index
from shared.settings import Settings
from shared.taste import Prior, index, prior, space
from shared.taste.logistic import Gaussian
from tests.fixtures import seen
from tests.fixtures.front import client_of
from tests.fixtures.shop import Shop, add_catalog, open_shop
from web.app import Application
from web.runtime import EXTENSION, Runtime

PLACE = "/v1/shoppers/c-7"


@pytest.fixture
def wide(shop: Shop, records: Records, store: ArtifactStore) -> Shop:
    """The site with a second, larger catalog, which has an index."""
    made = deepcopy(shop)
    made.others = shop.garment_ids
    with records.transaction() as tx:
        add_catalog(tx, store, made, name="wide", garments=192)
        seen.add_index(tx, store, made)
    return made


@pytest.fixture
def having(wide: Shop, records: Records) -> "Having":
    with records.reading() as tx:
        return Having(seen.labels_of(tx, wide))


class Having:
    """Finds garments by their labels."""

    def __init__(self, labels: dict[str, dict[str, str]]) -> None:
        self.labels = labels

    def __call__(self, category: str | None = None, colour: str | None = None) -> list[str]:
        wanted = {"category": category, "colour": colour}
        return [
            name
            for name, has in self.labels.items()
            if all(value in {None, has[label]} for label, value in wanted.items())
        ]


def tell(client: FlaskClient, *said: dict[str, Any], place: str = PLACE) -> None:
    answer = client.post(f"{place}/preferences", json={"preferences": said})
    assert answer.status_code == 201, answer.get_json()


def like(items: Sequence[str], kind: str = "like", **more: Any) -> list[dict[str, Any]]:
    return [{"kind": kind, "item": item, **more} for item in items]


def read(client: FlaskClient, what: str, place: str = PLACE) -> dict[str, Any]:
    answer = client.get(f"{place}/{what}")
    assert answer.status_code == 200, answer.get_json()
    found: dict[str, Any] = answer.get_json()
    return found


def recommended(client: FlaskClient, query: str = "", place: str = PLACE) -> list[str]:
    found = read(client, f"recommendations?{query}", place)
    return [one["garment_id"] for one in found["items"]]


def texts(client: FlaskClient, query: str = "") -> dict[str, str]:
    beliefs = read(client, f"taste?{query}")["beliefs"]
    return {one["value"]: one["direction"] for one in beliefs}


def test_likes_of_navy_dresses_lead_to_navy_dresses_first(
    client: FlaskClient, having: Having
) -> None:
    navy = having("dress", "navy")
    tell(client, *like(navy[:5]))
    found = read(client, "recommendations?count=4&relevance=1")
    assert {one["garment_id"] for one in found["items"]} <= set(navy[5:])
    assert found["signals"] == pytest.approx(5, abs=0.01)
    first = found["items"][0]
    assert first["probability"] > 0.6
    assert {one["item"] for one in first["reasons"]} <= set(navy[:5])
    assert client.get(first["image_url"]).content_type == "image/png"
    assert client.get(first["url"]).get_json()["attributes"]["category"] == "dress"


def test_a_taste_is_told_in_words_and_swatches_with_its_evidence(
    client: FlaskClient, having: Having
) -> None:
    liked = [*having("dress", "navy")[:10], *having("shirt", "navy")[:8]]
    coats = [*having("coat", "red"), *having("coat", "green")]
    tell(client, *like(liked), *like(coats, "dislike"))
    told = read(client, "taste")
    by_value = {one["value"]: one for one in told["beliefs"]}
    assert by_value["navy"]["direction"] == "likes"
    assert by_value["coat"]["direction"] == "avoids"
    assert by_value["navy"]["swatch"].startswith("#")
    assert by_value["navy"]["signals"] == pytest.approx(18, abs=0.01)
    assert told["signals"] == pytest.approx(42, abs=0.01)
    assert (told["prior_shoppers"], told["not_counted"]) == (0, [])


def test_the_same_evidence_gives_the_same_taste_in_every_process(
    app: Application, client: FlaskClient, having: Having, settings: Settings
) -> None:
    tell(client, *like(having("dress", "navy")[:3]))
    first = read(client, "recommendations")["items"]
    runtime(app).galleries._galleries.clear()
    again = read(client, "recommendations")["items"]
    assert [one["garment_id"] for one in again] == [one["garment_id"] for one in first]
    scores = [one["score"] for one in first]
    assert [one["score"] for one in again] == pytest.approx(scores, abs=1e-4)
    assert settings.taste_half_life_days == 180


def test_what_was_liked_or_disliked_is_not_recommended_but_what_was_taken_back_is(
    client: FlaskClient, having: Having
) -> None:
    navy = having("dress", "navy")
    tell(client, *like(navy[:5]), *like(navy[5:8], "dislike"))
    assert not set(navy[:8]) & set(recommended(client, "count=100&relevance=1"))
    for one in read(client, "preferences")["items"]:
        if one["item"] == navy[5]:
            client.delete(f"{PLACE}/preferences/{one['id']}")
    assert navy[5] in recommended(client, "count=100&relevance=1")


def test_the_last_of_two_words_that_contradict_stands(client: FlaskClient, having: Having) -> None:
    navy, others = having(colour="navy")[:20], having(colour="green")[:10]
    tell(client, *like(navy, "dislike"), *like(others))
    assert texts(client)["navy"] == "avoids"
    tell(client, *like(navy))
    assert texts(client)["navy"] == "likes"
    assert read(client, "taste")["signals"] == pytest.approx(30, abs=0.01)


def test_words_that_are_sent_together_hold_in_their_order(
    client: FlaskClient, having: Having
) -> None:
    navy = having(colour="navy")[:20]
    tell(client, *like(having(colour="green")[:10]), *like(navy), *like(navy, "dislike"))
    assert texts(client)["navy"] == "avoids"
    wish = {"attribute": "category", "value": "dress"}
    tell(client, {"kind": "avoid", **wish}, {"kind": "want", **wish})
    assert texts(client)["dress"] == "likes"


def test_a_signal_counts_half_after_a_half_life(client: FlaskClient, having: Having) -> None:
    old = (utc_now() - timedelta(days=180)).isoformat()
    tell(client, *like(having("dress", "navy")[:4], at=old), *like(having("coat", "red")[:1]))
    assert read(client, "taste")["signals"] == pytest.approx(3, abs=0.01)


def test_a_shopper_of_whom_nothing_is_known_gets_what_shoppers_like_on_the_whole(
    client: FlaskClient, having: Having, wide: Shop, records: Records, store: ArtifactStore
) -> None:
    learned = popular(wide, records, store, having("coat", "red"))
    found = read(client, "recommendations?count=3&relevance=1")
    assert (found["signals"], found["prior_shoppers"]) == (0, learned.shoppers)
    assert {one["garment_id"] for one in found["items"]} <= set(having("coat", "red"))
    assert client.get(PLACE).status_code == 404


def popular(shop: Shop, records: Records, store: ArtifactStore, items: list[str]) -> Prior:
    """Publish a prior under which some garments are liked by all."""
    with records.transaction() as tx:
        (found, *_) = indexes.of_site(tx, shop.site_id)
        within = space.read(store.read(f"{found.artifact}space.npz"))
        garments = index.read(store.read(f"{found.artifact}garments.npz"))
        chosen = garments.take(np.array([garments.place(name) for name in items]))
        mean = within.features(chosen).mean(0).astype(np.float64)
        learned = Prior(Gaussian(2 * mean, np.eye(len(mean))), within.fingerprint, 40)
        key = keys.taste_prior(shop.site_id, seen.ENCODER, "prior")
        store.put(key, prior.write(learned))
        priors.publish(tx, shop.site_id, seen.ENCODER, shoppers=40, artifact=key)
    return learned


def test_a_prior_of_an_older_index_is_not_used_in_the_space_of_the_new_one(
    client: FlaskClient, having: Having, wide: Shop, records: Records, store: ArtifactStore
) -> None:
    popular(wide, records, store, having("coat", "red"))
    with records.transaction() as tx:
        items = seen.items_of(having.labels)
        seen.publish(tx, store, wide, items.take(np.arange(100)))
    assert read(client, "recommendations")["prior_shoppers"] == 0


def test_hard_wishes_filter_and_soft_ones_weigh(client: FlaskClient, having: Having) -> None:
    tell(
        client,
        *like(having("dress", "navy")[:4]),
        {"kind": "want", "attribute": "category", "value": "coat", "hard": True},
        {"kind": "avoid", "attribute": "colour", "value": "red", "hard": True},
        {"kind": "want", "attribute": "colour", "value": "green"},
    )
    found = read(client, "recommendations?count=100&relevance=1")
    shown = [one["garment_id"] for one in found["items"]]
    assert set(shown) <= set(having("coat")) - set(having("coat", "red"))
    assert found["allowed"] == len(having("coat")) - len(having("coat", "red"))
    assert texts(client)["green"] == "likes"
    tell(client, {"kind": "avoid", "attribute": "category", "value": "coat", "hard": True})
    assert not set(recommended(client)) & set(having("coat"))


def test_a_wish_that_the_catalog_cannot_weigh_is_told(client: FlaskClient, wide: Shop) -> None:
    tell(
        client,
        {"kind": "want", "attribute": "material", "value": "mohair"},
        {"kind": "want", "attribute": "fit", "value": "slim", "hard": True},
    )
    told = {one["what"]: one["why"] for one in read(client, "taste")["not_counted"]}
    assert "cannot be wished for" in told["material mohair"]
    assert told["fit slim"].startswith("It only filters")
    found = read(client, "recommendations")
    assert (found["allowed"], found["items"]) == (0, [])
    assert wide.catalog_id == found["catalog_id"]


def test_liked_designs_count_where_the_same_encoder_saw_them(
    client: FlaskClient, having: Having, wide: Shop, records: Records
) -> None:
    with records.transaction() as tx:
        for design_id in wide.design_ids[:4]:
            seen.see(tx, design_id, category="dress", colour="navy")
        seen.see(tx, wide.design_ids[4], category="coat", colour="red", encoder="f" * 64)
    tell(client, *like(wide.design_ids[:6]), *like(wide.others[:1]))
    told = read(client, "taste")
    assert told["signals"] == pytest.approx(4, abs=0.01)
    assert texts(client)["navy"] == "likes"
    whys = {one["what"]: one["why"] for one in told["not_counted"]}
    assert "another encoder" in whys[wide.design_ids[4]]
    assert "No encoder" in whys[wide.design_ids[5]]
    assert "another catalog" in whys[wide.others[0]]
    shown = recommended(client, "count=4&relevance=1")
    assert set(shown) <= set(having("dress", "navy"))


def test_designs_are_among_the_reasons(
    client: FlaskClient, wide: Shop, records: Records, having: Having
) -> None:
    assert having("dress")
    with records.transaction() as tx:
        seen.see(tx, wide.design_ids[0], category="dress", colour="navy")
    tell(client, *like(wide.design_ids[:1]))
    first = read(client, "recommendations?relevance=1")["items"][0]
    assert first["reasons"][0]["item"] == wide.design_ids[0]


def test_choices_speak_for_what_was_chosen(client: FlaskClient, having: Having) -> None:
    pairs = zip(having("dress", "green")[:6], having("dress", "black")[:6], strict=True)
    tell(client, *({"kind": "choice", "item": a, "over": b} for a, b in pairs))
    assert texts(client)["green"] == "likes"


def test_a_catalog_is_named_or_the_newest_index_is_meant(
    client: FlaskClient, shop: Shop, wide: Shop, records: Records, store: ArtifactStore
) -> None:
    tell(client, *like(shop.garment_ids[:3]))
    problem = client.get(f"{PLACE}/taste?catalog=summer")
    assert (problem.status_code, problem.get_json()["reason"]) == (409, "conflict")
    assert "garment index" in problem.get_json()["detail"]
    assert client.get(f"{PLACE}/taste?catalog=winter").status_code == 404
    assert read(client, "taste")["catalog_id"] == wide.catalog_id
    with records.transaction() as tx:
        seen.add_index(tx, store, shop)
    assert read(client, "taste")["catalog_id"] == shop.catalog_id
    assert read(client, "taste?catalog=wide")["catalog_id"] == wide.catalog_id


def test_without_any_index_the_answer_says_what_to_wait_for(client: FlaskClient) -> None:
    answer = client.get(f"{PLACE}/recommendations")
    assert answer.status_code == 409
    assert "garment index" in answer.get_json()["detail"]


@pytest.mark.parametrize("query", ["count=0", "count=101", "relevance=1.1", "relevance=nan", "x=1"])
def test_a_query_that_does_not_fit_is_refused(client: FlaskClient, wide: Shop, query: str) -> None:
    assert wide.catalog_id
    assert client.get(f"{PLACE}/recommendations?{query}").status_code == 422


def test_answers_may_be_kept_only_to_compare(client: FlaskClient, wide: Shop) -> None:
    answer = client.get(f"/v1/garments/{wide.garment_ids[0]}/similar")
    assert answer.headers["Cache-Control"] == "private, no-cache"
    headers = {"If-None-Match": answer.headers["ETag"]}
    assert client.get(answer.request.path, headers=headers).status_code == 304


def test_the_look_of_a_design_is_shopped_in_the_catalog_that_its_encoder_saw(
    client: FlaskClient, having: Having, wide: Shop, records: Records
) -> None:
    first, second, third = wide.design_ids[:3]
    with records.transaction() as tx:
        seen.see(tx, first, category="shirt", colour="red")
        seen.see(tx, second, category="shirt", colour="red", encoder="f" * 64)
    found = client.get(f"/v1/designs/{first}/similar?count=5").get_json()["items"]
    assert {one["garment_id"] for one in found} <= set(having("shirt", "red"))
    distances = [one["distance"] for one in found]
    assert len(distances) == 5
    assert distances == sorted(distances)
    for design_id, word in ((second, "another encoder"), (third, "No encoder saw")):
        answer = client.get(f"/v1/designs/{design_id}/similar")
        assert answer.status_code == 409
        assert word in answer.get_json()["detail"]
        assert "Make it again" in answer.get_json()["detail"]


def test_garments_like_a_garment_are_others(
    client: FlaskClient, having: Having, wide: Shop
) -> None:
    one = having("coat", "green")[0]
    found = client.get(f"/v1/garments/{one}/similar?count=6").get_json()["items"]
    assert {each["garment_id"] for each in found} <= set(having("coat", "green")) - {one}
    assert client.get(f"/v1/garments/{wide.others[0]}/similar").status_code == 409


def test_another_site_sees_neither_index_nor_prior_nor_designs(
    app: Application, records: Records, store: ArtifactStore, client: FlaskClient, having: Having,
    wide: Shop,
) -> None:  # fmt: skip
    popular(wide, records, store, having("coat", "red"))
    tell(client, *like(having("coat", "red")[:3]))
    rival = open_shop(records, "rival")
    theirs = client_of(app, rival.secret)
    assert theirs.get(f"{PLACE}/recommendations").status_code == 409
    with records.transaction() as tx:
        add_catalog(tx, store, rival, name="wide", garments=64)
        seen.add_index(tx, store, rival)
    found = read(theirs, "recommendations?count=100")
    assert (found["signals"], found["prior_shoppers"]) == (0, 0)
    assert {one["garment_id"] for one in found["items"]} <= set(rival.garment_ids)


def test_an_index_is_loaded_once_however_many_ask_at_once(
    app: Application, client: FlaskClient, wide: Shop
) -> None:
    galleries, together, read_count = runtime(app).galleries, threading.Barrier(6), []
    load = galleries._read

    def counted(store: ArtifactStore, of: Index) -> Any:
        read_count.append(of.id)
        return load(store, of)

    galleries._read = counted

    def ask() -> None:
        own = client_of(app, wide.secret)
        together.wait()
        assert own.get(f"{PLACE}/recommendations").status_code == 200

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_count) == 1
    assert client.get(f"{PLACE}/recommendations").status_code == 200


def test_a_lost_file_of_an_index_is_our_fault_and_the_next_request_looks_again(
    client: FlaskClient, wide: Shop, records: Records, store: ArtifactStore
) -> None:
    with records.reading() as tx:
        found = indexes.newest(tx, wide.site_id, wide.catalog_id)
    assert found is not None
    key = keys.index_file(found.id, "space.npz")
    content = store.read(key)
    store.delete(key)
    assert client.get(f"{PLACE}/recommendations").status_code == 500
    store.put(key, content)
    assert client.get(f"{PLACE}/recommendations").status_code == 200


def runtime(app: Application) -> Runtime:
    found = app.extensions[EXTENSION]
    assert isinstance(found, Runtime)
    return found
