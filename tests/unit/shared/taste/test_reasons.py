"""Reasons: each signal's part is exact, and the likes that are alike weigh most."""

from datetime import datetime

import numpy as np
import pytest

from shared.taste import prior as priors
from shared.taste.gallery import Gallery
from shared.taste.learning import Taste, taste_of
from shared.taste.observations import Signal
from shared.taste.reasons import parts, reasons
from shared.taste.wishes import Wish


@pytest.fixture
def taste(gallery: Gallery, now: datetime) -> Taste:
    # g0, g12, g24, g36 and g48 are navy coats; g1, g13 and g37 are red dresses.
    signals = [Signal("like", name, now) for name in ("g0", "g12", "g24")]
    signals += [Signal("dislike", "g1", now), Signal("choice", "g36", now, over="g37")]
    return taste_of(
        signals, gallery, priors.broad(gallery.space), now=now, rng=np.random.default_rng(0),
        wishes=[Wish("want", "material", "silk")],
    )  # fmt: skip


def test_the_parts_and_the_prior_make_the_score(gallery: Gallery, taste: Taste) -> None:
    features = gallery.features.astype(np.float64)
    told = parts(taste.posterior, taste.prior, taste.evidence, features).sum(1)
    score = taste.posterior.means(features)
    assert np.allclose(taste.prior.means(features) + told, score, atol=1e-4)


def test_likes_that_are_alike_moved_the_score_most(gallery: Gallery, taste: Taste) -> None:
    found = reasons(
        taste.posterior, taste.prior, taste.evidence, gallery, gallery.features[48], most=4
    )
    assert {"g0", "g12", "g24"} < {name for name, _ in found}
    assert all(share > 0 for _, share in found), "a dislike of what is unlike it speaks for it"
    assert sum(abs(share) for _, share in found) <= 1


def test_a_dislike_speaks_against_what_is_like_it(gallery: Gallery, taste: Taste) -> None:
    found = reasons(
        taste.posterior, taste.prior, taste.evidence, gallery, gallery.features[13], most=9
    )
    assert dict(found)["g1"] < 0


def test_the_background_is_never_a_reason(gallery: Gallery, taste: Taste) -> None:
    found = reasons(
        taste.posterior, taste.prior, taste.evidence, gallery, gallery.features[5], most=99
    )
    assert taste.evidence.background > 0
    assert {name for name, _ in found} <= {"g0", "g12", "g24", "g1", "g36"}


def test_without_signals_there_are_no_reasons(gallery: Gallery, now: datetime) -> None:
    taste = taste_of(
        [], gallery, priors.broad(gallery.space), now=now, rng=np.random.default_rng(0)
    )
    row = gallery.features[5]
    assert reasons(taste.posterior, taste.prior, taste.evidence, gallery, row) == []
