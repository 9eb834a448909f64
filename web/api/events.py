"""Events of a job as they happen (server-sent events)."""

from http import HTTPStatus
from typing import Any, Final

from flask import Response, request
from pydantic import ConfigDict, Field

from shared.schemas.base import Schema
from web import auth
from web.api.jobs import JobPath, read_job
from web.api.noun import FOR_SHOPPERS, noun
from web.handover import Body
from web.runtime import runtime
from web.streams import Place

api: Final = noun("events", "What happens to a job, as it happens.")

_MEDIA_TYPE: Final = "text/event-stream"
_EXAMPLE: Final = (
    'id: 1793000000000-0.running-1\nevent: progress\ndata: {"fraction": 0.4, "message": "training"'
    "}\n\n"
)


class Resume(Schema):
    """Where a reader that lost the connection goes on."""

    model_config = ConfigDict(extra="ignore")

    last_event_id: str | None = Field(
        None,
        alias="Last-Event-ID",
        max_length=200,
        description="The `id` of the last event that was read; a browser's EventSource sends it by "
        "itself. What it does not fit is taken as a new beginning.",
    )


_EVENT: Final = {
    "type": "object",
    "description": "One event of the stream, by its fields.",
    "properties": {
        "id": {"type": "string"},
        "event": {"type": "string", "enum": ["state", "progress", "preview", "end"]},
        "data": {"type": "string", "description": "A JSON document."},
        "retry": {"type": "integer"},
    },
}


def _described() -> dict[str, Any]:
    return {
        "description": "Events until the job is over: `state` and `end` carry the job as "
        "GET /v1/jobs/{job} tells it, `progress` its progress, `preview` a sample grid's address. "
        "A comment comes every 15 seconds where nothing else does.",
        "content": {_MEDIA_TYPE: {"schema": _EVENT, "example": _EXAMPLE}},
    }


@api.get(
    "/jobs/<job>/events",
    responses={
        "200": _described(),
        "204": {"description": "The end was read already: do not come again."},
    },
    security=FOR_SHOPPERS,
)
@auth.for_shoppers
def stream_events(path: JobPath, header: Resume) -> Response:
    """Follow a job: its progress, previews and end, as server-sent events."""
    here, told = runtime(), Place.parse(header.last_event_id)
    job = read_job(path.job)
    if told is not None and told.is_end and job.state.is_final:
        return Response(status=HTTPStatus.NO_CONTENT)
    if request.method == "HEAD":
        return _answer(None)
    stream = here.streams.open(job.id, told, is_allowed=auth.standing())
    close = lambda: here.streams.close(stream)  # noqa: E731 - bound to this stream
    return _answer(Body(stream, request.environ, here.sockets, close=close))


def _answer(body: Body | None) -> Response:
    response = Response(body, mimetype=_MEDIA_TYPE)
    # A proxy that gathers an answer before it passes it on would keep the events back.
    response.headers["X-Accel-Buffering"] = "no"
    return response
