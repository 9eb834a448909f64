"""What both the ingest and the engine do with pictures: resize them, and measure colours."""
