"""Proof by breaking: the real stack as processes, a known set of jobs, seeded faults, a count."""
