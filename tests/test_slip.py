"""Tests of crcen.slip: a promise that stands is hardly ever called broken, and one that fell is."""

import json

import numpy as np
import pytest
from conftest import RARE, SEED
from numpy.testing import assert_allclose
from scipy.special import expit, logit
from scipy.stats import beta, binom

from crcen import choose_lam
from crcen.choice import Share
from crcen.slip import Slip, promise


@pytest.fixture
def rng():
    return np.random.default_rng(SEED)


def rows(rng, n, share=0.1, distance=2.0):
    """Rows as they come: labels, and logits that are calibrated at the given share."""
    y = (rng.random(n) < share).astype(int)
    x = rng.normal(distance * y)
    return distance * x - distance**2 / 2 + np.log(0.1 / 0.9), y


def test_the_threshold_decides_as_the_weight_of_the_choice_does(rng):
    o, y = rows(rng, 2000)
    slip = promise(o, y, recall=0.8)
    assert slip.choice == choose_lam(o, y, recall=0.8)
    assert (o[y == 1] > slip.threshold).sum() == slip.choice.recall.part
    assert (o[y == 0] <= slip.threshold).sum() == slip.choice.specificity.part
    assert expit(slip.threshold) == pytest.approx(1 - slip.choice.lam)  # of a plain model


@pytest.mark.parametrize("lam", [0.5, 0.9, "balanced"])
@pytest.mark.parametrize("wish", [{"recall": 0.8}, {"cost_ratio": 3.0}, {"expense": 6.0}])
def test_logits_and_probabilities_are_promised_alike(lam, wish, rng):
    o, y = rows(rng, 2000)
    one = promise(o, y, lam=lam, **wish)
    other = promise(expit(o), y, lam=lam, scores="probabilities", **wish)
    assert other.threshold == pytest.approx(expit(one.threshold))
    assert other.choice[2:] == one.choice[2:]
    assert one.check(o, y)[0].found == one.choice.recall == other.check(expit(o), y)[0].found


# A year of checks: each row is looked at, and what was called broken once stays so.


@pytest.mark.parametrize(("years", "n"), [(60, 2000)])
def test_rows_without_drift_are_hardly_ever_called_broken(years, n, rng):
    broken = 0
    for _ in range(years):
        slip = promise(*rows(rng, 1000), recall=0.8, confidence=0.9)
        broken += slip.check(*rows(rng, n)).broken
    assert broken <= binom.ppf(1 - RARE, years, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "wish"), [(1000, {"recall": 0.8}), (2000, {"precision": 0.4})])
def test_of_500_years_without_drift_at_most_5_in_100_are_called_broken(n, wish, rng):
    broken = 0
    for _ in range(500):
        slip = promise(*rows(rng, n), **wish, confidence=0.9)
        broken += slip.check(*rows(rng, 4000)).broken
    assert broken <= 25


def test_at_the_edge_of_the_promise_the_martingale_keeps_its_word(rng):
    """With the share at exactly what was promised: the worst case that still keeps it."""
    slip = promise(*rows(rng, 1000), recall=0.8)
    edge = slip.choice.recall.interval(0.975)[0]
    broken = 0
    for _ in range(600):
        found = rng.random(400) < edge
        values = np.where(found, slip.threshold + 1, slip.threshold - 1)
        broken += slip.check(values, np.ones(400, int)).recall.since is not None
    assert broken <= binom.ppf(1 - RARE, 600, 0.0125)


@pytest.mark.parametrize("which", ["recall", "specificity"])
def test_drift_is_told(which, rng):
    slip = promise(*rows(rng, 2000), recall=0.8)
    o, y = rows(rng, 4000)
    later = np.where(y == 1, o - 2 * (which == "recall"), o + 2 * (which == "specificity"))
    found = slip.check(later, y)
    assert found.broken
    assert getattr(found, which).since is not None
    assert getattr(found, which).evidence > 80
    other = {"recall": "specificity", "specificity": "recall"}[which]
    assert getattr(found, other).evidence < 1e-3 * getattr(found, which).evidence


@pytest.mark.parametrize("confidence", [None, 0.9])
def test_a_precision_that_was_wished_for_is_watched(confidence, rng):
    """A minority that becomes rarer breaks it, and neither recall nor specificity."""
    slip = promise(*rows(rng, 4000), precision=0.6, confidence=confidence)
    rarer = slip.check(*rows(rng, 20_000, share=0.03))
    assert rarer.precision.since is not None
    assert (rarer.recall.since, rarer.specificity.since) == (None, None)
    o, y = rows(rng, 20_000)
    as_before = slip.check(o, y)
    assert as_before.precision.since is None
    assert as_before.precision.found == Share(
        int(y[o > slip.threshold].sum()), int((o > slip.threshold).sum())
    )
    assert promise(*rows(rng, 4000), recall=0.6).check(o, y).precision is None


def test_rows_before_the_drift_do_not_hide_it_and_are_counted(rng):
    slip = promise(*rows(rng, 2000), recall=0.8)
    o, y = rows(rng, 6000)
    o[2000:] -= 3 * (y[2000:] == 1)
    since = slip.check(o, y).recall.since
    assert 2000 < since < 6000
    assert slip.check(o[: since - 1], y[: since - 1]).recall.since is None
    assert slip.check(o[:since], y[:since]).recall.since == since


def test_the_evidence_is_the_integral_that_is_written_down(rng):
    slip = promise(*rows(rng, 500), recall=0.8)
    p = slip.choice.recall.interval(0.975)[0]
    hits = [1, 0, 0, 1, 0]
    values = [slip.threshold + (1 if hit else -1) for hit in hits]
    values_of = []
    for n in range(1, 6):
        k = sum(hits[:n])
        of = np.polynomial.Polynomial([0, 1 / p]) ** k
        of *= np.polynomial.Polynomial([1 / (1 - p), -1 / (1 - p)]) ** (n - k)
        values_of.append(of.integ()(p) / p)
    found = slip.check(values, [1] * 5).recall
    assert found.evidence == pytest.approx(max(1, *values_of), rel=1e-6)
    assert found.found == Share(2, 5)


def test_the_promise_allows_for_a_threshold_that_was_chosen_on_the_same_rows():
    """The share above the k-th of n minority rows is Beta(n - k + 1, k), and so is the bound."""
    y = np.repeat([1, 0], [99, 400])
    slip = promise(np.arange(499.0)[::-1] - 250, y, recall=0.8)
    n, x = slip.choice.recall.total, slip.choice.recall.part
    check = slip.check([0.0], [1]).recall
    assert check.promised == pytest.approx(beta.ppf(0.0125, x, n - x + 1))


def test_nothing_later_breaks_nothing(rng):
    slip = promise(*rows(rng, 1000), recall=0.8)
    found = slip.check([0.0, 1.0], [0, 0])
    assert found.recall.found == Share(0, 0)
    assert not found.broken


def test_a_slip_comes_back_from_its_file(tmp_path, rng):
    o, y = rows(rng, 1000)
    slip = promise(o, y, recall=0.8, confidence=0.9)
    slip.write(tmp_path / "slip.json")
    assert Slip.read(tmp_path / "slip.json") == slip
    assert [path.name for path in tmp_path.iterdir()] == ["slip.json"]
    order = rng.permutation(o.size)
    assert promise(o[order], y[order], recall=0.8, confidence=0.9).digest == slip.digest
    assert promise(o + 1e-9, y, recall=0.8, confidence=0.9).digest != slip.digest
    assert slip.wish == {"recall": 0.8, "confidence": 0.9}


@pytest.mark.parametrize(
    "change",
    [
        lambda what: "{",
        lambda what: "[]",
        lambda what: "3",
        lambda what: json.dumps(what | {"slip": 2}),
        lambda what: json.dumps({k: v for k, v in what.items() if k != "choice"}),
        lambda what: json.dumps(what | {"choice": what["choice"] | {"recall": [5, 3]}}),
        lambda what: json.dumps(what | {"threshold": "high"}),
        lambda what: json.dumps(what | {"more": 1}),
    ],
)
def test_another_file_is_no_slip(change, tmp_path, rng):
    path = tmp_path / "slip.json"
    promise(*rows(rng, 1000), recall=0.8).write(path)
    path.write_text(change(json.loads(path.read_text())))
    with pytest.raises(ValueError, match="is not a promise slip"):
        Slip.read(path)


def test_a_slip_that_cannot_be_written_leaves_what_was_there(tmp_path, rng, monkeypatch):
    slip = promise(*rows(rng, 1000), recall=0.8)
    path = tmp_path / "slip.json"
    slip.write(path)
    before = path.read_bytes()
    monkeypatch.setattr("crcen.slip.os.replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        slip.write(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["slip.json"]


# Another prevalence


def test_at_the_prevalence_of_the_promise_nothing_changes(rng):
    o, y = rows(rng, 5000)
    slip = promise(o, y, cost_ratio=4.0)
    found, decided = slip.at(slip.prevalence), o > slip.threshold
    assert found.precision == pytest.approx(y[decided].mean())
    assert found.alarms == pytest.approx(decided.mean())
    assert found.threshold == pytest.approx(slip.threshold)
    assert found.price == pytest.approx(4.0)


def test_another_prevalence_is_what_later_rows_have(rng):
    slip = promise(*rows(rng, 50_000), cost_ratio=4.0)
    o, y = rows(rng, 50_000, share=0.3)
    found, decided = slip.at(0.3), o > slip.threshold
    assert_allclose([found.precision, found.alarms], [y[decided].mean(), decided.mean()], atol=0.03)
    best = o + logit(0.3) - logit(slip.prevalence) > -np.log(
        4
    )  # with the posterior of the new prior
    assert ((o > found.threshold) == best).all()
    p = promise(*rows(rng, 50_000), recall=0.8)
    assert p.at(0.3).threshold == p.threshold
    assert not slip.check(o, y, 1 - RARE).broken


def test_of_several_wishes_the_threshold_stays_and_none_is_lost(tmp_path, rng):
    o, y = rows(rng, 5000)
    wish = {"recall": 0.6, "precision": 0.2, "cost_ratio": 4.0, "capacity": 0.5}
    slip = promise(o, y, **wish)
    slip.write(tmp_path / "slip.json")
    assert Slip.read(tmp_path / "slip.json").wish == wish
    assert slip.at(0.3).threshold == slip.threshold
    assert slip.choice == choose_lam(o, y, **wish)
    assert slip.choice.precision == Share(y[o > slip.threshold].sum(), (o > slip.threshold).sum())
