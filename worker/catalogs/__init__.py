"""Catalog ingest: from uploaded files to clean, measured, de-duplicated garments in shards."""
