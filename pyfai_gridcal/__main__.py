"""``python -m pyfai_gridcal`` is the same as ``pyFAI-gridcal``."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
