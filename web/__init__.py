"""The thin front: HTTP in, rows and messages out."""
