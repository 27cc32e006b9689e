"""Controls: the chapters that have claims, run with the science broken on purpose.

What a chapter's verdicts are under a mutant (`mutants`) is told by an executed notebook, in whose
first cell the mutant breaks what it breaks. The same chapter as it is, at the same settings, is
what they are compared with. Each run leaves a small file in ``runs/controls``, so that a matrix
that was stopped goes on where it was; when all are there, `RECORD` is written, whole or not at all.
"""

import ast
import hashlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import mutants
import nbformat

from crcen.mishaps import write_whole
from crcen.study import provenance
from crcen.study.datasets import TABLE_2, locate_dataset
from driver.execution import execute_all, fetch_data
from driver.parameters import RunError
from driver.plan import AFTER, Job, digest, plan, standing, stored_key

PROFILE = "mutants"
RECORD = "notebooks/mutants.json"
CACHE = "runs/controls"
STOPS = "stops"  # the verdict of a claim before which the chapter stops
AS_IT_IS = "as-it-is"  # no mutant
CHUNK = 12  # runs between two looks at what they say

Verdicts = dict[str, str]  # by number of the claim
Report = Callable[[str], object]


class Run(NamedTuple):
    """A chapter under a mutant, or as it is, and where its verdicts are kept."""

    chapter: str
    mutant: str
    job: Job
    kept: Path

    @property
    def verdicts(self) -> dict[str, Any] | None:
        """What was found: verdicts, and why the chapter stopped if it did; None if not known."""
        if not self.kept.exists():
            return None
        found: dict[str, Any] = json.loads(self.kept.read_text("utf8"))
        return found if found.pop("key") == self.job.key else None


def runs(root: Path) -> list[Run]:
    """List what there is to run: each chapter that has claims, as it is and under each mutant."""
    stands = standing(root, PROFILE)
    jobs = [job for job in plan(root, PROFILE, files="") if _claims(job)]
    record = [digest(path) for path in sorted((root / "results").rglob("*.parquet"))]
    return [
        _run(root, job, name, [stands[job.source.stem], record * _reads(job), _data()])
        for name in ("", *mutants.MUTANTS)
        for job in jobs
        if not name or mutants.reaches(name, job.source.stem, job.source.read_text("utf8"))
    ]


def _claims(job: Job) -> bool:
    source = job.source.read_text("utf8")
    return job.source.stem not in AFTER and re.search(r"^\s*claim\(", source, re.M) is not None


def _reads(job: Job) -> bool:
    """Whether a chapter reads the record."""
    return "results" in job.parameters


def _run(root: Path, job: Job, mutant: str, rests_on: list[Any]) -> Run:
    stem = f"{job.source.stem}--{(mutant or AS_IT_IS).replace(' ', '-')}"
    text = json.dumps([rests_on, code(mutant) if mutant else ""])
    key = hashlib.sha256(text.encode()).hexdigest()
    target, prelude = root / CACHE / f"{stem}.ipynb", ""
    if mutant:
        prelude = f"import mutants\n\nmutants.apply({mutant!r})"
    return Run(
        job.source.stem,
        mutant,
        replace(job, target=target, key=key, prelude=prelude),
        target.with_suffix(".json"),
    )


def code(mutant: str) -> str:
    """Return the source of a mutant, with what all of them share."""
    source = Path(mutants.__file__).read_text("utf8")
    wanted = mutants.MUTANTS[mutant].apply.__name__
    tree = ast.parse(source)
    others = {each.apply.__name__ for each in mutants.MUTANTS.values()} - {wanted}
    return "\n".join(
        ast.unparse(node)
        for node in tree.body
        if not (isinstance(node, ast.FunctionDef) and node.name in others)
    )


def _data() -> list[str]:
    return [name for name in TABLE_2 if locate_dataset(name)]


def claimed(notebook: Path) -> Verdicts:
    """Read the verdicts of an executed chapter, or of as much of it as was executed."""
    cells = nbformat.read(notebook, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    found = [output.get("metadata", {}).get("crcen_claim") for output in outputs]
    return {entry["number"]: entry["verdict"] for entry in found if entry}


def keep(run: Run, root: Path, failure: str = "") -> None:
    """Write down what a run says, and remove its notebook."""
    notebook = run.job.target
    if failure:
        notebook = root / f"runs/{run.job.target.stem}-failed.ipynb"
        why = re.search(r"raised (\w+)", failure)
        if why is None:  # not the chapter's doing
            raise RunError(f"{run.job.target.stem}: {failure}", status=1)
        failure = why[1]
    found = {"key": run.job.key, "verdicts": claimed(notebook), "stopped": failure}
    write_whole(run.kept, json.dumps(found) + "\n")
    notebook.unlink()


def matrix(root: Path, workers: int, report: Report = print) -> Path:
    """Run what has not been run with the code as it is, and write `RECORD`.

    Parameters
    ----------
    root : Path
        The project's folder.
    workers : int
        How many chapters run at once.
    report : callable
        Takes a line about each run.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    RunError
        If a chapter stops that nothing was done to, or a kernel dies.
    """
    start = time.monotonic()
    (root / CACHE).mkdir(parents=True, exist_ok=True)
    every = runs(root)
    due = [run for run in every if run.verdicts is None]
    fetch_data([run.job for run in due], report)
    for done in range(0, len(due), CHUNK):
        some = due[done : done + CHUNK]
        passed = time.monotonic() - start
        left = f", {passed * (len(due) - done) / done / 60:.0f} min left" if done else ""
        report(f"{done} of {len(due)} runs{left}")
        todo = [run for run in some if stored_key(run.job.target) != run.job.key]
        failures = execute_all([run.job for run in todo], root, workers, report)
        for run in some:
            keep(run, root, failures.get(run.job.key, ""))
    write_whole(root / RECORD, written(root, every))
    return root / RECORD


def written(root: Path, every: list[Run]) -> str:
    """Put what all runs say into one text: claims by mutants."""
    found = {(run.chapter, run.mutant): run.verdicts or {} for run in every}
    stands = standing(root, PROFILE)
    claims: dict[str, Any] = {}
    for chapter in dict.fromkeys(run.chapter for run in every):
        if why := found[chapter, ""]["stopped"]:
            raise RunError(f"{chapter} stops though nothing was done to it: {why}", status=1)
        tried = [run.mutant for run in every if run.chapter == chapter and run.mutant]
        for number, verdict in found[chapter, ""]["verdicts"].items():
            under = {name: found[chapter, name]["verdicts"].get(number, STOPS) for name in tried}
            turned = {name: told for name, told in under.items() if told != verdict}
            claims[number] = {
                "chapter": chapter,
                "verdict": verdict,
                "turned": turned,
                "tried": sorted(tried),
            }
    about = {
        "chapters": {chapter: stands[chapter] for chapter, mutant in found if not mutant},
        "mutants": {name: each.what for name, each in mutants.MUTANTS.items()},
        "stopped": {
            f"{chapter}, {mutant}": known["stopped"]
            for (chapter, mutant), known in found.items()
            if known["stopped"]
        },
        "data": _data(),
        "kernels": provenance.kernels(),
        "versions": provenance.versions(),
        "claims": claims,
    }
    return json.dumps(about, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
