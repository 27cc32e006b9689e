"""The store: a folder with one small JSON file for each cell and each search, and a manifest.

A file is written whole or not at all, under a name that says what it holds. So a run can be killed
at any moment and started again, and two runs can fill one store.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from threadpoolctl import threadpool_info

from crcen import __version__
from crcen.mishaps import replacing
from crcen.protocol import SCORES, Cell, Search

MANIFEST = "manifest.json"
PACKAGES = ("numpy", "scipy", "numba", "torch", "scikit-learn", "imbalanced-learn")


class StoreError(RuntimeError):
    """The store does not fit the run, or a file in it is damaged; the text says what to do."""


@cache
def versions() -> dict[str, str]:
    """Tell which versions of Python, of the packages and of this module are running."""
    python = {"python": platform.python_version(), "crcen": __version__}
    return python | {package: version(package) for package in PACKAGES}


def made_with() -> str:
    """Write the versions in one line, as a result keeps them."""
    return ", ".join(f"{name} {number}" for name, number in versions().items())


def machine() -> dict[str, Any]:
    """Tell where results are made; the kernels decide in which order a sum is added up."""
    blas = {library.get("architecture") for library in threadpool_info()} - {None}
    kernels = {"blas": sorted(blas), "torch": torch.backends.cpu.get_cpu_capability()}
    return {"platform": platform.platform(), "cores": os.cpu_count(), "kernels": kernels}


class Store:
    """A folder of results that were all made with the same settings.

    Parameters
    ----------
    folder : path
        Where it is, or is to be.
    settings : mapping, optional
        What every result depends on, nested as you like. A new store keeps them in its manifest
        with the machine and the versions; an old one must have the same. None to read only.

    Raises
    ------
    StoreError
        If the store has other settings, or there is none and no settings are given.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> folder = TemporaryDirectory()
    >>> store = Store(folder.name, {"seed": 0})
    >>> store.write("tuning/abalone/MLP/00", {"failed": ""})
    >>> "tuning/abalone/MLP/00" in store, store.read("tuning/abalone/MLP/00")
    (True, {'failed': ''})
    >>> Store(folder.name, {"seed": 1})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    crcen.results.StoreError: the store ... was made with seed=0, not 1: ...
    >>> folder.cleanup()
    """

    def __init__(
        self, folder: str | os.PathLike[str], settings: Mapping[str, Any] | None = None
    ) -> None:
        self.folder = Path(folder)
        manifest = self.folder / MANIFEST
        if not manifest.exists():
            if settings is None:
                raise StoreError(
                    f"there is no store in {self.folder}: it has no {MANIFEST}. "
                    "Name the folder of one, or fill it with `python -m crcen --results FOLDER`."
                )
            found = {"settings": settings, "machine": machine(), "versions": versions()}
            write_whole(manifest, _text(found))
        self.manifest = _read(manifest)
        if settings is not None:
            self._compare(settings)

    def __contains__(self, key: str) -> bool:
        """Tell whether there is a result of this name."""
        return self._path(key).exists()

    def read(self, key: str) -> dict[str, Any]:
        """Read one result; raise StoreError if it is damaged or not there."""
        return _read(self._path(key))

    def write(self, key: str, result: Mapping[str, Any]) -> None:
        """Write one result, whole or not at all. What is no finite number becomes null."""
        write_whole(self._path(key), _text(result))

    def table(self) -> pd.DataFrame:
        """Gather the cells, a row each, sorted by key.

        Returns
        -------
        DataFrame
            The columns of the key, then the others in alphabetical order. All but `seconds` are
            the same however often the run was interrupted.

        Raises
        ------
        StoreError
            If a file is damaged or does not belong where it is.
        """
        rows = []
        for path in chain(*(self.folder.glob(f"*/{score}/*/*/*.json") for score in SCORES)):
            row = _read(path)
            key: dict[str, Any] = {name: row.get(name) for name in Cell._fields}
            if None in key.values() or self._path(Cell(**key).key) != path:
                raise _damaged(path, f"it holds {key}")
            rows.append(_hashable(row))
        frame = pd.DataFrame(rows, columns=None if rows else Cell._fields)
        others = sorted(frame.columns.difference(Cell._fields))
        frame = frame[[*Cell._fields, *others]].sort_values([*Cell._fields], ignore_index=True)
        return frame.astype({name: float for name in others if frame[name].isna().all()})

    def searches(self) -> pd.DataFrame:
        """Gather the grid searches that did not fail: a row for each point of each grid.

        Returns
        -------
        DataFrame
            dataset, method, split, point (its number in the grid), and the columns of
            `crcen.evaluation.tune`.
        """
        rows = []
        for path in sorted(self.folder.glob("tuning/*/*/*.json")):
            found = _read(path)
            search = {name: found.get(name) for name in Search._fields}
            for number, point in enumerate(found.get("search", [])):
                rows.append(search | {"point": number} | _hashable(point))
        return pd.DataFrame(rows)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    def _compare(self, settings: Mapping[str, Any]) -> None:
        ours, theirs = (
            pd.json_normalize(json.loads(_text(s))).to_dict("records")[0]
            for s in (settings, self.manifest.get("settings", {}))
        )
        different = [
            f"{name}={theirs.get(name)!r}, not {ours.get(name)!r}"
            for name in sorted({*ours, *theirs})
            if ours.get(name) != theirs.get(name)
        ]
        if different:
            raise StoreError(
                f"the store {self.folder} was made with {'; '.join(different)}: go on with its "
                "settings, or name another folder."
            )


def _hashable(row: Mapping[str, Any]) -> dict[str, Any]:
    """Put tuples for lists, so that a table can be grouped by its columns."""
    return {name: tuple(v) if isinstance(v, list) else v for name, v in row.items()}


def _text(result: Mapping[str, Any]) -> str:
    return json.dumps(_finite(result), indent=1, sort_keys=True, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    """Put None for what is no finite number, which JSON cannot write."""
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all, in a folder that is made if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as scratch:  # its name is not *.json: nobody reads it
        scratch.write_text(text, encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(found, dict):
        raise _damaged(path, f"it holds a {type(found).__name__}")
    return found


def _damaged(path: Path, problem: str) -> StoreError:
    return StoreError(f"{path} is damaged or out of place ({problem}): delete it and run again.")
