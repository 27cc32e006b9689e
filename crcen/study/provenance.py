"""What a result rests on: versions, the processor's kernels, and the code that computed it."""

from __future__ import annotations

import ast
import hashlib
import io
import os
import platform
import tokenize
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from sklearn.base import BaseEstimator
from threadpoolctl import threadpool_info

from crcen import __version__

PACKAGES = ("numpy", "scipy", "numba", "torch", "scikit-learn", "imbalanced-learn")
COMPUTES = "crcen.study.fit"  #: The module that computes a row of the record.
REGISTRIES = {f"crcen.study.{name}" for name in ("methods", "protocol", "scores")}


@cache
def versions() -> dict[str, str]:
    """Tell which versions of Python, of the packages and of this module are running."""
    python = {"python": platform.python_version(), "crcen": __version__}
    return python | {package: version(package) for package in PACKAGES}


def kernels() -> dict[str, Any]:
    """Tell which kernels of the processor are used; they decide in which order a sum is added up.

    Numba compiles for the processor at hand, or for the one that `NUMBA_CPU_NAME` names.
    """
    import torch
    from llvmlite import binding

    blas = {library["architecture"] for library in _blas()} - {None}
    compiled = os.environ.get("NUMBA_CPU_NAME") or binding.get_host_cpu_name()
    return {
        "blas": sorted(blas),
        "torch": torch.backends.cpu.get_cpu_capability(),
        "numba": compiled,
    }


def _blas() -> list[dict[str, Any]]:
    """Describe the BLAS that came with NumPy and SciPy, or, if none did, all that are loaded.

    Another one that the process has loaded for other ends has no part in a result.
    """
    loaded = [each for each in threadpool_info() if each["user_api"] == "blas"]
    homes = [Path(str(module.__file__)).resolve().parents[1] for module in (np, scipy)]
    own = [
        each
        for each in loaded
        if any(Path(each["filepath"]).resolve().is_relative_to(home) for home in homes)
    ]
    return [{"architecture": None} | each for each in own or loaded]


@cache
def processor() -> str:
    """Name the processor, as the system does."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def code(method: BaseEstimator) -> str:
    """Digest the code that computes a method's rows.

    That is all modules of `crcen` that `COMPUTES` imports, directly or not, without comments,
    docstrings and blank lines; and the method's parameters. The `REGISTRIES` do not count: what is
    added there is another row.
    """
    parameters = sorted(method.get_params().items())
    return hashlib.sha256(f"{_sources()}\n{parameters}".encode()).hexdigest()[:12]


def code_of(path: Path) -> str:
    """Digest a file that computes rows by itself, without comments, docstrings and blank lines."""
    return hashlib.sha256(_bare(path.read_text(encoding="utf-8")).encode()).hexdigest()[:12]


@cache
def _sources() -> str:
    modules = sorted(_modules(COMPUTES).items())
    return "\n".join(f"{name}\n{_bare(source)}" for name, source in modules)


def _modules(name: str) -> dict[str, str]:
    """Read a module and those of this package that it imports, directly or not."""
    found: dict[str, str] = {}
    todo = [name]
    while todo:
        each = todo.pop()
        spec = find_spec(each) if each not in {*found, *REGISTRIES} else None
        if spec and spec.origin and not spec.submodule_search_locations:
            found[each] = Path(spec.origin).read_text(encoding="utf-8")
            todo += _imported(ast.parse(found[each]))
    return found


def _imported(tree: ast.Module) -> Iterator[str]:
    """Name what may be modules of this package among what a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name.startswith("crcen.") and _is_module(name))


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # a name of a module, not of a package
        return False


def _bare(source: str) -> str:
    """Take comments, docstrings and blank lines out of a module."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            first, last = node.body[0].lineno, node.body[0].end_lineno or 0
            lines[first - 1 : last] = [""] * (last - first + 1)
    without = "\n".join(lines) + "\n"
    lines = without.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(without).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return "\n".join(line.rstrip() for line in lines if line.strip())
