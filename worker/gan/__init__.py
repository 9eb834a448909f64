"""The garment generator: networks, training, checkpoints and generation."""
