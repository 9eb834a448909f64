"""The language of the system: what crosses HTTP, the database and the queue."""
