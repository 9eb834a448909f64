"""Missing labels: filled where they can be, and only there."""

import numpy as np
import pytest
from numpy.typing import NDArray

from worker.labels.classifier import fit
from worker.labels.filling import FEWEST, Filled, fill

Floats = NDArray[np.float32]
Codes = NDArray[np.int64]


def labelled(
    *, noise: float, seed: int = 0, values: int = 4, each: int = 150
) -> tuple[Floats, Codes]:
    middles = np.random.default_rng(9).normal(size=(values, 128))
    truth = np.repeat(np.arange(values), each)
    rng = np.random.default_rng(seed)
    return (middles[truth] + noise * rng.normal(size=(len(truth), 128))).astype(np.float32), truth


def filled(embeddings: Floats, truth: Codes, missing: NDArray[np.bool_], **about: object) -> Filled:
    values = int(truth.max()) + 1
    chosen: dict[str, object] = {
        "styles": np.zeros(len(truth), np.int64), "limit": 0.8, "values": values, **about
    }  # fmt: skip
    return fill(embeddings, np.where(missing, -1, truth), missing, **chosen)  # type: ignore[arg-type]  # one dict for all


def some(count: int, share: float = 0.3) -> NDArray[np.bool_]:
    return np.random.default_rng(1).random(count) < share


def test_labels_that_the_pictures_tell_are_filled_and_right() -> None:
    embeddings, truth = labelled(noise=2.5)
    missing = some(len(truth))
    found = filled(embeddings, truth, missing)
    assert found.used
    assert found.accuracy is not None
    assert found.accuracy > 0.9
    told = found.codes >= 0
    assert not told[~missing].any()
    assert told[missing].mean() > 0.8
    assert (found.codes[told] == truth[told]).mean() > 0.9
    assert found.threshold is not None
    assert (found.chances[told] >= found.threshold).all()


def test_labels_that_the_pictures_do_not_tell_are_left() -> None:
    embeddings, truth = labelled(noise=2.5)
    shuffled = np.random.default_rng(2).permutation(truth)
    found = filled(embeddings, shuffled, some(len(truth)))
    assert not found.used
    assert found.reason is not None
    assert "told right" in found.reason
    assert (found.codes == -1).all()


def test_a_common_value_alone_is_no_prediction() -> None:
    embeddings, truth = labelled(noise=2.5, values=2, each=400)
    lopsided = np.where(np.random.default_rng(3).random(len(truth)) < 0.1, 1, 0)
    found = filled(embeddings, lopsided, some(len(truth)))
    assert not found.used
    assert found.reason is not None
    assert "commonest" in found.reason


def test_held_out_accuracy_is_what_comes_true() -> None:
    embeddings, truth = labelled(noise=6.0)
    missing = some(len(truth))
    found = filled(embeddings, truth, missing, limit=0.5)
    assert found.accuracy is not None
    values = found.codes[missing]
    told = values >= 0
    right = (values[told] == truth[missing][told]).mean()
    assert right == pytest.approx(found.right, abs=0.12)
    assert found.right is not None
    assert found.accuracy < found.right  # the sure ones are the better ones


def test_only_sure_predictions_are_kept() -> None:
    embeddings, truth = labelled(noise=6.0)
    found = filled(embeddings, truth, some(len(truth)), limit=0.6)
    assert found.used
    assert 0 < found.kept < 1
    assert found.right is not None
    assert found.right >= 0.8


@pytest.mark.parametrize(
    ("missing", "reason"),
    [(np.zeros(600, bool), "no garment is without"), (np.arange(600) >= FEWEST - 1, "are needed")],
)
def test_what_cannot_be_learned_says_why(missing: NDArray[np.bool_], reason: str) -> None:
    embeddings, truth = labelled(noise=1.0)
    found = filled(embeddings, truth, missing)
    assert not found.used
    assert reason in str(found.reason)
    assert found.accuracy is None


def test_a_value_too_rare_to_learn_counts_as_told_wrong() -> None:
    embeddings, truth = labelled(noise=1.0)
    missing = some(len(truth))
    rare = truth.copy()
    rare[np.flatnonzero(truth == 3)[::2]] = -1  # known, but of a value that is not learned
    whole, partly = (
        fill(embeddings, np.where(missing, -1, codes), missing, values=4,
             styles=np.zeros(len(truth), np.int64), limit=0.5)
        for codes in (truth, rare)
    )  # fmt: skip
    assert whole.accuracy is not None
    assert partly.accuracy is not None
    assert partly.accuracy < whole.accuracy - 0.05


def test_nothing_is_predicted_where_no_labelled_garment_looks_alike() -> None:
    embeddings, truth = labelled(noise=1.0)
    styles = truth.copy()
    missing = some(len(truth), 0.2) | (styles == 3)  # none of style 3 carries the label
    found = filled(embeddings, np.minimum(truth, 2), missing, styles=styles, values=3)
    assert found.used
    assert (found.codes[styles == 3] == -1).all()
    assert (found.codes[missing & (styles != 3)] >= 0).any()
    nowhere = filled(embeddings, np.minimum(truth, 2), some(600), styles=np.full(600, -1), values=3)
    assert (nowhere.codes == -1).all()


def test_chances_sum_to_one_and_the_fit_is_the_same_each_time() -> None:
    embeddings, truth = labelled(noise=2.5)
    first, second = (fit(embeddings, truth, 4, ridge=1.0) for _ in range(2))
    np.testing.assert_array_equal(first.weights, second.weights)
    chances = first.chances(embeddings)
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-4)
    assert (chances.argmax(axis=1) == truth).mean() > 0.95
