"""Tastes: what a shopper likes, learned from a few signals, in milliseconds and with doubt.

Pure NumPy, so that the front answers by itself and the workers design with the same code. Read
`learning.py` first: signals become `Evidence` (`observations.py`), wishes move the `Prior`
(`prior.py`, `wishes.py`), and `logistic.py` makes the posterior of both. What it is for:
`ranking.py` orders items, `thompson.py` says what to design next, `reasons.py` and `words.py`
explain.
"""

from shared.taste.gallery import Gallery, hang
from shared.taste.items import Items, join
from shared.taste.learning import Taste, taste_of
from shared.taste.observations import Signal
from shared.taste.prior import Prior
from shared.taste.space import FeatureSpace
from shared.taste.wishes import Wish

__all__ = [
    "FeatureSpace",
    "Gallery",
    "Items",
    "Prior",
    "Signal",
    "Taste",
    "Wish",
    "hang",
    "join",
    "taste_of",
]
