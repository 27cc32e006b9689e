"""Tests of crcen.study.past and samme_r: two environments, one answer, of which this plays both."""

import ast
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from numpy.testing import assert_allclose
from small import load, said

from crcen.study import past, samme_r
from crcen.study.fit import EDGE, fit
from crcen.study.methods import METHODS, PAST
from crcen.study.past import PastError, elsewhere, fill
from crcen.study.provenance import processor
from crcen.study.record import Record, thousandths
from crcen.study.run import stale
from crcen.study.splits import splits
from crcen.study.tables import score_past

OLD = {"versions": {"scikit-learn": "0.1"}, "kernels": {"blas": ["Abacus"]}}


def answer(name, given, found):
    """Fit here, by today's AdaBoost, in the place of the other environment."""
    samme_r.answer(name, given, found)
    return OLD


def nobody(name, given, found):
    raise AssertionError(f"{name} was asked for")


@pytest.fixture
def quick(monkeypatch):
    """RUSBoost alone: an ensemble of ensembles takes seconds."""
    monkeypatch.delitem(PAST, "EE 2019")


def filled(folder, answer=answer, n_splits=2, datasets=("one",), **more):
    record = Record(folder)
    more = {"load": load, "report": lambda line: None} | more
    fill(record, answer, datasets=datasets, n_splits=n_splits, **more)
    return record


# What the other environment computes


@pytest.mark.parametrize("name", ["RUSB", pytest.param("EE", marks=pytest.mark.slow)])
def test_it_fits_as_every_method_is_fitted(name, seed):
    data = load("two")
    train, test = next(splits(data.target, 1, seed))
    ours = samme_r.log_odds(f"{name} 2019", data.data, data.target, train, test, seed + 3)
    method = METHODS[name]
    found = fit(method, {}, data.data, data.target, train, test, seed=seed + 3).predictions
    for label, logits in ((1, found.positives), (0, found.negatives)):
        # logit(p) and log(p) - log(1 - p) differ by rounding, most where p is near 1.
        assert_allclose(ours[data.target[test] == label], logits, rtol=1e-6, atol=1e-12)


def test_its_program_knows_the_methods_and_needs_nothing_of_this_package():
    assert list(samme_r.CLASSIFIERS) == list(PAST)
    assert samme_r.EDGE == EDGE
    assert not {*PAST} & {*METHODS}
    assert len({*PAST.values(), *(method.title for method in METHODS.values())}) == len(
        [*PAST, *METHODS]
    )
    nodes = [*ast.walk(ast.parse(past.SCRIPT.read_text("utf8")))]
    imported = {n.module for n in nodes if isinstance(n, ast.ImportFrom)}
    imported |= {each.name for n in nodes if isinstance(n, ast.Import) for each in n.names}
    assert not [name for name in imported if name.startswith("crcen")]


def test_a_split_that_cannot_be_fitted_says_why_and_leaves_the_others(tmp_path):
    data = load("one")
    train, test = (np.array(each) for each in zip(*splits(data.target, 2, 0), strict=True))
    train[0] = np.flatnonzero(data.target == 0)[0]  # the majority alone
    given, found = tmp_path / "given.npz", tmp_path / "found.npz"
    np.savez(given, X=data.data, y=data.target, train=train, test=test, seed=np.arange(2))
    samme_r.answer("RUSB 2019", given, found)
    with np.load(found, allow_pickle=False) as file:
        assert np.isnan(file["logits"]).all(axis=1).tolist() == [True, False]
        assert file["failed"][0].startswith("ValueError: ")
        assert file["failed"][1] == ""
        assert (file["seconds"] >= 0).all()
        made = [past._row(data.target[test[k]], {n: file[n][k] for n in file}) for k in (0, 1)]
        o = file["logits"][1]
    assert made[0]["positives"] is made[0]["negatives"] is None
    assert made[1]["positives"] == thousandths(o[data.target[test[1]] == 1])
    assert made[1]["negatives"] == thousandths(o[data.target[test[1]] == 0])


# What comes into the record


@pytest.mark.usefixtures("quick")
def test_it_is_recorded_in_an_environment_of_its_own_and_once(tmp_path, seed):
    seed += 1  # so that none of 0 can be left out
    record = filled(tmp_path, datasets=("one", "two"), seed=seed)
    [(name, about)] = record.environments.items()
    assert name.startswith("abacus-")
    assert about == OLD | {"processor": processor()}
    keys = record.fits[["dataset", "method", "params", "split", "rows", "seed"]]
    assert [*keys.itertuples(index=False, name=None)] == [
        (dataset, "RUSB 2019", "{}", split, "test", seed)
        for dataset in ("one", "two")
        for split in (0, 1)
    ]
    scored = score_past(record, seed)
    for place in record.fits.index:
        dataset, split = record.fits.loc[place, ["dataset", "split"]]
        data = load(dataset)
        *_, (train, test) = splits(data.target, split + 1, seed)
        rows = data.data, data.target, train, test
        counts = fit(METHODS["RUSB"], {}, *rows, seed=seed + split).predictions.counts
        assert record.predictions(place).counts == counts
        assert scored.loc[place, [*counts._fields]].tolist() == [*counts]
    assert score_past(record, seed + 1).empty
    before = said(record)
    assert said(filled(tmp_path, nobody, datasets=("one", "two"), seed=seed)) == before


@pytest.mark.usefixtures("quick")
def test_what_is_lacking_is_computed_as_if_it_had_been_there(tmp_path):
    filled(tmp_path / "parts", n_splits=1)
    asked = []

    def some(name, given, found):
        with np.load(given, allow_pickle=False) as file:
            asked.append((name, file["seed"].tolist()))
        return answer(name, given, found)

    parts = filled(tmp_path / "parts", some, n_splits=3)
    assert asked == [("RUSB 2019", [1, 2])]
    assert said(parts) == said(filled(tmp_path / "whole", n_splits=3))


@pytest.mark.usefixtures("quick")
def test_it_is_stale_when_the_program_has_changed_and_only_then(tmp_path, monkeypatch):
    record = filled(tmp_path / "record")
    assert stale(record, load) == []
    other = tmp_path / "samme_r.py"
    other.write_text(past.SCRIPT.read_text("utf8") + "\n# Only a comment.\n")
    monkeypatch.setattr("crcen.study.run.SCRIPT", other)
    assert stale(record, load) == []
    other.write_text(past.SCRIPT.read_text("utf8").replace("EDGE = 1e-12", "EDGE = 1e-9"))
    [line] = stale(record, load)
    assert line.startswith("2 fits of abacus-")
    assert " one RUSB 2019 " in line


# The other environment


@pytest.mark.slow
def test_an_environment_without_samme_r_is_refused_before_it_fits(tmp_path):
    with pytest.raises(PastError, match=r"not fit RUSB 2019: scikit-learn .*`make ensembles`"):
        elsewhere(sys.executable)("RUSB 2019", tmp_path / "given.npz", tmp_path / "found.npz")
    assert not [*tmp_path.iterdir()]


def test_the_command_tells_in_a_sentence_what_is_wrong(tmp_path, capsys):
    asked = ["--datasets", "abalone", "--results", str(tmp_path / "record")]
    assert past.main([str(tmp_path / "python"), *asked]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"crcen: {tmp_path / 'python'} does not start (No such file")
    assert "`make ensembles`" in error
    assert Record(tmp_path / "record").fits.empty


def test_the_recorded_versions_are_those_that_are_pinned():
    lines = Path(ROOT, "requirements-2019.txt").read_text("utf8").splitlines()
    pins = dict(line.split()[0].split("==") for line in lines if not line.startswith("#"))
    fits = Record(ROOT / "results").fits
    [name] = fits.loc[fits["method"].isin([*PAST]), "environment"].unique()
    versions = Record(ROOT / "results").environments[name]["versions"]
    assert {package: pins[package] for package in samme_r.PACKAGES} == {
        package: version for package, version in versions.items() if package != "python"
    }
