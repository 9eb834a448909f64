"""The queue: names, the Celery application, sending by name, and the status documents in Redis."""
