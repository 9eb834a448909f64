"""Designs for simulated shoppers are made and judged; on drawn bars the figures mean nothing."""

from functools import cached_property

import numpy as np
import pytest

from shared.colour import delta_e, hex_to_lab
from tests.bench import bench_personal, catalogs, engine, personal_colours
from tests.bench.indexed import indexed
from tests.bench.judging import Judgement
from tests.bench.studio import Studio, made_for_nobody, opened, prior_of
from worker.gan.measure.extractors import Extractors
from worker.gan.recipe import Recipe

pytestmark = pytest.mark.timeout(600)  # trains for seconds, and other work may keep the cores busy


class Quick(Judgement):
    """Extractors of a few steps."""

    @cached_property
    def extractors(self) -> Extractors:
        return Extractors.train(self._catalog.train, seed=0, steps=8)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    out = tmp_path_factory.mktemp("personal")
    catalog = catalogs.drawn(channels=3)
    engine.run(Recipe(images=96, preset="residual", seed=0), catalog.train, out / "release")
    found = indexed(catalog, Quick(catalog, out), out)
    assert found.held_out.sum() == catalog.test.n
    assert indexed(catalog, Quick(catalog, out), out).folder == found.folder
    return opened(out / "release", found.folder, garments=200)


def test_nobody_chooses_better_for_a_shopper_than_the_hidden_taste(studio: Studio) -> None:
    unasked = made_for_nobody(studio, 48)
    told = bench_personal.judged(studio, unasked, prior_of(studio, 3), shoppers=3, likes=3)
    own = told["percentile by the hidden taste among 48 for nobody"]["mean"]
    assert 0 <= told["percentile by the ranker among 48 for nobody"]["mean"] <= own <= 1
    low, high = told["percentile"]["interval"]
    assert 0 <= low <= told["percentile"]["mean"] <= high <= 1


def test_colours_are_asked_for_in_every_way_and_shown(studio: Studio) -> None:
    told, sheet = personal_colours.asked_for(studio, prior_of(studio, 0), count=4)
    assert told["of a garment"]["made"] == 4 * personal_colours.EACH
    assert all(0 <= row["within 10"] <= row["within 15"] <= 1 for row in told.values())
    assert sheet[1:4] == b"PNG"


def test_strange_colours_are_far_from_all_garments(studio: Studio) -> None:
    found = personal_colours.of_nobody(studio, 5, np.random.default_rng(1))
    garments = studio.gallery.items.colours[:, 0]
    assert min(delta_e(garments, hex_to_lab(one.code)).min() for one in found) > 10
