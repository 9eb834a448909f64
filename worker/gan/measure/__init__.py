"""Figures that can be trusted: extractors, distances, and the suite that puts them together."""
