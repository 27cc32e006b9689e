"""What there is to run: one job a chapter, or a reader's own; and which of them are fresh.

A job's key is a checksum of all that it rests on. It is stored in the executed notebook, so that
one made from other inputs is recognised as stale.
"""

import hashlib
import json
import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from crcen.study import datasets
from driver.parameters import Parameter, check, declared, read_grid, read_profile, unknown

LAST = "claims"  # reads the other chapters, so it runs after them and rests on their keys too
AFTER = (LAST, "controls")  # so does what tells whether the chapters have changed
INPUTS = (
    "crcen/**/*.py",
    "crcen/**/*.csv",
    "notebooks/**/*.py",
    "notebooks/*.yml",
    "notebooks/paper/*",
    "results/**/*",
    "benchmarks/results/*",
    "requirements.txt",
)
# No input of all: the first counts by the values of each notebook, the second by its name in the
# one that shows it, and no notebook imports the others.
APART = (
    "notebooks/parameters.yml",
    "notebooks/elsewhere.yml",
    "notebooks/verify.py",
    "notebooks/mutants.py",
    "notebooks/driver/agreement.py",
    "notebooks/driver/controls.py",
)
#: What a chapter's numbers rest on, but for its code, its data and the record.
BASIS = (
    "crcen/**/*.py",
    "crcen/**/*.csv",
    *(f"notebooks/{name}.py" for name in ("drawn", "plots", "report")),
    "notebooks/paper/*",
    "requirements.txt",
)
CELL = re.compile(r"^```\{code-cell\}.*?^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Job:
    """A notebook to execute with ``parameters``, of which ``given`` are not its own defaults."""

    source: Path
    target: Path
    profile: str
    parameters: dict[str, Any]
    given: dict[str, Any]
    key: str
    mine: bool  # a reader's, not a chapter
    prelude: str = ""  # code that runs before the notebook's own

    @property
    def page(self) -> Path:
        """The HTML page of a reader's run."""
        return self.target.with_suffix(".html")

    @property
    def fresh(self) -> bool:
        """Whether the executed notebook was made from these very inputs."""
        return stored_key(self.target) == self.key and (self.page.exists() or not self.mine)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def basis(root: Path, source: Path) -> dict[str, str]:
    """Return the checksums of what a chapter's numbers rest on, but for data and the record.

    Of the chapter itself that is the code: no number changes with the words around it. Nothing
    rests on `crcen.own`, the report on a reader's table, but a chapter that names it.
    """
    files = {path for pattern in BASIS for path in root.glob(pattern) if path.is_file()}
    code = "".join(CELL.findall(source.read_text("utf8")))
    if "crcen.own" not in code:
        files = {path for path in files if root / "crcen/own" not in path.parents}
    known = {path.relative_to(root).as_posix(): digest(path) for path in sorted(files)}
    return known | {"code": hashlib.sha256(code.encode()).hexdigest()}


def standing(root: Path, profile: str) -> dict[str, str]:
    """Return a checksum of what each notebook's verdicts rest on, but for data and the record.

    That is the `basis`, its parameters in a profile, and the margins that it asks for.
    """
    margins = yaml.safe_load((root / "notebooks/claims.yml").read_text("utf8"))
    stands = {}
    for job in plan(root, profile, files=""):
        asked = re.findall(r"\bmargin\(\"(\w+)\"\)", job.source.read_text("utf8"))
        of = {number: margins[number].get("margin") for number in asked if number in margins}
        text = json.dumps([basis(root, job.source), job.parameters, of], sort_keys=True)
        stands[job.source.stem] = hashlib.sha256(text.encode()).hexdigest()
    return stands


def inputs(root: Path) -> str:
    """Return one checksum of the files that all notebooks rest on, by their names and contents."""
    files = {path for pattern in INPUTS for path in root.glob(pattern) if path.is_file()}
    names = {path.relative_to(root).as_posix() for path in files} - {*APART}
    whole = hashlib.sha256()
    for name in sorted(names):
        if "/." not in name:  # a run's scratch file, or what an editor keeps
            whole.update(f"{digest(root / name)}  {name}\n".encode())
    return whole.hexdigest()


def named_files(
    folder: Path, values: Mapping[str, Any], known: Mapping[str, Parameter]
) -> dict[str, str]:
    """Return the checksums of the files that parameters name, relative to the notebook's folder.

    With a file of a classifier go those of what is recorded of it.
    """
    paths = {
        name: folder / value
        for name, value in values.items()
        if known[name].type == "str" and value and not known[name].range
    }
    files = {name: path for name, path in paths.items() if path.is_file()}
    for path in [path for path in files.values() if path.suffix == ".py"]:
        from crcen.study.joined import home  # takes a second

        recorded = home(path, folder.parent / "runs").rglob("*.parquet")
        files |= {f"{each.parent}/{each.name}": each for each in sorted(recorded)}
    return {name: digest(path) for name, path in files.items()}


def named_sets(values: Mapping[str, Any]) -> set[str]:
    """Return the data sets that parameters name."""
    lists = [value if isinstance(value, list) else [value] for value in values.values()]
    return {each for given in lists for each in given if each in [*datasets.DATASETS]}


def _at_hand(name: str) -> dict[str, str]:
    """Return the checksums of a data set's files, of none if it would have to be downloaded."""
    return {path.name: digest(path) for path in datasets.locate_dataset(name)}


def stored_key(chapter: Path) -> str | None:
    """Return the key that an executed notebook was made under."""
    if not chapter.exists():
        return None
    try:
        return json.loads(chapter.read_text("utf8"))["metadata"].get("crcen", {}).get("key")
    except (ValueError, LookupError):  # damaged, so it is to be made again
        return None


def plan(
    root: Path,
    profile: str,
    mine: tuple[str, Iterable[str]] | None = None,
    files: str | None = None,
) -> list[Job]:
    """Return one job a chapter; or, of a reader's notebook and assignments, one a combination.

    Who plans more than once passes what `inputs` has returned.
    """
    profiled = read_profile(root, profile)
    common = {
        "python": platform.python_version(),
        "files": inputs(root) if files is None else files,
    }
    data = {name: _at_hand(name) for name in datasets.TABLE_2}
    if mine and mine[0] not in profiled:
        raise unknown("notebook", mine[0], profiled)
    jobs: dict[str, Job] = {}
    for name in [mine[0]] if mine else profiled:
        source, target = root / f"notebooks/{name}.md", root / f"book/chapters/{name}.ipynb"
        known = declared(source)
        defaults = {n: parameter.default for n, parameter in known.items()}
        values = defaults | check(source, profiled[name], f"profile {profile}")
        read = [n for n in profiled if name in AFTER and n not in AFTER]
        basis = {
            "notebook": source.read_text("utf8"),
            "inputs": common,
            "chapters": {n: stored_key(target.with_stem(n)) for n in read},
        }
        for asked in read_grid(source, mine[1]) if mine else [{}]:
            parameters = values | asked
            own = {
                "parameters": parameters,
                "files": named_files(source.parent, parameters, known),
                "data": data | {name: _at_hand(name) for name in named_sets(parameters) - {*data}},
            }
            text = json.dumps(basis | own, sort_keys=True)
            key = hashlib.sha256(text.encode()).hexdigest()
            if mine:
                target = root / f"runs/{name}-{key[:8]}.ipynb"
            given = {n: value for n, value in parameters.items() if value != defaults[n]}
            jobs[key] = Job(source, target, profile, parameters, given, key, bool(mine))
    return list(jobs.values())
