"""Trainings, models and releases."""

from shared.client.calls import Calls, body_of, part_of
from shared.client.http import Request
from shared.schemas.figures import Comparison
from shared.schemas.jobs import Job
from shared.schemas.models import Model, Release, TrainingRequest


class ModelCalls(Calls):
    """Trainings, models and releases."""

    def train(self, request: TrainingRequest) -> Job:
        """Train a model on a catalog."""
        return self._post("/v1/training-jobs", Job, json_body=body_of(request))

    def models(self) -> list[Model]:
        """Return all models, newest first."""
        return list(self._every("/v1/models", Model))

    def model(self, reference: str) -> Model:
        """Return a model by its id or name."""
        return self._get(f"/v1/models/{part_of(reference)}", Model)

    def release(self, release_id: str) -> Release:
        """Return a release."""
        return self._get(f"/v1/releases/{part_of(release_id)}", Release)

    def compare(self, first: str, second: str, *, figure: str | None = None) -> Comparison:
        """Return the figures of two releases side by side, or one of them by its key."""
        query = {"first": first, "second": second, "figure": figure}
        return self._read(Request("GET", "/v1/releases/compare", query=query), Comparison)
