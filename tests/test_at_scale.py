"""Tests of crcen.study.at_scale: what it counts is what can be counted by hand on the same rows."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit
from sklearn.preprocessing import StandardScaler
from small import load, small_record, use_grids

from crcen import CRCENClassifier
from crcen.choice import Share
from crcen.study import at_scale
from crcen.study.at_scale import (
    PLAIN,
    alone,
    asked,
    foretold,
    keeping,
    priced,
    promises,
    quotients,
    share,
    steps,
    summed,
)
from crcen.study.methods import TOL
from crcen.study.protocol import HELD_OUT, Cell, Protocol
from crcen.study.scores import Predictions
from crcen.study.splits import splits
from crcen.theory.left_out import left_out_logits

WHICH = ("MLP", "CRCEN", "LR", "LR weighted")
SMALL = {
    "hundred": Protocol(2, tune_every=1, scores=("log_loss",), methods=WHICH),
    "hundred held out": Protocol(
        2, tune_every=1, scores=("log_loss",), methods=PLAIN, also=HELD_OUT
    ),
}
NOTHING = pd.DataFrame({"dataset": [], "method": [], "split": []})


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        use_grids(patch)
        return small_record(tmp_path_factory.mktemp("r"), WHICH, SMALL, ["one"])


@pytest.fixture
def rng(seed):
    return np.random.default_rng(seed)


@pytest.fixture(autouse=True)
def grids(monkeypatch):
    use_grids(monkeypatch)


def places_of(record, method, split, rows="test"):
    fits = record.fits
    return fits.index[
        (fits["method"] == method) & (fits["split"] == split) & (fits["rows"] == rows)
    ]


def test_a_quantity_of_a_set_is_its_mean_over_splits_with_their_corrected_variance():
    rows = pd.DataFrame(
        {"dataset": ["a"] * 4 + ["b"], "split": [0, 0, 1, 2, 0], "x": [1.0, 3.0, 5.0, 2.0, 7.0]}
    )
    found = alone(rows, "x", {"a": "A", "b": "A"})
    assert found["family"].tolist() == ["A", "A"]
    assert found.loc["a", "mean"] == pytest.approx(3)  # of 2, 5 and 2
    assert found.loc["a", "variance"] == pytest.approx(3 * (1 / 3 + 1 / 3))
    assert math.isnan(found.loc["b", "variance"])
    assert alone(NOTHING.assign(x=[]), "x", {}).empty


def test_a_share_has_one_vote_a_family_and_students_interval_over_them():
    values = np.linspace(0.5, 0.8, 6)
    rows = pd.DataFrame({"dataset": list("abcdefg"), "split": 0, "x": [*values, 1.0]})
    family = dict(zip("abcdefg", "ABCDEFF", strict=True))
    votes = [*values[:5], (values[5] + 1) / 2]
    found = share(rows, "x", family)
    ends = stats.ttest_1samp(votes, 0).confidence_interval(0.9)
    assert found[:3] == pytest.approx((np.mean(votes), *ends))
    assert (found.n_sets, found.n_families) == (7, 6)
    few = share(rows[:4], "x", family)
    assert few.mean == pytest.approx(values[:4].mean())
    assert math.isnan(few.low)
    wide = share(rows.assign(x=[0.0, 1, 1, 1, 1, 1, 1]), "x", family, 0.999)
    assert (wide.low, wide.high) == (0, 1)


@pytest.mark.parametrize(("method", "alpha"), [("CRCEN", 1), ("LR weighted", 1), ("MLP", 1 / 4)])
def test_the_quotient_is_of_mean_errors_at_the_weight_of_the_training(method, alpha, record):
    found = quotients(record, ["one", "absent"], [method], protocols=SMALL).set_index("split")
    [k] = places_of(record, method, 1)
    rows = record.predictions(k)
    value = alpha * expit(-rows.positives).mean() / expit(rows.negatives).mean()
    assert found["quotient"][1] == pytest.approx(value)
    assert found["log"][1] == pytest.approx(math.log(value))


def test_the_quotient_of_all_splits_is_that_of_their_summed_errors(record):
    rows = quotients(record, ["one"], ["CRCEN"], protocols=SMALL)
    each = [record.predictions(places_of(record, "CRCEN", k)[0]) for k in range(2)]
    missed = sum(expit(-of.positives).sum() for of in each)
    false = sum(expit(of.negatives).sum() for of in each)
    assert np.exp(summed(rows)["mean"].item()) == pytest.approx(missed / (false / 4))
    sure = rows.assign(missed=0.0)
    assert summed(sure).empty


def test_logistic_regression_has_the_quotient_of_a_weight_of_one_half(record):
    found = quotients(record, ["one"], ["LR"], protocols=SMALL)
    [k] = places_of(record, "LR", 0)
    rows = record.predictions(k)
    value = expit(-rows.positives).sum() / expit(rows.negatives).sum()
    assert found["quotient"][0] == pytest.approx(value)


def test_a_prediction_is_of_the_training_rows_left_out(record):
    found = foretold(
        record, ["one"], 10**6, protocols=SMALL, load=lambda names: {n: load(n) for n in names}
    )
    data = load("one")
    train, _ = next(splits(data.target, 1, 0))
    X, y = StandardScaler().fit_transform(data.data[train]), data.target[train]
    [k] = places_of(record, "CRCEN", 0)
    params = json.loads(record.fits.loc[k, "params"])
    clf = CRCENClassifier(tol=TOL, random_state=0, **params).fit(X, y)
    p = expit(left_out_logits(clf, X, y))
    assert found["predicted"].item() == pytest.approx(4 * (1 - p[y == 1]).sum() / p[y == 0].sum())
    known = quotients(record, ["one"], ["CRCEN"], protocols=SMALL)
    assert found["measured"].item() == known["quotient"][0]
    most = train.size * (2 * 4 + 3) - 1  # of two neurons on three columns: one less than it has
    assert foretold(record, ["one"], most, protocols=SMALL, load=lambda _: {"one": data}).empty
    assert foretold(record, ["one"], 10**6, protocols=SMALL, load=lambda _: {}).empty


def test_a_promise_is_made_by_held_out_rows_and_kept_by_test_rows(record):
    found = promises(record, ["one"], ["MLP"], [0.8], protocols=SMALL).set_index("split")
    held = [record.predictions(places_of(record, "MLP", 0, rows)[0]) for rows in HELD_OUT]
    minority = np.sort(np.concatenate([each.positives for each in held]))
    n, k = 30, 6  # the largest k with (n - k + 1) / (n + 1) at least 0.8
    assert minority.size == n
    test = record.predictions(places_of(record, "MLP", 0)[0])
    row = found.loc[0]
    assert row["recall"] == (test.positives >= minority[k - 1]).mean()
    assert (row["low"], row["high"]) == Share(n - k + 1, n).fresh(10)
    assert row["exact"] == at_scale._promise(Share(n - k + 1, n), 10)[2]
    assert row["kept"] == (row["low"] <= row["recall"] <= row["high"])
    assert row["least kept"] == (row["recall"] >= row["low"])


def test_a_recall_at_an_end_of_the_interval_is_kept():
    held_out = Predictions(np.linspace(-1, 1, 40), np.linspace(-3, 0, 80))
    low = at_scale._kept(held_out, held_out, 0.8)["low"]
    found = round(40 * low)
    test = Predictions(np.repeat([2.0, -4.0], [found, 40 - found]), np.full(80, -4.0))
    row = at_scale._kept(held_out, test, 0.8)
    assert (row["recall"], row["kept"], row["least kept"]) == (low, 1, 1)


def test_what_cannot_be_promised_is_not_counted(record):
    found = promises(record, ["one"], ["LR"], [0.99], protocols=SMALL)
    assert len(found) == 2
    assert found[[*at_scale.KEPT]].isna().all(axis=None)


def test_an_exact_promise_is_kept_as_often_as_is_said(rng):
    n, m, k, runs = 20, 8, 4, 20_000
    seen, fresh = np.sort(rng.random((runs, n))), rng.random((runs, m))
    recall = (fresh >= seen[:, [k - 1]]).mean(axis=1)
    low, high, exact, least = at_scale._promise(Share(n - k + 1, n), m)
    for kept, said in (((recall >= low) & (recall <= high), exact), (recall >= low, least)):
        assert said > 0.95
        assert kept.mean() == pytest.approx(said, abs=5 * math.sqrt(0.05 / runs))


def test_lower_ends_may_be_missed_half_as_often_as_intervals():
    rows = pd.DataFrame({"dataset": [*"abcdef"], "split": 0, "exact": 0.97, "least exact": 0.98})
    rows = pd.concat([rows.assign(method=name) for name in PLAIN])
    rows["kept"] = rows["least kept"] = np.where(rows["method"] == "MLP", 0.93, 0.85)
    found = keeping(rows, 0.9).set_index(["method", "promise"])["holds"]
    assert found.tolist() == [True, False, False, False]
    assert {each.margin for each in asked(0.8).values()} == {0.8, 0.9}
    none = keeping(rows[rows["dataset"] < "c"], 0.9)["holds"]
    assert [*none] == [None] * 4


def of_normal_classes(rng, stretch, n=4000, n_splits=3):
    """Test rows of a model whose logits are the right ones at weight 1/2 but for a factor of r."""
    for split in range(n_splits):
        r1, r0 = (rng.normal(mean, 2, size) for mean, size in ((2, n), (-2, 5 * n)))
        logits = (stretch * r - math.log(5) for r in (r1, r0))
        yield Cell("hundred", "log_loss", "a", "LR", split), 0, Predictions(*logits)


@pytest.mark.parametrize(("stretch", "inside"), [(1, [True, True]), (0.3, [False, False])])
def test_a_step_of_a_calibrated_model_costs_what_the_band_says(rng, monkeypatch, stretch, inside):
    rows = [*of_normal_classes(rng, stretch)]
    monkeypatch.setattr(at_scale, "on_test_rows", lambda *_: rows)
    found = steps(None, ["a"], 1.1)
    assert found["inside"].tolist() == inside
    assert found["told"].tolist() == inside
    assert found["low"].tolist() == pytest.approx([2.5, 5])
    assert found["high"].tolist() == pytest.approx([5, 10])
    gained = added = 0
    for _, _, test in rows:
        between = [(o > -math.log(5)) & (o <= math.log(2) - math.log(5)) for o in test]
        gained, added = gained + between[0].sum(), added + between[1].sum()
    first = found.iloc[0]
    assert (first["gained"], first["added"]) == (gained, added)
    assert first["expense"] == pytest.approx(added / gained)


def moves(told, inside, gained=50):
    return pd.DataFrame(
        {"dataset": [*"abcdef"], "method": "LR", "before": 1.0, "after": 2.0, "gained": gained}
        | {"added": 10, "expense": 1.0, "low": 2.0, "high": 4.0, "inside": inside}
        | {"told": pd.Series(told, dtype=object)}
    )


def test_a_price_is_paid_on_most_sets_if_found_and_not_paid_if_told():
    cases = {
        True: moves([None] * 6, [True] * 6),
        False: moves([False] * 6, [False] * 6),
        None: moves([None] * 6, [False] * 6),  # noise can be the reason
    }
    for most, rows in cases.items():
        assert priced(rows)["most"].tolist() == [most]
    found = priced(cases[False]).iloc[0]
    assert (found["outside"], found["under"], found["told"]) == (6, 6, 0)
    few = priced(moves([True] * 6, [True] * 6, gained=19)).iloc[0]
    assert (few["most"], few["inside"].n_sets) == (None, 0)
    assert priced(steps_of_nothing()).empty


def steps_of_nothing():
    columns = ["dataset", "method", "before", "after", "gained", "expense", "low", "inside", "told"]
    return pd.DataFrame(columns=columns)
