from redis import Redis

from shared.queue.status import StatusBoard, StatusDocument
from shared.schemas.jobs import Progress

OLD, NEW = Progress(fraction=0.9), Progress(fraction=0.1)


def test_a_stale_worker_does_not_hide_what_the_newer_one_says(redis: Redis) -> None:
    board = StatusBoard(redis)
    board.write("job_1", StatusDocument(fence=3, progress=NEW))
    board.write("job_1", StatusDocument(fence=1, progress=OLD))
    assert board.read("job_1", fence=3) == NEW


def test_a_stale_worker_that_tidies_up_takes_nothing_of_the_newer_one_away(redis: Redis) -> None:
    board = StatusBoard(redis)
    board.write("job_1", StatusDocument(fence=3, progress=NEW))
    board.clear("job_1", fence=1)
    assert board.read("job_1", fence=3) == NEW
    board.clear("job_1", fence=3)
    assert board.read("job_1", fence=3) is None


def test_what_a_dead_worker_said_is_forgotten_by_itself(redis: Redis) -> None:
    StatusBoard(redis).write("job_1", StatusDocument(fence=1, progress=OLD))
    (key,) = redis.keys("toile:job:*")
    assert 0 < redis.ttl(key) <= 120
