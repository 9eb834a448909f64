"""The demonstration: a catalog for anyone, and the main job from end to end."""
