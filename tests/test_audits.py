"""Tests of crcen.study.audits: a recorded model is audited as any other is."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit
from small import load, small_record, use_grids

from crcen import audit
from crcen.study import audits as module
from crcen.study.audits import audits
from crcen.study.protocol import Protocol

WHICH = ("LR", "LR weighted", "MLP", "RF weighted")
SMALL = {"hundred": Protocol(2, tune_every=1, scores=("log_loss",), methods=WHICH)}


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        use_grids(patch)
        return small_record(tmp_path_factory.mktemp("r"), WHICH, SMALL, ["one"])


@pytest.fixture
def found(record, monkeypatch):
    use_grids(monkeypatch)
    y = load("one").target
    of = type("Of", (), {"n_samples": y.size, "n_minority": int(y.sum())})
    monkeypatch.setattr(module, "DATASETS", {"one": of})
    return audits(record, ["one", "absent"], WHICH, protocols=SMALL).set_index("method")


@pytest.mark.parametrize("name", WHICH)
def test_an_audit_is_one_of_the_test_rows_as_the_model_was_trained(name, record, found):
    y = load("one").target
    fits = record.fits[(record.fits["method"] == name) & (record.fits["rows"] == "test")]
    positives, negatives = record.predictions(fits.index[fits["split"] == 0].item())
    ratio = np.log(negatives.size / positives.size)
    o = np.concatenate([positives, negatives]) + ratio * (name == "RF weighted")
    labels = np.repeat([1, 0], [positives.size, negatives.size])
    train = int(y.sum()) - positives.size, int((1 - y).sum()) - negatives.size
    by_hand = audit(labels, expit(o), train=train)
    row, given = found.loc[name], ratio * ("weighted" in name)
    low, high = by_hand.interval()
    assert row["given"] == pytest.approx(given)
    assert_allclose([row["found"], row["spread"]], [np.log(by_hand.weight), by_hand.spread])
    assert row["held"] == (low <= expit(given) <= high)


def test_one_split_of_each_set_that_is_there(found):
    assert {*found.index} == {*WHICH}
    assert {*found["split"]} == {0}
    assert {*found["dataset"]} == {"one"}
