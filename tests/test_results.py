"""Tests of crcen.results: what is written whole, what is refused, and the tables."""

import json
import os
import platform
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from crcen import results
from crcen.protocol import Cell, Search
from crcen.results import Store, StoreError

SETTINGS = {"seed": 0, "grids": {"MLP": {"l2": [0.1, (1, 2)]}}}
CELLS = [
    Cell("paper", "gmean", "abalone", "MLP", 10),
    Cell("paper", "gmean", "abalone", "MLP", 9),
    Cell("lambda", "f1", "abalone", "CRCEN", 0, "0.5"),
]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "new" / "store", SETTINGS)


def write(store, cell, **result):
    store.write(cell.key, {**cell._asdict(), **result})


def files(store):
    return {path for path in store.folder.rglob("*") if path.is_file()}


def test_a_result_is_read_as_it_was_written(store):
    result = {"f1": 0.1 + 0.2, "tp": 3, "failed": "“no”\n", "hidden": [5, 5]}
    store.write("a/b", result)
    assert store.read("a/b") == result
    assert "a/b" in store
    assert "a/c" not in store


def test_a_file_is_strict_json_where_a_number_is_not_finite(store):
    store.write("a/b", {"x": np.nan, "y": [np.inf, {"z": -np.inf}]})
    assert store.read("a/b") == {"x": None, "y": [None, {"z": None}]}


@pytest.mark.parametrize("failing", ["replace", "write_text"])
def test_an_interrupted_write_leaves_what_was_there(store, failing, monkeypatch):
    store.write("a/b", {"x": 1})
    before = files(store)

    def interrupted(path, *_, **__):
        if failing == "write_text":
            path.write_bytes(b'{"x"')  # half of it
        raise KeyboardInterrupt

    monkeypatch.setattr(os if failing == "replace" else results.Path, failing, interrupted)
    for key in ("a/b", "a/c"):
        with pytest.raises(KeyboardInterrupt):
            store.write(key, {"x": 2})
    assert files(store) == before
    assert store.read("a/b") == {"x": 1}


def test_what_a_killed_write_leaves_is_read_by_nobody(store):
    write(store, CELLS[0], f1=0.5)
    (store.folder / "paper/gmean/abalone/MLP" / ".11.json.0123").write_text('{"half')
    assert len(store.table()) == 1


def test_the_manifest_tells_settings_machine_and_versions(store):
    manifest = json.loads((store.folder / "manifest.json").read_text())
    assert manifest["settings"]["seed"] == 0
    assert manifest["machine"]["cores"] == os.cpu_count()
    torch_kernels = manifest["machine"]["kernels"]["torch"]
    assert f"CPU capability usage: {torch_kernels}" in torch.__config__.show()
    assert manifest["versions"]["numpy"] == np.__version__


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the kernels are those of x86")
def test_the_manifest_tells_the_kernels_that_were_asked_for():
    asked = os.environ | {"OPENBLAS_CORETYPE": "Haswell", "ATEN_CPU_CAPABILITY": "avx2"}
    code = "from crcen.results import machine; print(machine()['kernels'])"
    told = subprocess.run([sys.executable, "-c", code], env=asked, capture_output=True, text=True)
    assert told.stdout == "{'blas': ['Haswell'], 'torch': 'AVX2'}\n"


def test_a_store_is_opened_again_with_the_same_settings_or_to_read(store):
    made = (store.folder / "manifest.json").read_bytes()
    Store(store.folder, SETTINGS)
    Store(store.folder)
    assert (store.folder / "manifest.json").read_bytes() == made


def test_other_settings_are_refused_by_name(store):
    other = {"seed": 0, "tol": 1e-3, "grids": {"MLP": {"l2": [0.2]}}}
    with pytest.raises(StoreError, match="another folder") as error:
        Store(store.folder, other)
    assert "grids.MLP.l2=[0.1, [1, 2]], not [0.2]" in str(error.value)
    assert "tol=None, not 0.001" in str(error.value)
    assert "seed" not in str(error.value)


def test_reading_where_there_is_no_store_says_so_and_makes_none(tmp_path):
    with pytest.raises(StoreError, match=r"there is no store in .*nowhere.*python -m crcen"):
        Store(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_the_table_has_a_row_for_each_cell_sorted_by_key(store):
    for cell, f1 in zip(CELLS, (0.1, 0.2, None), strict=True):
        write(store, cell, f1=f1, hidden=[5])
    table = store.table()
    assert table["split"].tolist() == [0, 9, 10]
    assert table["f1"].tolist()[1:] == [0.2, 0.1]
    assert table["hidden"].unique().tolist() == [(5,)]  # a tuple, so that it can be grouped
    assert list(table)[:6] == list(Cell._fields)


def test_the_table_does_not_depend_on_the_order_of_writing(store, tmp_path):
    other = Store(tmp_path / "other", SETTINGS)
    for cell in CELLS:
        write(store, cell, f1=0.5, residual=np.nan)
    for cell in reversed(CELLS):
        write(other, cell, residual=np.nan, f1=0.5)
    pd.testing.assert_frame_equal(store.table(), other.table())
    assert store.table().to_csv() == other.table().to_csv()


def test_an_empty_store_has_an_empty_table(store):
    assert list(store.table()) == list(Cell._fields)
    assert store.table().empty
    assert store.searches().empty


def test_searches_are_gathered_with_their_grids(store):
    points = [{"l2": 0.1, "f1": 0.5}, {"l2": 0.2, "f1": 0.6}]
    for split, result in {3: {"failed": "", "search": points}, 4: {"failed": "so"}}.items():
        search = Search("abalone", "MLP", split)
        store.write(search.key, {**search._asdict(), **result})
    found = store.searches()
    assert found["f1"].tolist() == [0.5, 0.6]
    assert {*zip(found["dataset"], found["method"], found["split"], strict=True)} == {
        ("abalone", "MLP", 3)
    }
    assert store.table().empty


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"protocol": "pa',
        "[]",
        "{}",
        json.dumps(CELLS[1]._asdict()),  # what belongs to another file
    ],
)
def test_a_damaged_or_misplaced_file_is_named(store, text):
    write(store, CELLS[0], f1=0.5)
    path = store.folder / "paper/gmean/abalone/MLP/10.json"
    path.write_text(text)
    with pytest.raises(StoreError, match=r"paper/gmean/abalone/MLP/10\.json is damaged.*delete it"):
        store.table()


def test_a_damaged_manifest_is_named(store):
    (store.folder / "manifest.json").write_bytes(b"\xff")
    with pytest.raises(StoreError, match=r"manifest\.json is damaged"):
        Store(store.folder, SETTINGS)
