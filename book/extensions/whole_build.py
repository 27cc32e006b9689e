"""Sphinx extension: a build ends whole or says in a sentence why not, and only one runs at once.

What Sphinx was writing when it was stopped may be half a file, and Sphinx would take that for whole
in the next build. So a mark stands in ``_build`` while it writes, and a build that finds the mark
of another starts from nothing. The chapters are no part of this: they are replaced whole.
"""

import fcntl
import logging
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import jupyter_book.sphinx
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parents[2] / "notebooks"))
import driver  # noqa: F401 (puts its crcen on the path)

from crcen.mishaps import explain, told

MARK = ".unfinished"


def take_turn(folder: Path) -> None:
    """Wait until no other process builds in a folder; whoever ends, however, makes room."""
    lock = os.open(folder, os.O_RDONLY)  # and never closed, so it is held until the end
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"waiting for another build of {folder.parent} to end", file=sys.stderr)
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError:
        pass  # a file system that knows no locks


def start(app: Sphinx) -> None:
    """Clear away what a build left that was stopped while it wrote."""
    built = Path(app.doctreedir).parent
    built.mkdir(parents=True, exist_ok=True)
    take_turn(built)
    if (built / MARK).exists():
        for folder in built.iterdir():
            if folder.is_dir():
                shutil.rmtree(folder)


def mark(app: Sphinx) -> None:
    """Put up the mark, once the notebooks have run."""
    Path(app.doctreedir).parent.joinpath(MARK).touch()


def unmark(app: Sphinx, error: Exception | None) -> None:
    """Take the mark away when all is written."""
    if error is None:
        Path(app.doctreedir).parent.joinpath(MARK).unlink(missing_ok=True)


def stop_by_sentence(app: Sphinx) -> None:
    """Let the machine's errors stop the build, and jupyter-book say what they were.

    Sphinx would report a failure of its own, or go on: a page that it cannot write is a warning to
    it, and a line that it cannot print a traceback.
    """
    place = str(Path(app.doctreedir).parent)
    report = jupyter_book.sphinx.handle_exception

    def handle(app: Sphinx | None, arguments: Any, error: BaseException, *stream: Any) -> None:
        def again() -> int:
            raise error

        stopped = isinstance(error, KeyboardInterrupt | BrokenPipeError)
        if stopped or explain(error):
            sys.exit(told("jupyter-book", again, place))
        report(app, arguments, error, *stream)

    def stop(record: logging.LogRecord) -> bool:
        for error in record.args if isinstance(record.args, tuple) else ():
            if isinstance(error, OSError) and explain(error):
                raise error
        return True

    def fail(record: logging.LogRecord) -> None:
        raise  # what the handler caught

    jupyter_book.sphinx.handle_exception = handle
    for handler in logging.getLogger("sphinx").handlers:
        handler.addFilter(stop)
        handler.handleError = fail  # type: ignore[method-assign]


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    stop_by_sentence(app)
    start(app)
    app.connect("builder-inited", mark, priority=200)
    app.connect("build-finished", unmark, priority=999)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
