"""What a notebook can be given: its parameters, their types and ranges, and where values come from.

A parameter is a line of the notebook's cell tagged ``parameters``:

    n_runs: int = 100  # [1, inf) runs of the simulation
    score: str = "f1"  # {f1, gmean} what the grid search maximised
    names: list[str] = ["abalone", "scene"]  # {...} data sets to load

A range is an interval of numbers or a set of values; ``{...}`` are the values of the default. The
range of a list holds for each of its items, and it must have one. To papermill and Jupyter a range
is part of a comment.
"""

import ast
import difflib
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jupytext
import yaml

RANGE = re.compile(r"(?P<range>[\[(]\s*-?[\w.]+\s*,\s*[\w.]+\s*[\])]|\{[^}]*\})\s*(?P<meaning>.*)")


class RunError(Exception):
    """A request that cannot be met (status 2) or a notebook that failed (status 1)."""

    def __init__(self, message: str, status: int = 2) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Parameter:
    """A line ``name: kind = default  # range meaning``."""

    kind: ast.expr
    default: Any
    range: str  # empty if any value of the type will do
    meaning: str

    @property
    def type(self) -> str:
        """The declared type as written."""
        return ast.unparse(self.kind)


def unknown(what: str, name: str, names: Iterable[str]) -> RunError:
    """Return the error for a name that does not exist, with the nearest that do."""
    known = sorted(names)
    near = difflib.get_close_matches(name, known, cutoff=0.5) or known
    return RunError(f"unknown {what} {name!r}; there is {', '.join(near) or 'none'}")


def declared(source: Path) -> dict[str, Parameter]:
    """Return the parameters that a notebook declares."""
    return _declared(source.read_text("utf8"), source.suffix)


@cache  # each build asks for them several times, and to parse a notebook takes a while
def _declared(text: str, suffix: str) -> dict[str, Parameter]:
    cells = jupytext.reads(text, suffix).cells
    code = "\n".join(cell.source for cell in cells if "parameters" in cell.metadata.get("tags", []))
    lines = code.splitlines()
    parameters = {}
    for node in ast.parse(code).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            default = ast.literal_eval(node.value)
            comment = lines[(node.end_lineno or node.lineno) - 1].rpartition("#")[2].strip()
            found = RANGE.fullmatch(comment)
            values, meaning = found.groups() if found else ("", comment)
            if values == "{...}":
                values = "{" + ", ".join(map(str, default)) + "}"
            parameters[node.target.id] = Parameter(node.annotation, default, values, meaning)
    return parameters


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


def within(value: Any, values: str) -> bool:
    """Return whether a value, or every item of a list, lies in a range."""
    if not values:
        return True
    if isinstance(value, list):
        return all(within(item, values) for item in value)
    inside = values[1:-1].split(",")
    if values.startswith("{"):
        return str(value) in map(str.strip, inside)
    low, high = map(float, inside)
    return low < value < high or value in (
        [low] * (values[0] == "[") + [high] * (values[-1] == "]")
    )


def check(source: Path, values: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Return the values, which come from ``origin``, in the types that the notebook declares."""
    known = declared(source)
    checked = {}
    for name, value in values.items():
        if name not in known:
            raise unknown(f"parameter of {source.stem} ({origin})", name, known)
        parameter = known[name]
        wrong = ""
        try:
            checked[name] = conform(value, parameter.kind)
        except TypeError:
            wrong = f"is not of type {parameter.type}"
        else:
            if checked[name] == [] and parameter.range:
                wrong = "is empty"
            elif not within(checked[name], parameter.range):
                wrong = f"is outside {parameter.range}"
        if wrong:
            raise RunError(
                f"{source.stem} ({origin}): {name}={value!r} {wrong};"
                f" an example is {name}={parameter.default!r}"
            )
    return checked


def read_value(text: str) -> Any:
    """Read a Python literal, or else YAML, so that ``[a, b]`` and ``true`` need no quotes."""
    for read in (ast.literal_eval, yaml.safe_load):
        try:
            return read(text)
        except (ValueError, SyntaxError, yaml.YAMLError):
            continue
    return text


def read_grid(source: Path, assignments: Iterable[str]) -> list[dict[str, Any]]:
    """Read what a reader asks for, each ``parameter=value``.

    A parameter that is named more than once takes each of its values in turn, in all combinations
    with the others.
    """
    known = declared(source)
    choices: dict[str, list[Any]] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise RunError(f"{assignment!r} is not of the form parameter=value")
        value: Any = text
        if name not in known or known[name].type != "str":
            value = read_value(text)
        elif not known[name].range and Path(text).exists():
            value = str(Path(text).resolve())  # the reader's folder is not the notebook's
        choices.setdefault(name, []).append(value)
    return [
        check(source, dict(zip(choices, values, strict=True)), "command line")
        for values in itertools.product(*choices.values())
    ]


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
