"""The kinds of work: rows and artifacts in, an engine, rows and artifacts out."""
