"""Executing jobs with papermill, several at once, and telling how far they are."""

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import jupytext
from parameters import RunError
from plan import Job, datasets

PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "imbalanced-learn", "torch", "papermill")
PATIENCE = 0.5  # seconds between two looks at what runs

_progress: Any = None  # in a worker process, the queue to the main one


def fetch_data(jobs: list[Job], report: Callable[[str], object]) -> None:
    """Try once to load each data set that jobs name and that is not here; say which fail."""
    given = [value for job in jobs for value in job.parameters.values()]
    named = {name for value in given for name in (value if isinstance(value, list) else [value])}
    missing = []
    for name in datasets().DATASETS:
        if name in named and not datasets().locate_dataset(name):
            try:
                datasets().load_dataset(name)
            except datasets().DataError:
                missing.append(name)
    if missing:
        report(f"not to be had: {', '.join(missing)}; the chapters go on without")


def set_environment(root: Path, progress: Any) -> None:
    """Prepare a worker process for the kernels that it starts."""
    global _progress
    _progress = progress
    for library in ("OMP", "MKL", "OPENBLAS"):
        os.environ[f"{library}_NUM_THREADS"] = "1"  # parallel over notebooks, not inside one
    path = [str(root), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))  # what was hashed is imported
    os.environ["CRCEN_DOWNLOAD"] = "0"  # what can be had has been fetched
    os.environ.pop("MPLBACKEND", None)


def execute(job: Job, root: Path) -> float:
    """Execute one notebook, in a worker process, and return the seconds it took.

    The target is replaced whole or not at all; what a failing notebook got to is kept in ``runs``.
    """
    import nbformat
    import papermill
    from nbclient.exceptions import DeadKernelError

    runs = root / "runs"
    for folder in (runs, job.target.parent):
        folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    notebook = jupytext.read(job.source)
    n_cells = len(notebook.cells) + bool(job.given)  # papermill adds one for what is given

    def tell(cell: Any, cell_index: int) -> None:
        _progress.put((job.target.stem, f"cell {cell_index + 1} of {n_cells}"))

    with tempfile.TemporaryDirectory(dir=runs) as scratch:
        written = Path(scratch) / job.target.name
        try:
            notebook = papermill.execute_notebook(
                notebook,
                written,
                job.given,
                kernel_name="python3",
                language="python",
                cwd=job.source.parent,
                progress_bar=False,
                on_cell_start=tell,
                extra_arguments=["--log-level=40"],  # or a warning on TCP at every start
            )
        except (papermill.PapermillExecutionError, DeadKernelError) as error:
            failed = runs / f"{job.target.stem}-failed.ipynb"
            os.replace(written, failed)
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
        nbformat.write(notebook, written)
        os.replace(written, job.target)
    if job.mine:
        from pages import render

        _progress.put((job.target.stem, "page"))
        render(job.target, job.page, root, chapter=job.source.stem)
    return seconds


def execute_all(
    jobs: list[Job], root: Path, workers: int, report: Callable[[str], object]
) -> dict[str, str]:
    """Execute all jobs, some at once; return by key why those failed that did.

    On a terminal one line tells which cell each notebook is at; else there is a line at the end
    of each.
    """
    context = get_context("spawn")
    progress, started = context.SimpleQueue(), time.perf_counter()
    at: dict[str, str] = {}
    failures: dict[str, str] = {}

    def show() -> None:
        where = ", ".join(f"{name} {place}" for name, place in at.items())
        _status(f"{time.perf_counter() - started:.0f} s: {where}" if at else "")

    with ProcessPoolExecutor(workers, context, set_environment, (root, progress)) as pool:
        running = {pool.submit(execute, job, root): job for job in jobs}
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
                    failures[job.key] = str(error)
            show()
    return failures


def _status(text: str) -> None:
    """Replace the last line of a terminal; elsewhere, as in a log, there is none."""
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        print(f"\r\033[K{text[: width - 1]}", end="", file=sys.stderr, flush=True)
