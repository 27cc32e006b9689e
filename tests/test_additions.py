"""A method, a score, a data set, a protocol: one entry each, and what was computed stays."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from small import GRID, PROTOCOLS, SETS, load, small_record, use_grids

from crcen.study import __main__
from crcen.study.datasets import DATASETS, arrays_digest
from crcen.study.methods import METHODS, Method
from crcen.study.protocol import Protocol, cells
from crcen.study.record import Record
from crcen.study.run import missing, stale
from crcen.study.scores import SCORES, Score
from crcen.study.tables import fits_of

PAPER = {"paper": PROTOCOLS["paper"]}


@pytest.fixture
def record(tmp_path, monkeypatch):
    """What has been computed before."""
    use_grids(monkeypatch)
    return small_record(tmp_path, ["CRCEN", "RUSB"], PAPER)


def added(record, which, protocols=PAPER, sets=SETS):
    """Fill a record with more, and check that what was there is; return what is reported."""
    before = {"fits": record.fits, "searches": record.searches}
    logits = [str(record.predictions(k)) for k in record.fits.index]
    lines = []
    small_record(record.folder, which, protocols, sets, report=lines.append)
    record.read()
    key = ["dataset", "method", "params", "split", "seed"]
    for kind, old in before.items():
        now = getattr(record, kind)
        where = key + ["rows"] * (kind == "fits")
        same = now.reset_index().merge(old[where], on=where, validate="one_to_one")
        # With the seconds, so that none was computed again.
        assert same[[*old]].to_csv() == old.to_csv()
        if kind == "fits":
            assert [str(record.predictions(k)) for k in same["index"]] == logits
    wanted = cells(sets, which, protocols)
    assert missing(record, wanted, protocols=PROTOCOLS | protocols) == []
    assert stale(record, load) == []
    return lines


def test_a_method_that_is_tuned(record, monkeypatch):
    grid = {"var_smoothing": [1e-9, 0.1]}
    monkeypatch.setitem(METHODS, "NB", Method("naive Bayes", lambda seed: GaussianNB(), grid))
    lines = added(record, ["CRCEN", "NB", "RUSB"])
    assert lines
    assert all(" NB on " in line for line in lines)
    assert (record.searches["method"] == "NB").sum() == 2 * 2  # sets, points
    named = fits_of(cells(SETS, ["NB"], PAPER), record.searches, PAPER)
    assert {fit.method for fit in named.values()} == {"NB"}


def test_a_score(record, monkeypatch):
    def youden(found):
        tn, fp, fn, tp = found.counts
        return tp / (tp + fn) + tn / (tn + fp) - 1

    monkeypatch.setitem(SCORES, "youden", Score("Youden's J", youden))
    assert added(record, ["CRCEN", "RUSB"]) == []  # the logits are there
    done = record.fits.index[record.fits["failed"] == ""]
    found = [SCORES["youden"].of(record.predictions(k)) for k in done]
    by_others = [
        SCORES["recall"].of(record.predictions(k)) + SCORES["specificity"].of(record.predictions(k))
        for k in done
    ]
    assert found == pytest.approx(np.array(by_others) - 1)
    assert len(found) >= 4


def test_a_protocol(record):
    lines = added(record, ["CRCEN"], {"more": Protocol(3)})
    assert all(line.startswith("fits ") and ", split 2, " in line for line in lines)


def test_a_point_of_a_grid(record, monkeypatch):
    longer = replace(METHODS["CRCEN"], grid=GRID | {"l2": [*GRID["l2"], 0.1]})
    monkeypatch.setitem(METHODS, "CRCEN", longer)
    before, lines = record.searches.drop(columns="seconds"), []
    small_record(record.folder, ["CRCEN"], PAPER, report=lines.append)
    record.read()
    assert len(record.searches) == len(before) * 3 / 2
    # A search follows a path through its points, so that it is made as a whole: with the same end.
    now = record.searches[record.searches["params"].isin(before["params"])]
    assert now[[*before]].to_csv(index=False) == before.to_csv(index=False)
    assert [line for line in lines if "RUSB" in line] == []


def test_a_data_set(record):
    lines = added(record, ["CRCEN", "RUSB"], sets=(*SETS, "three"))
    assert lines
    assert all(" on three, " in line for line in lines)


def test_a_data_set_of_the_command(record, monkeypatch, tmp_path):
    data = load("three")
    label = np.where(data.target == 1, 1, -1)
    digest = arrays_digest(data.data, label)
    sizes = {"n_samples": 200, "n_features": 3, "n_minority": 40}
    names = {"name": "three", "file": "x99data.npz", "arrays_sha256": digest}
    three = replace(DATASETS["scene"], **names, **sizes)
    home = tmp_path / "home/zenodo"
    home.mkdir(parents=True)
    np.savez(home / "x99data.npz", data=data.data, label=label)
    monkeypatch.setenv("CRCEN_DATA_HOME", str(home.parent))
    monkeypatch.setitem(DATASETS, "three", three)
    before = record.fits
    asked = ["--datasets", "three", "--methods", "RUSB", "--results", str(record.folder)]
    assert __main__.main(asked) == 0
    now = Record(record.folder).fits
    assert len(now) == len(before) + 20
    assert now[now["dataset"] != "three"].reset_index(drop=True)[[*before]].equals(before)
    assert set(now["data"][now["dataset"] == "three"]) == {digest[:12]}
