"""`python -m crcen` is the command `crcen`."""

import sys

from crcen.command import main

if __name__ == "__main__":
    sys.exit(main())
