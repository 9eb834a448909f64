import numpy as np

from worker.gan.readings import Reading, Readings


def read(readings: Readings, *values: float, err: float = 1.0) -> None:
    for value in values:
        images = 1000 * (len(readings.curve) + 1)
        now = Reading(images, images / 100, value, value - err, value + err)
        readings.add(now, [np.full(2, value)])


def test_the_lowest_reading_is_kept() -> None:
    readings = Readings(None)
    read(readings, 50, 20, 90)
    assert readings.best is not None
    assert readings.best.value == 20
    assert readings.weights[0].tolist() == [20, 20]


def test_a_later_state_that_is_as_good_is_preferred() -> None:
    readings = Readings(None)
    read(readings, 50, 20, 20.5)
    assert readings.best is not None
    assert readings.best.value == 20.5


def test_preferring_the_later_does_not_walk_uphill() -> None:
    readings = Readings(None)
    read(readings, 20, 20.9, 21.8, 22.7)
    assert readings.best is not None
    assert readings.best.value == 20.9


def test_a_metric_that_has_not_moved_over_the_window_has_settled() -> None:
    readings = Readings(3)
    read(readings, 50, 30, 29.5, 30.5)
    assert not readings.has_settled()
    read(readings, 29.9)
    assert readings.has_settled()


def test_a_metric_that_still_falls_has_not() -> None:
    readings = Readings(3)
    read(readings, 50, 45, 40, 35, 30, 25)
    assert not readings.has_settled()


def test_without_a_window_it_never_ends_early() -> None:
    readings = Readings(None)
    read(readings, *[30.0] * 50)
    assert not readings.has_settled()


def test_the_readings_survive_a_checkpoint() -> None:
    readings, again = Readings(3), Readings(3)
    read(readings, 50, 20, 90)
    assert readings.best is not None
    again.restore(readings.as_dicts(), readings.curve.index(readings.best), readings.weights)
    assert again.curve == readings.curve
    assert again.best == readings.best
