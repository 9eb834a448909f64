"""What the rows say of designs: a design's own, and the result of the job that asked for it."""

from collections.abc import Sequence
from typing import Any

from shared import ids
from shared.artifacts import Artifact
from shared.schemas.jobs import DesignSpec, JobRecord
from worker.designs.encoding import Made, Picture


def row_of(
    job: JobRecord,
    spec: DesignSpec,
    picture: Picture,
    artifact: Artifact,
    *,
    position: int,
    start: int,
) -> dict[str, Any]:
    """Return a design's columns, without its perceptual hash and its encoder.

    Args:
        job: that made it.
        spec: what was asked.
        picture: the design.
        artifact: the pack that holds its bytes.
        position: its place in the job, from 0.
        start: its first byte in the pack.
    """
    return {
        "id": ids.new_id(ids.DESIGN),
        "site_id": job.site_id,
        "job_id": job.id,
        "shopper_id": job.shopper_id,
        "release_id": spec.release_id,
        "position": position,
        "size": spec.size,
        "format": picture.image_format.value,
        "artifact": artifact.key,
        "start": start,
        **picture.as_columns(spec),
    }


def result_of(spec: DesignSpec, made: Made, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what a design job's ``result`` holds; `replaced` counts those that were copies first.

    Plain JSON values, not a schema: it is written for each of a batch's 64 jobs.
    """
    shown = [
        {
            "id": row["id"],
            "seed": row["seed"],
            "condition": row["condition"],
            "url": f"/v1/designs/{row['id']}",
            "image_url": f"/v1/designs/{row['id']}/image",
            **({} if row["score"] is None else {"score": row["score"], "reasons": row["reasons"]}),
        }
        for row in rows
    ]
    replaced = sum(picture.drawn.replaced > 0 for picture in made.pictures)
    leant = {} if made.told is None else {"trend": dict(made.told)}
    return {"release_id": spec.release_id, "designs": shown, "replaced": replaced, **leant}
