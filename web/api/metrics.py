"""Metrics for Prometheus, for whoever holds the operator's token."""

import hmac
from typing import Final

from flask import Blueprint, Response, request
from prometheus_client.exposition import choose_encoder

from shared.errors import ForbiddenError, UnauthorizedError
from web.runtime import runtime

# No noun of the API: it is the operator's, and no site's key opens it.
blueprint: Final = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def read_metrics() -> Response:
    """Tell what was counted, and what is true now."""
    here = runtime()
    token = here.settings.metrics_token
    if token is None:
        raise ForbiddenError(
            "Metrics are closed here: they tell of all sites. Set TOILE_METRICS_TOKEN, and let "
            "Prometheus send it as its bearer token."
        )
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    right = token.get_secret_value().encode()
    if scheme.lower() != "bearer" or not hmac.compare_digest(sent.strip().encode(), right):
        raise UnauthorizedError(
            "Metrics are opened by TOILE_METRICS_TOKEN as a bearer token; a site's key is not one."
        )
    encode, media_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(here.registry), content_type=media_type)
