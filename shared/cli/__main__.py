"""`python -m shared.cli`: the same as `toile`."""

import sys

from shared.cli import main

sys.exit(main())
