import hashlib
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from shared.errors import InvalidInputError
from tests.unit.worker.gan.conftest import MakeGarments
from worker.gan.measure.inception import fid_inception, inception_score

Saved = dict[bool, tuple[Path, str]]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Weights files of the published form with random weights: without and with the classes."""
    folder = tmp_path_factory.mktemp("inception")
    found = {}
    for top in (False, True):
        path = folder / f"top-{top}.h5"
        network = keras.applications.InceptionV3(
            include_top=top, weights=None, pooling=None if top else "avg"
        )
        network.save(path)
        found[top] = (path, hashlib.sha256(path.read_bytes()).hexdigest())
    return found


def echo(labels: NDArray[np.int32], _: NDArray[np.float32], seed: int) -> NDArray[np.uint8]:
    draw = np.random.default_rng(seed)
    return draw.integers(0, 256, (len(labels), 16, 16, 1), np.uint8)


def test_without_a_weights_file_there_is_no_such_figure(garments: MakeGarments) -> None:
    with pytest.raises(InvalidInputError, match="none were named"):
        fid_inception(echo, garments(n=32, channels=1), weights=None, sha256="")
    with pytest.raises(InvalidInputError, match="There is no weights file"):
        inception_score(
            echo, garments(n=32, channels=1), weights=Path("nowhere.h5"), sha256="0" * 64
        )


def test_a_file_with_another_hash_is_never_loaded(garments: MakeGarments, tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    path.write_bytes(b"not what was promised")
    with pytest.raises(InvalidInputError, match="but 000"):
        fid_inception(echo, garments(n=32, channels=1), weights=path, sha256="0" * 64)


@pytest.mark.slow
def test_named_weights_give_a_distance_with_their_hash_in_its_key(
    garments: MakeGarments, saved: Saved
) -> None:
    path, sha256 = saved[False]
    found = fid_inception(
        echo, garments(n=32, channels=1), weights=path, sha256=sha256.upper(), n=8
    )
    assert found.key == f"fid_inception[keras-inception-v3@{sha256[:8]}]"
    assert found.n == 8
    assert found.value > 0


@pytest.mark.slow
def test_named_weights_with_classes_give_a_score_with_the_real_one_as_ceiling(
    garments: MakeGarments, saved: Saved
) -> None:
    path, sha256 = saved[True]
    found = inception_score(echo, garments(n=32, channels=1), weights=path, sha256=sha256, n=8)
    assert found.key == f"inception_score[keras-inception-v3@{sha256[:8]}]"
    assert found.value >= 1.0
    assert found.ceiling is not None


@pytest.mark.slow
def test_the_file_of_the_other_kind_is_refused(garments: MakeGarments, saved: Saved) -> None:
    path, sha256 = saved[False]
    with pytest.raises(InvalidInputError, match="Distances take the _notop file"):
        inception_score(echo, garments(n=32, channels=1), weights=path, sha256=sha256, n=8)
