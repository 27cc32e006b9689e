"""Run the report's notebooks with papermill, each only if something it rests on has changed.

The sources are the text notebooks ``notebooks/*.md``. Their executed copies, the chapters, go to
``book/chapters``, which git ignores and the book shows.

    python notebooks/run.py                                 whatever is stale, profile "quick"
    python notebooks/run.py --profile paper                 the same at the paper's settings
    python notebooks/run.py --list                          notebooks, parameters, fresh or stale
    python notebooks/run.py simulations n_runs=500 seed=3   one notebook with your own values
"""

import argparse
import ast
import difflib
import hashlib
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import module_from_spec, spec_from_file_location
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any

import jupytext
import yaml

ROOT = Path(__file__).resolve().parents[1]

LAST = "claims"  # reads the other chapters, so it runs after them and rests on their keys too
INPUTS = (
    "crcen/**/*.py",
    "notebooks/*.py",
    "notebooks/*.yml",
    "notebooks/paper/*",
    "results/**/*",
    "benchmarks/results/*",
    "requirements.txt",
)
PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "imbalanced-learn", "torch", "papermill")


class RunError(Exception):
    """A request that cannot be met (status 2) or a notebook that failed (status 1)."""

    def __init__(self, message: str, status: int = 2) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Parameter:
    """A line ``name: kind = default  # help`` of a notebook's cell tagged ``parameters``."""

    kind: ast.expr
    default: Any
    help: str


@dataclass(frozen=True)
class Job:
    """A notebook to execute with ``parameters``, of which ``given`` are not its own defaults."""

    source: Path
    target: Path
    profile: str
    parameters: dict[str, Any]
    given: dict[str, Any]
    key: str

    @property
    def fresh(self) -> bool:
        """Whether the executed notebook was made from these very inputs."""
        return stored_key(self.target) == self.key


def default_profile() -> str:
    """Return the profile of a plain build: that of ``$CRCEN_PROFILE``, or else ``quick``."""
    return os.environ.get("CRCEN_PROFILE", "quick")


def unknown(what: str, name: str, names: Iterable[str]) -> RunError:
    """Return the error for a name that does not exist, with the nearest that do."""
    known = sorted(names)
    near = difflib.get_close_matches(name, known, cutoff=0.5) or known
    return RunError(f"unknown {what} {name!r}; there is {', '.join(near) or 'none'}")


# Parameters


def declared(source: Path) -> dict[str, Parameter]:
    """Return the parameters that a notebook declares."""
    cells = jupytext.read(source).cells
    code = "\n".join(cell.source for cell in cells if "parameters" in cell.metadata.get("tags", []))
    lines = code.splitlines()
    return {
        node.target.id: Parameter(
            node.annotation,
            ast.literal_eval(node.value),
            lines[(node.end_lineno or node.lineno) - 1].partition("#")[2].strip(),
        )
        for node in ast.parse(code).body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value
    }


def conform(value: Any, kind: ast.expr) -> Any:
    """Return the value as the declared type, or raise TypeError.

    Every sequence becomes a list: papermill writes lists into a notebook, but not tuples.
    """
    match kind:
        case ast.Name("float") if type(value) in (int, float):
            return float(value)
        case ast.Name("int" | "bool" | "str" as name) if type(value).__name__ == name:
            return value
        case ast.Name("list" | "tuple") if isinstance(value, list | tuple):
            return list(value)
        case ast.Subscript(ast.Name("list" | "tuple"), of) if isinstance(value, list | tuple):
            item = of.elts[0] if isinstance(of, ast.Tuple) else of  # tuple[int, ...]
            return [conform(v, item) for v in value]
    raise TypeError


def check(source: Path, values: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Return the values, which come from ``origin``, in the types that the notebook declares."""
    known = declared(source)
    checked = {}
    for name, value in values.items():
        if name not in known:
            raise unknown(f"parameter of {source.stem} ({origin})", name, known)
        try:
            checked[name] = conform(value, known[name].kind)
        except TypeError:
            kind, example = ast.unparse(known[name].kind), known[name].default
            raise RunError(
                f"{source.stem} ({origin}): {name}={value!r} is not of type {kind};"
                f" an example is {name}={example!r}"
            ) from None
    return checked


def read_value(text: str) -> Any:
    """Read a Python literal, or else YAML, so that ``[a, b]`` and ``true`` need no quotes."""
    for read in (ast.literal_eval, yaml.safe_load):
        try:
            return read(text)
        except (ValueError, SyntaxError, yaml.YAMLError):
            continue
    return text


def read_assignments(source: Path, assignments: Iterable[str]) -> dict[str, Any]:
    """Read what a reader asks for, each ``parameter=value``."""
    known = declared(source)
    values = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise RunError(f"{assignment!r} is not of the form parameter=value")
        is_text = name in known and ast.unparse(known[name].kind) == "str"
        values[name] = text if is_text else read_value(text)
    return values


def read_profile(root: Path, profile: str) -> dict[str, dict[str, Any]]:
    """Return the values that a profile sets, by notebook, in the order in which they start."""
    profiles = yaml.safe_load((root / "notebooks/parameters.yml").read_text("utf8"))
    if profile not in profiles:
        raise unknown("profile", profile, profiles)
    values = {name: given or {} for name, given in profiles[profile].items()}
    names = sorted(path.stem for path in (root / "notebooks").glob("*.md"))
    for name in values:
        if name not in names:
            raise unknown(f"notebook in profile {profile}", name, names)
    return values | {name: {} for name in names if name not in values}


# Staleness


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def datasets() -> ModuleType:
    """Load ``crcen.datasets`` by itself: the package imports torch, which takes seconds."""
    spec = spec_from_file_location("crcen_datasets", ROOT / "crcen/datasets.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def inputs(root: Path) -> dict[str, Any]:
    """Return what all notebooks rest on, each file by its name and checksum."""
    files = {path for pattern in INPUTS for path in root.glob(pattern) if path.is_file()}
    files.discard(root / "notebooks/parameters.yml")  # counts by the values of each notebook
    return {
        "python": platform.python_version(),
        "files": {path.relative_to(root).as_posix(): digest(path) for path in files},
        "data": {
            name: {path.name: digest(path) for path in datasets().locate_dataset(name)}
            for name in datasets().DATASETS
        },
    }


def stored_key(chapter: Path) -> str | None:
    """Return the key that an executed notebook was made under."""
    if not chapter.exists():
        return None
    return json.loads(chapter.read_text("utf8"))["metadata"].get("crcen", {}).get("key")


def plan(root: Path, profile: str, mine: tuple[str, Iterable[str]] | None = None) -> list[Job]:
    """Return one job a chapter, or the one job of a reader: a notebook's name and assignments."""
    profiled, common = read_profile(root, profile), inputs(root)
    if mine and mine[0] not in profiled:
        raise unknown("notebook", mine[0], profiled)
    jobs = []
    for name in [mine[0]] if mine else profiled:
        source, target = root / f"notebooks/{name}.md", root / f"book/chapters/{name}.ipynb"
        values = check(source, profiled[name], f"profile {profile}")
        if mine:
            values |= check(source, read_assignments(source, mine[1]), "command line")
        defaults = {n: parameter.default for n, parameter in declared(source).items()}
        read = [n for n in profiled if name == LAST != n]
        basis = {
            "notebook": source.read_text("utf8"),
            "parameters": defaults | values,
            "inputs": common,
            "chapters": {n: stored_key(target.with_stem(n)) for n in read},
        }
        key = hashlib.sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()
        if mine:
            target = root / f"runs/{name}-{key[:8]}.ipynb"
        given = {n: value for n, value in values.items() if value != defaults[n]}
        jobs.append(Job(source, target, profile, defaults | values, given, key))
    return jobs


# Execution


def fetch_data(report: Callable[[str], object]) -> None:
    """Try once to load each data set that is not here, and say which cannot be had."""
    missing = []
    for name in datasets().DATASETS:
        if not datasets().locate_dataset(name):
            try:
                datasets().load_dataset(name)
            except datasets().DataError:
                missing.append(name)
    if missing:
        report(f"not to be had: {', '.join(missing)}; the chapters go on without")


def set_environment(root: Path) -> None:
    """Prepare a worker process for the kernels that it starts."""
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
    with tempfile.TemporaryDirectory(dir=runs) as scratch:
        written = Path(scratch) / job.target.name
        try:
            notebook = papermill.execute_notebook(
                jupytext.read(job.source),
                written,
                job.given,
                kernel_name="python3",
                language="python",
                cwd=job.source.parent,
                progress_bar=False,
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
        origin = "The reader" if job.target.parent == runs else f"The profile {job.profile}"
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
            "seconds": round(seconds, 1),
            "versions": {"python": platform.python_version()} | {p: version(p) for p in PACKAGES},
        }
        nbformat.write(notebook, written)
        os.replace(written, job.target)
    return seconds


def execute_all(jobs: list[Job], root: Path, workers: int, report: Callable[[str], object]) -> None:
    """Execute all jobs, some at once, and then raise RunError if any failed."""
    failures = []
    with ProcessPoolExecutor(workers, get_context("spawn"), set_environment, (root,)) as pool:
        names = {pool.submit(execute, job, root): job.source.stem for job in jobs}
        for future in as_completed(names):
            try:
                report(f"{names[future]:<20}ran in {future.result():.0f} s")
            except (RunError, BrokenProcessPool) as error:
                report(f"{names[future]:<20}failed")
                failures.append(str(error))
    if failures:
        raise RunError("\n".join(failures), status=1)


# What can be asked for


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
    if force or not all(job.fresh for job in plan(root, profile)):
        fetch_data(report)
    ran: list[str] = []
    for last in (False, True):
        jobs = [job for job in plan(root, profile) if (job.source.stem == LAST) is last]
        stale = [job for job in jobs if force or not job.fresh]
        for job in jobs:
            if job not in stale:
                report(f"{job.source.stem:<20}fresh")
        execute_all(stale, root, workers or os.cpu_count() or 1, report)
        ran += [job.source.stem for job in stale]
    return ran


def run_mine(name: str, assignments: list[str], profile: str, *, root: Path = ROOT) -> Path:
    """Execute one notebook with a reader's values, apart from the book, and return where it is.

    Parameters
    ----------
    name : str
        The notebook.
    assignments : list of str
        Each ``parameter=value``.
    profile : str
        The profile that sets the other values.
    root : Path
        The project's folder.

    Returns
    -------
    Path
        The executed notebook, in ``runs``.

    Raises
    ------
    RunError
        If a name or a value is wrong, or the notebook fails.
    """
    plan(root, profile, (name, assignments))  # finds mistakes before a download
    fetch_data(print)
    (job,) = plan(root, profile, (name, assignments))
    execute_all([job], root, 1, print)
    return job.target


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebook", nargs="?", help="run this one only, into runs/")
    parser.add_argument("values", nargs="*", metavar="parameter=value")
    parser.add_argument("--profile", default=default_profile(), help="default: %(default)s")
    cores = os.cpu_count() or 1
    parser.add_argument("--jobs", type=int, default=cores, help="at once; default: %(default)s")
    parser.add_argument("--force", action="store_true", help="run the fresh ones, too")
    parser.add_argument("--list", action="store_true", help="show the notebooks and stop")
    asked = parser.parse_args(arguments)
    try:
        if asked.list:
            for job in plan(root, asked.profile):
                print(f"{job.source.stem:<20}{'fresh' if job.fresh else 'stale'}")
                for name, p in declared(job.source).items():
                    value = job.parameters[name]
                    print(f"  {name}: {ast.unparse(p.kind)} = {value!r}  # {p.help}")
        elif asked.notebook:
            print(run_mine(asked.notebook, asked.values, asked.profile, root=root))
        else:
            run_stale(asked.profile, root=root, workers=max(1, asked.jobs), force=asked.force)
    except RunError as error:
        print(f"run.py: {error}", file=sys.stderr)
        return error.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
