"""The networks: one file a preset, the layers that they share, and the registry of all."""
