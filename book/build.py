"""Build the book: what ``make book`` runs, ``jupyter-book build . -W --keep-going -n``.

That says by itself what stops it (extensions/whole_build.py), but only from the moment when it has
read _config.yml. Here it is told before: Ctrl-C at once, output that nobody reads or that finds no
space.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "notebooks"))
from driver import ROOT

from crcen.mishaps import told


def build() -> int:
    """Build it, and return the exit status."""
    from click import Abort
    from jupyter_book.cli.main import main

    logging.raiseExceptions = False  # or each line that cannot be printed is a traceback
    try:
        main(["build", ".", "-W", "--keep-going", "-n"], standalone_mode=False)
    except Abort:  # click's name for it
        raise KeyboardInterrupt from None
    except RuntimeError:  # what is wrong has been said
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(told("make book", build, str(ROOT / "_build")))
