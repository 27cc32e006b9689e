"""Executing jobs with papermill, several at once, and telling how far they are."""

import fcntl
import os
import platform
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from importlib.metadata import version
from multiprocessing import active_children, connection, get_context, parent_process
from pathlib import Path
from typing import Any

import jupytext
import psutil

from crcen import mishaps
from crcen.study import datasets
from driver.parameters import RunError
from driver.plan import Job, named_sets

PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "imbalanced-learn", "torch", "papermill")
PATIENCE = 0.5  # seconds between two looks at what runs
NO_LIMIT = 10**8

_progress: Any = None  # in a worker process, the queue to the main one


def fetch_data(jobs: list[Job], report: Callable[[str], object]) -> None:
    """Try once to load each data set that jobs name and that is not here; say which fail."""
    named = {name for job in jobs for name in named_sets(job.parameters)}
    missing = []
    for name in datasets.DATASETS:
        if name in named and not datasets.locate_dataset(name):
            try:
                datasets.load_dataset(name)
            except datasets.DataError:
                missing.append(name)
    if missing:
        report(f"not to be had: {', '.join(missing)}; the chapters go on without")


@contextmanager
def scratch_folder(runs: Path) -> Iterator[Path]:
    """Hand out a folder for what is not whole yet, and remove those that killed runs have left.

    Whoever runs holds a shared lock on ``runs``, so that nobody removes what is in use.
    """
    name = mishaps.SCRATCH
    with mishaps.naming(runs):
        runs.mkdir(parents=True, exist_ok=True)
        lock = os.open(runs, os.O_RDONLY)
        try:
            with suppress(OSError):  # somebody else runs; or the file system knows no locks
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for left in runs.glob(f"{name}*"):
                    shutil.rmtree(left) if left.is_dir() else left.unlink()
            with suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_SH)
            with tempfile.TemporaryDirectory(
                prefix=name, dir=runs, ignore_cleanup_errors=True
            ) as folder:
                yield Path(folder)
        finally:
            os.close(lock)


def set_environment(root: Path, scratch: Path, progress: Any) -> None:
    """Prepare a worker process for the kernels that it starts."""
    global _progress
    _progress = progress
    follow_parent()
    # The kernels' own files vanish with the scratch folder, and need no home to be in.
    os.environ["JUPYTER_RUNTIME_DIR"] = str(scratch / "jupyter")
    os.environ["IPYTHONDIR"] = str(scratch / "ipython")
    for library in ("OMP", "MKL", "OPENBLAS"):
        os.environ[f"{library}_NUM_THREADS"] = "1"  # parallel over notebooks, not inside one
    path = [str(root), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))  # what was hashed is imported
    os.environ["CRCEN_DOWNLOAD"] = "0"  # what can be had has been fetched
    os.environ.pop("MPLBACKEND", None)
    prepare_matplotlib(scratch)


def prepare_matplotlib(scratch: Path) -> None:
    """See that Matplotlib has a cache and its list of fonts, or a chapter would show its notice."""
    try:
        at_home = os.access(Path.home(), os.W_OK)
    except RuntimeError:  # nobody's home
        at_home = False
    if not at_home:
        os.environ.setdefault("MPLCONFIGDIR", str(scratch / "matplotlib"))
    import matplotlib

    if not any(Path(matplotlib.get_cachedir()).glob("fontlist-*.json")):
        import_module("matplotlib.font_manager")


def follow_parent() -> None:
    """Let this worker process leave Ctrl-C to the main one, and end when that is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the main process ends them
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """End this worker process, and the kernel that it runs, when the main process is killed."""
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    _end(os.getpid())


def _end(pid: int) -> None:
    """Kill a worker process with its kernel: half a chapter is of no use."""
    with suppress(psutil.NoSuchProcess):
        worker = psutil.Process(pid)
        if pid != os.getpid():
            _halt(worker)  # a kernel that it starts meanwhile would not be counted, and live on
        family = [worker, *worker.children(recursive=True)]
        for process in sorted(family, key=lambda process: process.pid == os.getpid()):
            with suppress(psutil.NoSuchProcess):
                process.kill()


def _halt(process: psutil.Process) -> None:
    """Stop a process, and wait until it stands still."""
    process.suspend()
    still = (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    while process.status() not in still:
        time.sleep(0.001)


def started(run: Callable[[], Any], attempts: int = 5) -> Any:
    """Run a notebook, again if its kernel did not start.

    A kernel is told which ports to use a second before it uses them. Where many start, another may
    have taken one meanwhile.
    """
    for attempt in range(1, attempts + 1):
        try:
            return run()
        except RuntimeError as error:
            if "Kernel died before replying" not in str(error):
                raise
            if attempt == attempts:
                raise RunError(f"its kernel does not start: {error}", status=1) from None


def execute(job: Job, root: Path, scratch: Path) -> float:
    """Execute one notebook, in a worker process, and return the seconds it took.

    The target is replaced whole or not at all; what a failing notebook got to is kept in ``runs``.
    """
    import nbformat
    import papermill
    from nbclient.exceptions import DeadKernelError

    job.target.parent.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    notebook = jupytext.read(job.source)
    if job.prelude:
        notebook.cells.insert(0, nbformat.v4.new_code_cell(job.prelude))
    n_cells = len(notebook.cells) + bool(job.given)  # papermill adds one for what is given

    def tell(cell: Any, cell_index: int) -> None:
        _progress.put((job.target.stem, f"cell {cell_index + 1} of {n_cells}"))

    with mishaps.naming(scratch):
        written = scratch / job.target.name
        run = partial(
            papermill.execute_notebook,
            notebook,
            written,
            job.given,
            kernel_name="python3",
            language="python",
            cwd=job.source.parent,
            progress_bar=False,
            on_cell_start=tell,
            # Seconds. A busy machine needs long, a clock may jump, and an output that is late by
            # four would be left out in silence.
            start_timeout=NO_LIMIT,
            iopub_timeout=NO_LIMIT,
            extra_arguments=["--log-level=40"],  # or a warning on TCP at every start
        )
        try:
            notebook = started(run)
        except (papermill.PapermillExecutionError, DeadKernelError) as error:
            failed = root / f"runs/{job.target.stem}-failed.ipynb"
            shutil.move(written, failed)
            what = "its kernel died"
            if isinstance(error, papermill.PapermillExecutionError):
                what = f"cell [{error.exec_count}] raised {error.ename}: {error.evalue}"
            raise RunError(f"{job.source.stem}: {what}\n  see {failed}", status=1) from None
        seconds = time.perf_counter() - start
        origin = "The reader" if job.mine else f"The profile {job.profile}"
        for cell in notebook.cells:
            # Papermill keeps the cell of declared values and adds one of those it sets. Both are
            # shown, because the first says what they mean and the second with which the rest ran.
            if "injected-parameters" in cell.metadata.tags:
                cell.source = cell.source.replace("# Parameters", f"# {origin} sets", 1)
        del notebook.metadata["papermill"]["output_path"]
        notebook.metadata["crcen"] = {
            "key": job.key,
            "profile": job.profile,
            "parameters": job.parameters,
            "given": job.given,
            "seconds": round(seconds, 1),
            "versions": {"python": platform.python_version()} | {p: version(p) for p in PACKAGES},
        }
    with mishaps.replacing(job.target) as written:
        nbformat.write(notebook, written)
    if job.mine:
        from driver.pages import render

        _progress.put((job.target.stem, "page"))
        render(job.target, job.page, root, scratch, chapter=job.source.stem)
    return seconds


def execute_all(
    jobs: list[Job], root: Path, workers: int, report: Callable[[str], object]
) -> dict[str, str]:
    """Execute all jobs, some at once; return by key why those failed that did.

    On a terminal one line tells which cell each notebook is at; else there is a line at the end
    of each.
    """
    if not jobs:
        return {}  # and write nothing
    context = get_context("spawn")
    progress, started = context.SimpleQueue(), time.perf_counter()
    at: dict[str, str] = {}
    failures: dict[str, str] = {}

    def show() -> None:
        where = ", ".join(f"{name} {place}" for name, place in at.items())
        _status(f"{time.perf_counter() - started:.0f} s: {where}" if at else "")

    others = active_children()
    with (
        scratch_folder(root / "runs") as scratch,
        ProcessPoolExecutor(workers, context, set_environment, (root, scratch, progress)) as pool,
    ):
        try:
            with mishaps.deaf():
                running = {pool.submit(execute, job, root, scratch): job for job in jobs}
            while running:
                done, _ = wait(running, PATIENCE)
                while not progress.empty():
                    name, where = progress.get()
                    at[name] = where
                    show()  # each, so that a notebook shorter than PATIENCE is seen too
                for future in done:
                    job = running.pop(future)
                    at.pop(job.target.stem, None)
                    try:
                        _status("")
                        report(f"{job.target.stem:<20} ran in {future.result():.0f} s")
                    except (RunError, BrokenProcessPool) as error:
                        report(f"{job.target.stem:<20} failed")
                        failures[job.key] = mishaps.explain(error) or str(error)
                show()
        except BaseException:  # nothing goes on behind the back of who stopped it
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in active_children():
                if worker not in others and worker.pid:
                    _end(worker.pid)
            raise
    return failures


def _status(text: str) -> None:
    """Replace the last line of a terminal; elsewhere, as in a log, there is none."""
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        print(f"\r\033[K{text[: width - 1]}", end="", file=sys.stderr, flush=True)
