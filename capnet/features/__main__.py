"""Print the table of all features: ``python -m capnet.features``."""

import sys

from capnet.features.registry import FEATURES

if __name__ == "__main__":
    sys.stdout.write(FEATURES.to_markdown())
