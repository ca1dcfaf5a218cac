"""Print ``data/README.md``: ``python -m capnet.data``."""

import sys

from capnet.data.catalog.guide import guide

if __name__ == "__main__":
    sys.stdout.write(guide())
