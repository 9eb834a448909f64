"""What a generated image says of itself: its mark as XMP, its C2PA manifest, and its pixels.

The worker stamps every picture with its mark; the front signs copies, and judges files that come
back.
"""
