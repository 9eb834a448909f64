"""What nobody labelled in trend reports: derivations join the columns that a report reads."""

from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.artifacts import keys
from shared.demo.drawn import write_archive
from shared.derivations import Derived, write
from shared.records import catalogs, feeds, garments, reports
from shared.records.derivations import Derivation, Due, publish
from shared.schemas.catalogs import CatalogRequest
from shared.schemas.feeds import FeedRequest
from shared.schemas.jobs import IngestSpec, JobState, TrendSpec
from shared.schemas.trends import OriginShare, TrendOptions
from tests.fixtures.derived import card_of, columns
from tests.fixtures.rows import a_site
from tests.integration.worker.test_feeds import do, uploaded
from worker.jobs.columns import load, mark_of, take_stock
from worker.jobs.derivations import derive, recipe_of
from worker.jobs.evidence import PAGE_SIDE, pictures_of, typical_of
from worker.runtime import Runtime
from worker.trends.observations import GIVEN, ORIGIN_NAMES, PREDICTED, STYLE, Observations
from worker.trends.page import uri_of
from worker.trends.report import build_report

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def site(runtime: Runtime) -> str:
    return a_site(runtime.records)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("drawn") / "garments.zip"
    write_archive(path, count=40, seed=3, end=date(2026, 6, 30))
    return path


def filled_catalog(runtime: Runtime, site: str, archive: Path, name: str) -> str:
    with runtime.records.transaction() as tx:
        catalog = catalogs.create(tx, site, CatalogRequest(name=name)).id
    do(
        runtime,
        site,
        IngestSpec(catalog_id=catalog, source=uploaded(runtime, archive, name + ".zip")),
    )
    return catalog


def derived_of(runtime: Runtime, site: str, catalog: str) -> Derivation:
    """Publish styles 3 and 7 in turns, and a pattern of each third garment."""
    with runtime.records.reading() as tx:
        page = garments.page(tx, catalog, limit=100)
    named = [one.id for one in page.items]
    key = keys.derivation(catalog, f"der_{catalog}")
    runtime.store.put(key, write(Derived(tuple(named), columns(len(named)))))
    due = Due(site_id=site, catalog_id=catalog, catalog_version=1, index_id=None)
    with runtime.records.transaction() as tx:
        return publish(
            tx, due, derivation_id=f"der_{catalog}", recipe=recipe_of(runtime), artifact=key,
            card=card_of(named),
        )  # fmt: skip


def values(observed: Observations, attribute: str) -> set[str]:
    codes = observed.attributes[attribute]
    return {observed.vocabulary[attribute][code] for code in np.unique(codes[codes >= 0])}


def test_derived_labels_fill_what_was_not_given_and_say_how_they_are_known(
    runtime: Runtime, site: str, archive: Path
) -> None:
    catalog = filled_catalog(runtime, site, archive, "first")
    before = load(runtime, take_stock(runtime, site, None))
    assert "style" not in before.attributes
    derived_of(runtime, site, catalog)
    after = load(runtime, take_stock(runtime, site, None))
    assert len(after) == len(before)
    assert values(after, "style") == {"style 3", "style 7"}
    assert set(after.origins["style"].tolist()) == {STYLE}
    assert np.array_equal(after.attributes["pattern"], before.attributes["pattern"])
    assert set(after.origins["pattern"].tolist()) == {GIVEN}, "what the owner said stands"
    told = after.attributes["season"] >= 0
    assert after.origins["season"][told].tolist() == [PREDICTED]
    assert ORIGIN_NAMES[STYLE] == "style"


def test_a_derivation_changes_what_a_report_depends_on(
    runtime: Runtime, site: str, archive: Path
) -> None:
    catalog = filled_catalog(runtime, site, archive, "first")
    before = mark_of(take_stock(runtime, site, None).marks)
    derived_of(runtime, site, catalog)
    assert mark_of(take_stock(runtime, site, None).marks) != before


def test_the_styles_of_another_catalog_go_by_its_name(
    runtime: Runtime, site: str, archive: Path
) -> None:
    for name in ("first", "second"):
        derived_of(runtime, site, filled_catalog(runtime, site, archive, name))
    observed = load(runtime, take_stock(runtime, site, None))
    assert values(observed, "style") == {
        "style 3", "style 7", "second: style 3", "second: style 7",
    }  # fmt: skip


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("many") / "garments.zip"
    write_archive(path, count=96, seed=4, end=date(2026, 6, 30))
    return path


def test_a_reports_page_shows_its_styles_by_their_typical_garments(
    runtime: Runtime, site: str, many: Path
) -> None:
    catalog = filled_catalog(runtime, site, many, "first")
    styles = derived_of(runtime, site, catalog).card.styles
    done = do(runtime, site, TrendSpec(catalog_id=None, options=TrendOptions()))
    assert done.state is JobState.SUCCEEDED, done.error
    assert done.result is not None
    with runtime.records.reading() as tx:
        files = reports.get(tx, site, done.result["report_id"]).artifacts
    page = runtime.store.read(files["report.html"]).decode()
    shown = pictures_of(runtime, site, styles[0].typical, most=PAGE_SIDE)
    assert len(shown) == len(styles[0].typical) == 4
    for picture in shown.values():
        assert f'src="{uri_of(picture)}" alt="A typical garment of style 3"' in page
    assert "A typical garment of style 7" in page


def test_typical_garments_go_by_the_names_that_reports_give_their_styles(
    runtime: Runtime, site: str, archive: Path
) -> None:
    cards = {
        name: derived_of(runtime, site, filled_catalog(runtime, site, archive, name)).card
        for name in ("first", "second")
    }
    stock = take_stock(runtime, site, None)
    options = TrendOptions(period="month", minimum_garments=1)
    report = build_report(
        load(runtime, stock), options, generated_at=datetime(2026, 7, 1, tzinfo=UTC)
    )
    found = typical_of(stock, report)
    assert found["style 3"] == cards["first"].styles[0].typical
    assert found["second: style 7"] == cards["second"].styles[1].typical
    assert set(found) == {"style 3", "style 7", "second: style 3", "second: style 7"}
    given = report.model_copy(
        update={
            "series": tuple(
                one.model_copy(update={"origin": OriginShare()}) for one in report.series
            )
        }
    )
    assert typical_of(stock, given) == {}, "what somebody called a style is no style of ours"


def test_small_pictures_are_shrunk_and_the_lost_left_out(
    runtime: Runtime, site: str, archive: Path
) -> None:
    catalog = filled_catalog(runtime, site, archive, "first")
    with runtime.records.reading() as tx:
        name = garments.page(tx, catalog, limit=1).items[0].id
    small = pictures_of(runtime, site, [name, "gar_gone", name], most=16)
    assert set(small) == {name}
    with Image.open(BytesIO(small[name])) as picture:
        assert max(picture.size) == 16
    with Image.open(BytesIO(pictures_of(runtime, site, [name])[name])) as picture:
        assert max(picture.size) > 16


def test_a_lost_derivation_is_made_again(runtime: Runtime, site: str, archive: Path) -> None:
    catalog = filled_catalog(runtime, site, archive, "first")
    lost = derived_of(runtime, site, catalog)
    runtime.store.delete(lost.artifact)
    observed = load(runtime, take_stock(runtime, site, None))
    assert len(observed) == 40
    assert "style" not in observed.attributes, "no encoder has seen this catalog"


def test_a_feed_goes_with_what_was_derived_of_its_pictures(
    runtime: Runtime, site: str, archive: Path
) -> None:
    with runtime.records.transaction() as tx:
        feed = feeds.create(tx, site, FeedRequest(name="street"))
    do(
        runtime, site,
        IngestSpec(catalog_id=feed.catalog_id, source=uploaded(runtime, archive, "s.zip")),
    )  # fmt: skip
    due = Due(site_id=site, catalog_id=feed.catalog_id, catalog_version=1, index_id=None)
    made = derive(runtime, due)
    assert made.artifact.startswith(keys.catalog(feed.catalog_id))
    with runtime.records.transaction() as tx:
        feeds.erase(tx, site, feed.id)
    assert take_stock(runtime, site, None).versions == ()
