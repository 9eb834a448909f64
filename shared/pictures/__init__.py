"""What both sides do with pictures: resize them, and tell whether two look the same."""
