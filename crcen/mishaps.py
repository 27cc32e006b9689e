"""What a machine does to a program, told in one sentence: full disks, closed pipes, Ctrl-C.

It imports nothing but the standard library, so that it can tell of what happens while the rest of a
program is still being imported.
"""

from __future__ import annotations

import errno
import os
import select
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing import current_process
from pathlib import Path
from uuid import uuid4

SCRATCH = ".scratch-"  #: What the name begins with of all that is not whole yet.

_AGAIN = "run the same command again: what was done is kept"
_FREE = f"Free some space and {_AGAIN}."
_ALLOW = f"Make it writable and {_AGAIN}."
_MOVE = "Move it away, or name another folder."

#: What is wrong, and what to do, by the number that the system gives the error.
CAUSES = {
    errno.ENOSPC: ("no space left on the disk", _FREE),
    errno.EDQUOT: ("your quota of the disk is used up", _FREE),
    errno.EFBIG: ("a file may not grow that large (see `ulimit -f`)", f"Raise it and {_AGAIN}."),
    errno.EROFS: ("read-only", _ALLOW),
    errno.EACCES: ("permission denied", _ALLOW),
    errno.EPERM: ("not permitted", _ALLOW),
    errno.EIO: ("the disk fails (input/output error)", f"Look after it and {_AGAIN}."),
    errno.EEXIST: ("something of that name is in the way", _MOVE),
    errno.ENOTDIR: ("a file stands where a folder should be", _MOVE),
    errno.EMFILE: ("too many open files (see `ulimit -n`)", f"Raise it and {_AGAIN}."),
}


def explain(error: BaseException, place: str = "the output") -> str:
    """Tell in a sentence what the machine did, or '' if it is the program that is to blame.

    Parameters
    ----------
    error : BaseException
        The error, or one that was raised because of it.
    place : str
        What is written, for an error that does not name it.

    Examples
    --------
    >>> explain(OSError(errno.ENOSPC, "No space left on device", "results/a.json"))[:48]
    'results/a.json: no space left on the disk. Free '
    >>> explain(KeyError("a"))
    ''
    """
    seen: list[BaseException] = []
    queue: list[object] = [error]
    while queue:
        each = queue.pop(0)
        if not isinstance(each, BaseException) or each in seen:
            continue
        seen.append(each)
        if isinstance(each, OSError) and (sentence := _explain(each, place)):
            return sentence
        if isinstance(each, BrokenProcessPool):
            return f"a worker process was killed, perhaps for want of memory. Free some, {_AGAIN}."
        # Sphinx keeps what an extension raised in orig_exc.
        queue += [getattr(each, "orig_exc", None), each.__cause__, each.__context__]
    return ""


def _explain(error: OSError, place: str) -> str:
    number, name = error.errno, error.filename2 or error.filename  # of a copy, where it went
    if isinstance(error, shutil.Error):  # of many copies: what they met is quoted
        met = [(str(why), to) for _, to, why in error.args[0]]
        number, name = next(
            ((code, to) for code in CAUSES for why, to in met if os.strerror(code) in why), (0, "")
        )
    if number == errno.ENOENT and "usable temporary directory" in str(error):
        return f"{error.strerror}: set TMPDIR to a folder with space that you may write to."
    if number not in CAUSES:
        return ""
    cause, remedy = CAUSES[number]
    return f"{os.fsdecode(name or place)}: {cause}. {remedy}"


def told(program: str, work: Callable[[], int], place: str = "the output") -> int:
    """Do a program's work and return its exit status; say in one sentence what stopped it.

    Parameters
    ----------
    program : str
        Its name, which begins the sentence.
    work : callable
        Returns the exit status.
    place : str
        As in `explain`.

    Returns
    -------
    int
        That of the work, 1 if the machine would not go on, 130 after Ctrl-C. A reader who has
        seen enough, as `head`, is not told. An error that is the program's own is raised.

    Examples
    --------
    >>> told("crcen", lambda: 0)
    0
    """
    try:
        status = work()
        if sys.stdout:  # None where it is closed from the start
            sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print(f"\n{program}: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    except Exception as error:
        quiet = isinstance(error, BrokenPipeError) and _nobody_reads()
        _drop_output()
        if quiet:
            return 1
        if not (sentence := explain(error, place)):
            raise
        print(f"{program}: {sentence}", file=sys.stderr)
        return 1


def _nobody_reads() -> bool:
    """Whether the pipe that is printed to has no other end any more."""
    poll = select.poll()
    with suppress(OSError, ValueError, AttributeError):  # no file, as in a test, or none at all
        poll.register(sys.stdout.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _drop_output() -> None:
    """Lose what is still to be printed, or Python would fail with it once more at its end."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def deaf() -> Iterator[None]:
    """Start processes that do not hear Ctrl-C, which a terminal sends to all: one is to tell of it.

    They inherit that it waits, and can then ignore it. Here it waits no longer than the block.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


@cache
def end_with(parent: int) -> None:
    """Let this process, if it is one of joblib's workers, end with the one that started it only.

    By itself a worker whose parent was killed may wait for more work for ever, and one that hears
    Ctrl-C prints a traceback.

    Parameters
    ----------
    parent : int
        The parent's process number, as the parent tells it: the system would name another one to
        an orphan.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    if current_process().name.startswith("LokyProcess"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=watch, daemon=True).start()


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Give the system's errors inside the name of what is written, which many lack.

    Examples
    --------
    >>> with naming("a.csv"):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
    OSError: [Errno 28] No space left on device: 'a.csv'
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = os.fspath(path)
        raise


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Hand out a scratch file that takes the place of `path` once it is written, or vanishes.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with replacing(Path(folder, "a.txt")) as scratch:
    ...         scratch.write_text("whole")
    ...     [path.name for path in Path(folder).iterdir()]
    5
    ['a.txt']
    """
    scratch = path.with_name(f"{SCRATCH}{uuid4().hex}.{path.name}.part")
    try:
        with naming(path):
            yield scratch
            os.replace(scratch, path)
    finally:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)


def write_whole(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file whole or not at all, in a folder that is made if there is none."""
    to = Path(path)
    to.parent.mkdir(parents=True, exist_ok=True)
    with replacing(to) as scratch:
        scratch.write_text(text, encoding="utf-8")
