"""Artifacts: bytes behind a few verbs, in a local folder or in S3."""

from shared.artifacts.store import Artifact, ArtifactStore, Entry, open_store

__all__ = ["Artifact", "ArtifactStore", "Entry", "open_store"]
