"""What is told of garments that nobody labelled: missing labels filled, and styles found."""
