"""Run the report's notebooks with papermill, each only if something it rests on has changed.

The sources are the text notebooks ``notebooks/*.md``. Their executed copies, the chapters, go to
``book/chapters``, which git ignores and the book shows. A reader's own runs go to ``runs``, each as
an executed notebook and as one HTML file.

    python notebooks/run.py                                 whatever is stale, profile "quick"
    python notebooks/run.py --profile paper                 the same at the paper's settings
    python notebooks/run.py --list                          the notebooks, fresh or stale
    python notebooks/run.py simulations --help              the parameters of one
    python notebooks/run.py simulations n_runs=500 seed=3   one notebook with your own values
    python notebooks/run.py simulations seed=1 seed=2       a sweep: a run for each combination
    python notebooks/run.py --mutants                       the controls: which verdicts turn
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

import jupytext
from driver import ROOT
from driver.execution import execute_all, fetch_data
from driver.parameters import RunError, declared
from driver.plan import AFTER, Job, inputs, plan

from crcen.mishaps import told


def default_profile() -> str:
    """Return the profile of a plain build: that of ``$CRCEN_PROFILE``, or else ``quick``."""
    return os.environ.get("CRCEN_PROFILE", "quick")


def stale(jobs: list[Job], force: bool, report: Callable[[str], object]) -> list[Job]:
    """Return the jobs to execute, and report the others."""
    due = [job for job in jobs if force or not job.fresh]
    for job in jobs:
        if job not in due:
            report(f"{job.target.stem:<20} fresh")
    return due


def run_stale(
    profile: str,
    *,
    root: Path = ROOT,
    workers: int | None = None,
    force: bool = False,
    report: Callable[[str], object] = print,
) -> list[str]:
    """Execute every notebook whose chapter is not made from the inputs as they are now.

    Parameters
    ----------
    profile : str
        The profile in ``parameters.yml`` that sets the values.
    root : Path
        The project's folder.
    workers : int, optional
        How many notebooks run at once; by default as many as there are cores.
    force : bool
        Whether to execute the fresh ones, too.
    report : callable
        Takes one line about each notebook.

    Returns
    -------
    list of str
        The names of the notebooks that ran.

    Raises
    ------
    RunError
        If a name or a value in ``parameters.yml`` is wrong, or a notebook fails.
    """
    files = inputs(root)  # once: what changes while notebooks run makes them stale again
    jobs = plan(root, profile, files=files)
    fetch_data([job for job in jobs if force or not job.fresh], report)
    ran: list[str] = []
    for last in (False, True):
        jobs = plan(root, profile, files=files)  # anew: they rest on the data, the last on all
        jobs = [job for job in jobs if (job.source.stem in AFTER) is last]
        due = stale(jobs, force, report)
        failures = execute_all(due, root, workers or os.cpu_count() or 1, report)
        if failures:
            raise RunError("\n".join(failures.values()), status=1)
        ran += [job.source.stem for job in due]
    return ran


def run_mine(
    name: str,
    assignments: list[str],
    profile: str,
    *,
    root: Path = ROOT,
    workers: int | None = None,
    force: bool = False,
    report: Callable[[str], object] = print,
) -> Path:
    """Execute one notebook with a reader's values, apart from the book, and return its page.

    Parameters
    ----------
    name : str
        The notebook.
    assignments : list of str
        Each ``parameter=value``. A parameter that is named more than once makes a sweep: one run
        for each combination of the values.
    profile : str
        The profile that sets the other values.
    root : Path
        The project's folder.
    workers : int, optional
        How many runs of a sweep go at once; by default as many as there are cores.
    force : bool
        Whether to execute what is there already.
    report : callable
        Takes one line about each run.

    Returns
    -------
    Path
        The HTML page, in ``runs``: of the run, with the executed notebook beside it, or of the
        sweep.

    Raises
    ------
    RunError
        If a name or a value is wrong, or the notebook fails. The page of a sweep is written all the
        same, and shows which runs failed and why.
    """
    files = inputs(root)
    fetch_data(plan(root, profile, (name, assignments), files), report)
    jobs = plan(root, profile, (name, assignments), files)  # anew, as jobs rest on the data
    due = stale(jobs, force, report)
    failures = execute_all(due, root, workers or os.cpu_count() or 1, report)
    page = jobs[0].page
    if len(jobs) > 1:
        from driver.pages import sweep_page

        page = sweep_page(jobs, failures, root)
        report(f"the sweep: {page}")
    if failures:
        raise RunError("\n".join(failures.values()), status=1)
    return page


def describe(job: Job) -> str:
    """Return a notebook's title, and its parameters with type, value, meaning and range."""
    lines = [f"{job.source.stem}: {title(job.source)}", "", "parameters:"]
    for name, p in declared(job.source).items():
        value = job.parameters[name]
        lines.append(f"  {name}: {p.type} = {value!r}")
        lines.append(f"      {p.meaning}" + (f"; {p.range}" if p.range else ""))
        if name in job.given:
            lines.append(f"      set by the profile {job.profile}, otherwise {p.default!r}")
    return "\n".join(lines)


def title(source: Path) -> str:
    """Return the first heading of a notebook."""
    lines = (line for cell in jupytext.read(source).cells for line in cell.source.splitlines())
    return next((line[2:] for line in lines if line.startswith("# ")), "")


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,  # with a notebook, --help is about that
    )
    parser.add_argument("notebook", nargs="?", help="run this one only, into runs/")
    parser.add_argument("values", nargs="*", metavar="parameter=value")
    parser.add_argument("--profile", default=default_profile(), help="default: %(default)s")
    cores = os.cpu_count() or 1
    parser.add_argument("--jobs", type=int, default=cores, help="at once; default: %(default)s")
    parser.add_argument("--force", action="store_true", help="run the fresh ones, too")
    parser.add_argument("--list", action="store_true", help="show the notebooks and stop")
    parser.add_argument(
        "--mutants", action="store_true", help="break the science on purpose; see who notices"
    )
    parser.add_argument("--help", "-h", action="store_true", help="show this, or a notebook's")
    asked = parser.parse_intermixed_args(arguments)
    return told("run.py", lambda: answer(asked, parser, root))


def answer(asked: argparse.Namespace, parser: argparse.ArgumentParser, root: Path) -> int:
    """Do what the command line asks for, and return the exit status."""
    options = {"root": root, "workers": max(1, asked.jobs), "force": asked.force}
    try:
        if asked.help and asked.notebook:
            (job,) = plan(root, asked.profile, (asked.notebook, []))
            print(describe(job))
        elif asked.help:
            parser.print_help()
        elif asked.list:
            for job in plan(root, asked.profile):
                state = "fresh" if job.fresh else "stale"
                print(f"{job.source.stem:<20} {state}  {title(job.source)}")
            print("run.py NOTEBOOK --help shows the parameters of one")
        elif asked.mutants:
            from driver.controls import matrix

            print(matrix(root, options["workers"]))
        elif asked.notebook:
            print(run_mine(asked.notebook, asked.values, asked.profile, **options))
        else:
            run_stale(asked.profile, **options)
    except RunError as error:
        print(f"run.py: {error}", file=sys.stderr)
        return error.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
