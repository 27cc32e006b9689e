"""The driver: what there is to run, running it, and what it shows, with the crcen of its root."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

sys.path.insert(0, str(ROOT))  # what is hashed is imported, whatever crcen is installed
