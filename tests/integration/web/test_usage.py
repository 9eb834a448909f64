"""What a site used, as it is told over HTTP."""

from datetime import timedelta

from flask.testing import FlaskClient

from shared.records import Records, usage
from shared.records.usage import Used
from shared.schemas.usage import MICRO, Measure
from tests.fixtures.shop import Shop


def test_usage_is_told_by_day_with_its_sum_and_the_limits(
    client: FlaskClient, records: Records, shop: Shop
) -> None:
    with records.transaction() as tx:
        usage.add(
            tx,
            [
                Used(shop.site_id, Measure.DESIGNS, 4),
                Used(shop.site_id, Measure.IMAGES, 64),
                Used(shop.site_id, Measure.DEVICE, 1_250_000),
                Used(shop.site_id, Measure.TRAINING, 90 * MICRO),
            ],
        )
        kept = usage.measure_storage(tx, shop.site_id)
        today = tx.now.date()
    told = client.get("/v1/usage").get_json()
    assert (told["first"], told["last"]) == (str(today - timedelta(days=29)), str(today))
    (day,) = told["days"]
    amounts = {"designs": 4, "images": 64, "device_seconds": 1.25, "training_minutes": 1.5}
    assert day == {**amounts, "day": str(today), "storage_bytes": kept}
    assert told["total"] == amounts
    assert told["storage_bytes"] == kept > 0, "garments and designs are kept"
    assert told["limits"]["rate"] == 1000
    assert told["limits"]["designs_a_day"] is None


def test_days_are_chosen_and_what_cannot_be_is_refused(client: FlaskClient) -> None:
    told = client.get("/v1/usage?from=2026-01-01&to=2026-01-31").get_json()
    assert (told["first"], told["last"], told["days"]) == ("2026-01-01", "2026-01-31", [])
    assert client.get("/v1/usage?to=0001-01-01").status_code == 200
    for query in (
        "from=2026-02-01&to=2026-01-01",
        "from=2020-01-01&to=2026-01-01",
        "from=yesterday",
        "from=0001-01-01",
        "first=2026-01-01",
    ):
        answer = client.get(f"/v1/usage?{query}")
        assert answer.status_code == 422, query


def test_another_sites_usage_is_not_told(rival: FlaskClient, records: Records, shop: Shop) -> None:
    with records.transaction() as tx:
        usage.add(tx, [Used(shop.site_id, Measure.DESIGNS, 4)])
    told = rival.get("/v1/usage").get_json()
    assert (told["days"], told["total"]["designs"], told["storage_bytes"]) == ([], 0, 0)
