"""The Celery tasks: each opens an attempt, calls one plain function, and hands over the result."""
