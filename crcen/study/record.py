"""The record: what every fit predicted for rows it had not seen, and what every search scored.

A folder for each environment (versions and kernels of the processor), in it the folders ``fits``
and ``searches``, in these one Parquet file for each data set. What a run finds is first put beside
them, a small file each, and packed into them now and then. A file is written whole or not at all,
and taken away only when what it held is elsewhere. So a run can be killed at any moment and started
again, and several can fill one record.

Rows are found by their names. A new method, score, data set or grid point is another row, or
another column, and leaves those that are there as they are.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple
from uuid import uuid4

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock
from numpy.typing import NDArray

from crcen.mishaps import SCRATCH, replacing, write_whole
from crcen.study.provenance import kernels, processor, versions
from crcen.study.scores import Logits, Predictions

Kind = Literal["fits", "searches"]

#: What a row is found by, besides its environment and its data set.
KEYS: dict[Kind, list[str]] = {
    "fits": ["method", "params", "split", "rows", "seed"],
    "searches": ["method", "params", "split", "seed"],
}
LISTS = ("positives", "negatives")  # logits, of the fits
_ALWAYS = ("environment", "failed", "code", "data")
_LOGITS = pa.list_(pa.int32())
_TEXTS = ("method", "rows", "params", "failed", "code", "data")  # few different ones, in many rows
_MOST = 2**30 - 1  # so that a step between two is no more than a number of 32 bits
_Whole = NDArray[np.int64]

ENVIRONMENT = "environment.json"
_TRIES = 10  # to read what another run packs meanwhile


class RecordError(RuntimeError):
    """The record is damaged, or lacks what is asked for; the text says what to do."""


def thousandths(logits: Logits) -> list[int]:
    """Round logits to whole thousandths, but never to zero, and sort them.

    The sign is the decision, so that it is kept.

    Examples
    --------
    >>> thousandths(np.array([1.2344, -0.0001, 0.0]))
    [-1, 0, 1234]
    """
    whole = np.rint(1000 * logits)
    whole = np.where(whole == 0, np.sign(logits), whole)
    return np.sort(np.clip(whole, -_MOST, _MOST)).astype(np.int32).tolist()


class _Part(NamedTuple):
    """One file as it was when it was read, whatever another run puts in its place meanwhile."""

    environment: str
    path: Path
    content: bytes

    @property
    def dataset(self) -> str:
        return self.path.name.split(".")[0]

    def table(self, logits: bool | None = None) -> pa.Table:
        """Read the columns of logits, or all others; by default all."""
        try:
            file = pq.ParquetFile(pa.BufferReader(self.content))
            names = file.schema_arrow.names
            names = [name for name in names if logits is None or (name in LISTS) == logits]
            return _on_lists(file.read(names), _sums)
        except (pa.ArrowInvalid, OSError) as error:
            raise _damaged(self.path, error) from error


def here() -> str:
    """Name the environment that rows are added to on this machine."""
    return _name(_about())


def _about() -> dict[str, Any]:
    return {"versions": versions(), "kernels": kernels()}


def _name(about: Mapping[str, Any]) -> str:
    text = json.dumps({name: about[name] for name in ("versions", "kernels")}, sort_keys=True)
    kernels = about["kernels"]
    compiled = kernels["numba"] if "numba" in kernels else "-".join(kernels["blas"]).lower()
    return f"{compiled}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


class Record:
    """A folder of fits and searches.

    Parameters
    ----------
    folder : path
        Where it is, or is to be.
    environment : str, optional
        The environment whose answer counts where several have one. By default the one with the most
        rows.
    alone : bool, default=False
        Whether to read nothing of other environments.

    Attributes
    ----------
    fits : DataFrame
        A row for each fit: dataset, method, params, split, rows, seed; environment; what
        `crcen.study.fit.fit` tells of it; why it failed; the digests of code and data that it
        rests on. Its index is what `predictions` takes.
    searches : DataFrame
        A row for each point of each search, with what `crcen.study.fit.search` tells of it.
    environments : dict
        What is known of each environment, by its name, the one whose answer counts first.

    Raises
    ------
    RecordError
        If there is no such environment, or a file is damaged.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> folder = TemporaryDirectory()
    >>> record = Record(folder.name)
    >>> row = {"method": "MLP", "params": "{}", "split": 0, "rows": "test", "seed": 0}
    >>> record.add("fits", "abalone", [row | {"positives": [-1, 20], "negatives": [-300]}])
    >>> again = Record(folder.name)
    >>> again.fits[["dataset", "method"]].to_dict("records")
    [{'dataset': 'abalone', 'method': 'MLP'}]
    >>> again.predictions(0)
    Predictions(positives=array([-0.001,  0.02 ]), negatives=array([-0.3]))
    >>> folder.cleanup()
    """

    def __init__(
        self, folder: str | os.PathLike[str], environment: str = "", *, alone: bool = False
    ) -> None:
        self.folder = Path(folder)
        self.environment = environment
        self.alone = alone
        self.read()

    def read(self) -> None:
        """Read the folder again, with what was added to it meanwhile."""
        known = {path.parent.name: _json(path) for path in self.folder.glob(f"*/{ENVIRONMENT}")}
        if self.environment and self.environment not in known:
            if not self.alone:
                raise RecordError(
                    f"{self.folder} has no environment {self.environment!r}, only "
                    f"{', '.join(sorted(known)) or 'none'}: name one of them."
                )
            known = {}
        if self.alone:
            known = {name: about for name, about in known.items() if name == self.environment}
        parts: dict[Kind, list[_Part]] = {kind: self._parts(kind, known) for kind in KEYS}
        rows = Counter(dict.fromkeys(known, 0))
        tables = {kind: [part.table(logits=False) for part in parts[kind]] for kind in KEYS}
        for kind in KEYS:
            for part, table in zip(parts[kind], tables[kind], strict=True):
                rows[part.environment] += len(table)
        order = sorted(known, key=lambda name: (name != self.environment, -rows[name], name))
        self.environments = {name: known[name] for name in order}
        self.fits, self._places = _merged(parts["fits"], tables["fits"], order, KEYS["fits"])
        self._fits = parts["fits"]
        self._logits: dict[int, list[tuple[NDArray[np.int32], NDArray[np.int32]]]] = {}
        self.searches, _ = _merged(parts["searches"], tables["searches"], order, KEYS["searches"])

    def predictions(self, row: int) -> Predictions:
        """Return the logits of a fit, by its place in the index of `fits`.

        Those of a file are read when one of them is first asked for.
        """
        part, line = self._places[row]
        if part not in self._logits:
            table = self._fits[part].table(logits=True)
            lists = [_list(table, name) for name in LISTS]
            self._logits[part] = [(a.offsets.to_numpy(), a.flatten().to_numpy()) for a in lists]
        return Predictions(
            *(values[slice(*at[line : line + 2])] / 1000 for at, values in self._logits[part])
        )

    def add(
        self,
        kind: Kind,
        dataset: str,
        rows: Iterable[Mapping[str, Any]],
        about: Mapping[str, Any] | None = None,
    ) -> None:
        """Put rows beside those of a data set, whole or not at all, in their environment.

        Parameters
        ----------
        kind : {"fits", "searches"}
            What they are.
        dataset : str
            The data set.
        rows : iterable of mapping
            The names of `KEYS`, and whatever else there is to be known of each.
        about : mapping, optional
            The versions, kernels and processor that made them; by default those of this process.
        """
        folder = self._home(about or _about()) / kind
        folder.mkdir(parents=True, exist_ok=True)
        # Of two files that are of one time for the disk, the name tells which came later.
        name = f"{dataset}.{time.time_ns():020}-{uuid4().hex}.parquet"
        _write(_table(pd.DataFrame(list(rows))), folder / name)

    def pack(self) -> None:
        """Put what lies beside the files of the data sets into them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / f"{SCRATCH}lock"):
            for kind, keys in KEYS.items():
                for folder in self.folder.glob(f"*/{kind}"):
                    for dataset in sorted({path.name.split(".")[0] for path in _beside(folder)}):
                        files, packed = _files(folder, dataset), folder / f"{dataset}.parquet"
                        _write(_newest(_together(files), keys), packed)
                        # The latest goes last: if it is left, it still is the one that counts.
                        for path in files:
                            if path != packed:
                                path.unlink()

    def _parts(self, kind: Kind, environments: Iterable[str]) -> list[_Part]:
        """Read the files of a kind; again if another run packs one before it is read."""
        for last in range(_TRIES):
            try:
                return [
                    _Part(name, path, _read(path))
                    for name in environments
                    for path in _files(self.folder / name / kind)
                ]
            except FileNotFoundError:
                if last == _TRIES - 1:
                    raise
        raise AssertionError

    def _home(self, about: Mapping[str, Any]) -> Path:
        """Make the folder of an environment, which says what it is."""
        folder = self.folder / _name(about)
        if not (folder / ENVIRONMENT).exists():
            folder.mkdir(parents=True, exist_ok=True)
            found = {"processor": processor()} | dict(about)
            write_whole(folder / ENVIRONMENT, json.dumps(found, indent=1, sort_keys=True) + "\n")
        return folder


def _merged(
    parts: list[_Part], tables: list[pa.Table], order: list[str], keys: list[str]
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Put files together, one row to a key; and tell of each the number of its file and line."""
    keys = ["dataset", *keys]
    if not parts:
        return pd.DataFrame(columns=[*keys, *_ALWAYS]), np.empty((0, 2), np.int64)
    numbers = sorted(range(len(parts)), key=lambda n: order.index(parts[n].environment))
    whole = pa.concat_tables([tables[n] for n in numbers], promote_options="default")
    frame, sizes = whole.to_pandas(), [len(tables[n]) for n in numbers]
    frame.insert(0, "dataset", np.repeat([parts[n].dataset for n in numbers], sizes))
    frame.insert(0, "environment", np.repeat([parts[n].environment for n in numbers], sizes))
    # In one environment the latest counts, which stands last; of several the first.
    latest = frame[~frame.duplicated(["environment", *keys], keep="last")]
    kept = latest[~latest.duplicated(keys)].sort_values(keys)
    lines = np.concatenate([np.arange(size) for size in sizes])
    places = np.column_stack([np.repeat(numbers, sizes), lines])
    return kept.reset_index(drop=True), places[kept.index]


def _beside(folder: Path, dataset: str = "*") -> Iterator[Path]:
    """Find the small files that are not packed yet."""
    return folder.glob(f"{dataset}.*.parquet")


def _files(folder: Path, dataset: str = "*") -> list[Path]:
    """List the files of a data set: the packed one, then those beside it as they came."""
    beside = sorted(_beside(folder, dataset), key=lambda path: (path.stat().st_mtime_ns, path.name))
    return [*(p for p in folder.glob(f"{dataset}.parquet") if p not in beside), *beside]


def _together(files: Iterable[Path]) -> pa.Table:
    tables = [_Part("", path, _read(path)).table() for path in files]
    return pa.concat_tables(tables, promote_options="default")


def _newest(table: pa.Table, keys: list[str]) -> pa.Table:
    """Keep the last row of each key, in the order of the keys."""
    frame = table.select(keys).to_pandas()
    kept = frame[~frame.duplicated(keep="last")].sort_values(keys)
    return table.take(kept.index.to_numpy())


def _list(table: pa.Table, name: str) -> pa.ListArray:
    """Return a column of logits as one array; one that is not there has none in each row."""
    if name not in table.column_names:
        return pa.array([None] * len(table), _LOGITS)
    return table[name].combine_chunks()


def _table(frame: pd.DataFrame) -> pa.Table:
    """Give the columns their types, so that files of few rows go with those of many."""
    columns = {
        name: pa.array(
            frame[name], _LOGITS if name in LISTS else pa.string() if name in _TEXTS else None
        )
        for name in frame
    }
    return pa.table(columns)


def _write(table: pa.Table, path: Path) -> None:
    """Write a file whole or not at all.

    Sorted logits are kept as the steps from one to the next, which take less.
    """
    lists = [name for name in LISTS if name in table.column_names]
    table = _on_lists(table, _steps)
    with replacing(path) as scratch:
        pq.write_table(
            table,
            scratch,
            compression="zstd",
            use_dictionary=[name for name in table.column_names if name not in lists],
            column_encoding={f"{name}.list.element": "BYTE_STREAM_SPLIT" for name in lists},
        )


def _read(path: Path) -> bytes:
    """Read a file whole at once: another run may put a newer one in its place meanwhile."""
    try:
        return path.read_bytes()
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise _damaged(path, error) from error


def _on_lists(table: pa.Table, of: Callable[[_Whole, _Whole], _Whole]) -> pa.Table:
    """Apply a function to the flat values of the logits and to the places where lists begin."""
    for place, name in enumerate(table.column_names):
        if name in LISTS:
            lists = table[name].combine_chunks()
            values, ends = lists.flatten().to_numpy().astype(np.int64), lists.offsets.to_numpy()
            flat = pa.array(of(values, ends[:-1][np.diff(ends) > 0]), pa.int32())
            column = pa.ListArray.from_arrays(lists.offsets, flat, mask=lists.is_null())
            table = table.set_column(place, name, column)
    return table


def _steps(values: _Whole, begins: _Whole) -> _Whole:
    """Take from each value the one before it, but from the first of a list."""
    steps = np.diff(values, prepend=0)
    steps[begins] = values[begins]
    return steps


def _sums(steps: _Whole, begins: _Whole) -> _Whole:
    """Add the steps of each list up: what `_steps` was given."""
    sums = np.cumsum(steps)
    before = np.concatenate([[0], sums])[begins]
    return sums - np.repeat(before, np.diff(np.append(begins, steps.size)))


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, problem: Exception) -> RecordError:
    return RecordError(
        f"{path} is damaged ({problem}): take it from the repository again (git checkout), or "
        "delete it and run again."
    )
