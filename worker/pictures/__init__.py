"""What both the ingest and the engine do with pictures: measure their colours."""
