"""Finding designs by their bytes and by their look."""

from typing import Any

from shared.records import Records, designs
from tests.fixtures.rows import a_design_job, a_release, a_site


def publish(records: Records, site_id: str, hashes: list[int | None]) -> list[str]:
    """Add designs with these perceptual hashes; the first one's file has the SHA-256 of zeros."""
    release = a_release(records, site_id, model=f"dresses of {site_id}")
    job = a_design_job(records, site_id, release.id)
    rows: list[dict[str, Any]] = [
        {
            "id": f"{site_id}_{place}", "site_id": site_id, "job_id": job.id,
            "release_id": release.id, "position": place, "seed": place, "condition": {},
            "size": 32, "format": "png", "artifact": f"designs/{place}", "sha256": f"{place:064x}",
            "perceptual_hash": hash_,
        }
        for place, hash_ in enumerate(hashes)
    ]  # fmt: skip
    with records.transaction() as tx:
        designs.publish(tx, rows)
    return [row["id"] for row in rows]


def test_a_design_is_found_by_its_bytes_in_its_own_site_alone(records: Records) -> None:
    site, rival = a_site(records), a_site(records, "rival")
    (made,) = publish(records, site, [None])
    with records.reading() as tx:
        found = designs.by_sha256(tx, site, "0" * 64)
        assert found is not None
        assert (found.design.id, found.artifact) == (made, "designs/0")
        assert designs.by_sha256(tx, rival, "0" * 64) is None
        assert designs.by_sha256(tx, site, "f" * 64) is None


def test_near_designs_come_nearest_first_with_their_distance(records: Records) -> None:
    site = a_site(records)
    made = publish(records, site, [0b111, 0b1, -(2**63), 2**62 - 1, None])
    with records.reading() as tx:
        near = designs.near(tx, site, 0)
    assert set(near.found) == {(made[1], 1), (made[2], 1), (made[0], 3)}
    assert [distance for _, distance in near.found] == [1, 1, 3]
    assert near.searched == 4, "one has no hash"


def test_the_sign_of_a_hash_is_one_bit_like_any_other(records: Records) -> None:
    site = a_site(records)
    (made,) = publish(records, site, [-1])
    with records.reading() as tx:
        assert designs.near(tx, site, 2**63 - 1).found == ((made, 1),)
        assert designs.near(tx, site, 0).found == ()
        assert designs.near(tx, site, 0, within=64).found == ((made, 64),)


def test_nothing_of_another_site_is_near(records: Records) -> None:
    site, rival = a_site(records), a_site(records, "rival")
    publish(records, site, [0])
    with records.reading() as tx:
        assert designs.near(tx, rival, 0) == designs.NearDesigns(found=(), searched=0)


def test_of_many_alike_the_eight_nearest_are_enough(records: Records) -> None:
    site = a_site(records)
    publish(records, site, [0] * 12)
    with records.reading() as tx:
        assert len(designs.near(tx, site, 0).found) == 8
