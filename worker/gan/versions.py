"""The formats of a release's files, apart from what reads them: parents ask, and never compute."""

from typing import Final

FORMAT: Final = 2
"""1 had one preset, squares and no colours."""

READABLE: Final = (1, 2)
