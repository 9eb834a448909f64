"""Catalogs, garments and feeds."""

import json
from pathlib import Path

from shared.client.calls import Calls, body_of, part_of
from shared.client.failures import ApiError
from shared.client.http import Part, Request
from shared.errors import ConflictError
from shared.schemas.catalogs import Catalog, GarmentFields
from shared.schemas.feeds import Feed, FeedBatch, FeedRequest
from shared.schemas.jobs import Job


class CatalogCalls(Calls):
    """Catalogs, garments and feeds."""

    def catalogs(self) -> list[Catalog]:
        """Return all catalogs, newest first."""
        return list(self._every("/v1/catalogs", Catalog))

    def catalog(self, reference: str) -> Catalog:
        """Return a catalog by its id or name."""
        return self._get(f"/v1/catalogs/{part_of(reference)}", Catalog)

    def create_catalog(self, name: str, *, image_size: int | None = None) -> Catalog:
        """Make an empty catalog, or return the one of that name."""
        body = {"name": name, "image_size": image_size}
        try:
            return self._post("/v1/catalogs", Catalog, json_body=body)
        except ApiError as error:
            if error.reason != ConflictError.reason:
                raise
            return self.catalog(name)

    def add_archive(self, catalog: str, archive: Path) -> Job:
        """Upload a zip or tar of garments; the job takes it in."""
        return self._upload(catalog, Part("archive", archive, archive.name), {})

    def add_image(self, catalog: str, image: Path, fields: GarmentFields | None = None) -> Job:
        """Upload one garment's picture with what is known of it."""
        form = {} if fields is None else {"fields": json.dumps(body_of(fields))}
        return self._upload(catalog, Part("image", image, image.name), form)

    def add_path(self, catalog: str, path: str) -> Job:
        """Take in what lies on the server, below one of its TOILE_IMPORT_ROOTS."""
        return self._post(
            f"/v1/catalogs/{part_of(catalog)}/garments", Job, json_body={"path": path}
        )

    def feeds(self) -> list[Feed]:
        """Return all feeds, newest first."""
        return list(self._every("/v1/feeds", Feed))

    def feed(self, reference: str) -> Feed:
        """Return a feed by its id or name."""
        return self._get(f"/v1/feeds/{part_of(reference)}", Feed)

    def create_feed(self, request: FeedRequest) -> Feed:
        """Make an empty feed, or return the one of that name."""
        try:
            return self._post("/v1/feeds", Feed, json_body=body_of(request))
        except ApiError as error:
            if error.reason != ConflictError.reason:
                raise
            return self.feed(request.name)

    def delete_feed(self, reference: str) -> None:
        """Delete a feed with all that it brought."""
        self._http.send(Request("DELETE", f"/v1/feeds/{part_of(reference)}"))

    def batches(self, feed: str) -> list[FeedBatch]:
        """Return a feed's batches, newest first."""
        return list(self._every(f"/v1/feeds/{part_of(feed)}/batches", FeedBatch))

    def add_counts(self, feed: str, counts: Path, *, revises: bool = False) -> Job:
        """Upload counts, as CSV or JSON lines; revising, they replace what was said before."""
        form = {"revises": "true"} if revises else {}
        return self._send_file(_batches(feed), Part("counts", counts, counts.name), form)

    def add_images(self, feed: str, archive: Path) -> Job:
        """Upload a zip or tar of dated images with a manifest."""
        return self._send_file(_batches(feed), Part("archive", archive, archive.name), {})

    def _upload(self, catalog: str, part: Part, form: dict[str, str]) -> Job:
        return self._send_file(f"/v1/catalogs/{part_of(catalog)}/garments", part, form)


def _batches(feed: str) -> str:
    return f"/v1/feeds/{part_of(feed)}/batches"
