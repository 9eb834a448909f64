"""The whole of Toile on one machine: its Redis and its processes, started, kept and stopped."""
