"""Tests of crcen.audit and Proposition 18: the weight that was given is found, as often as said."""

import numpy as np
import pytest
from conftest import RARE, SEED, Z
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import expit, logit
from scipy.stats import binom
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from crcen import CRCENClassifier, audit, key_equation, prior_shift
from crcen.choice import Share
from crcen.theory.simulations import sim1

SAMPLES = 4000  # so many that what chance allows for lies within 93% and 97%


@pytest.fixture
def rng():
    return np.random.default_rng(SEED)


def keeps_its_word(held, samples):
    """Whether a count is one that intervals which hold the truth in 95% may have."""
    low, high = binom.ppf([RARE, 1 - RARE], samples, 0.95)
    return low <= held <= high


def draw(rng, n, alpha=1.0):
    """Rows of a population with random labels, and the probabilities of its best model at alpha."""
    y = (rng.random(n) < 0.1).astype(int)
    x = rng.normal(size=n) + 2 * y  # log-likelihood ratio 2 x - 2
    return y, expit(2 * x - 2 + np.log(alpha))


@given(st.floats(0.02, 0.98), st.integers(0, 100))
def test_on_training_rows_the_weight_is_found_exactly(lam, seed):
    X, y = sim1(20, 100, np.random.default_rng(seed))
    model = CRCENClassifier((), lam=lam, random_state=0).fit(X, y)
    p = model.predict_proba(X)[:, 1]
    assert audit(y, p).lam == pytest.approx(lam, abs=1e-4)
    found = audit(y, p, train=(20, 100))
    assert found.lam == pytest.approx(lam, abs=1e-4)
    assert found.alpha == pytest.approx(found.weight / 5)


def test_the_weight_solves_the_key_equation(rng):
    y, p = draw(rng, 500)
    assert key_equation(y, p, audit(y, p).lam).residual == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("alpha", "samples"),
    [(1 / 9, 200), (9.0, 200), pytest.param(1.0, SAMPLES, marks=pytest.mark.slow)],
)
def test_the_interval_of_random_rows_holds_the_truth_in_95_of_100(alpha, samples, rng):
    truth = alpha * 9 / (1 + alpha * 9)
    ends = np.array([audit(*draw(rng, 1500, alpha)).interval() for _ in range(samples)])
    held = ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).sum()
    assert keeps_its_word(held, samples)


def test_chance_alone_leaves_93_to_97_of_100():
    assert not keeps_its_word(0.93 * SAMPLES, SAMPLES)
    assert not keeps_its_word(0.97 * SAMPLES, SAMPLES)


@pytest.mark.slow
def test_the_interval_allows_for_the_training_rows(rng):
    """Both samples are drawn anew each time, with class counts that differ from each other."""
    held = np.zeros(2)
    for _ in range(SAMPLES):
        X, y = sim1(150, 1500, rng)
        model = LogisticRegression(class_weight="balanced", C=np.inf).fit(X, y)
        X, y = sim1(300, 600, rng)
        found = audit(y, model.predict_proba(X)[:, 1], train=(150, 1500))
        low, high = found.interval()
        held += low <= 10 / 11 <= high, "balanced" in found.names()
    assert held[0] == held[1]
    assert keeps_its_word(held[0], SAMPLES)


@pytest.mark.parametrize(
    ("power", "name"), [(0, "none"), (1, "balanced"), (2, "balanced twice"), (0.5, None)]
)
def test_the_usual_weights_are_named(power, name, rng):
    y, p = draw(rng, 20_000, 9.0 ** (power - 1))
    assert audit(y, p).names(1 - RARE) == ((name,) if name else ())


def test_a_few_rows_name_several_weights():
    found = audit([1, 0, 0], [0.6, 0.3, 0.4])
    assert found.names() == ("none", "balanced", "balanced twice")


def test_shifting_back_takes_the_weight_out(rng):
    y, p = draw(rng, 20_000)
    found = audit(y, p)
    assert_allclose(found.shift_back(p), prior_shift(p, 1 - found.lam))
    assert found.shift_back(p).sum() == pytest.approx(y.sum(), rel=0.05)
    assert found.announced == pytest.approx(p.sum())
    back = audit(y, found.shift_back(p))
    assert abs(logit(back.lam)) < Z * back.spread


def test_the_line_tells_a_weight_from_overfitting(rng):
    y, p = draw(rng, 20_000)
    weighted = audit(y, p).line
    assert weighted.slope == pytest.approx(1, abs=4 * weighted.slope_error)
    assert weighted.intercept == pytest.approx(-np.log(9), abs=4 * weighted.intercept_error)
    bold = audit(y, expit(2 * logit(p))).line
    assert bold.slope == pytest.approx(weighted.slope / 2, rel=1e-3)
    assert bold.slope_error == pytest.approx(weighted.slope_error / 2, rel=1e-3)


def test_the_errors_of_the_line_are_those_of_statsmodels(rng):
    import statsmodels.api as sm

    y, p = draw(rng, 2000)
    fit = sm.Logit(y, sm.add_constant(logit(p))).fit(disp=0)
    line = audit(y, p).line
    assert_allclose(line[:2], fit.params, rtol=1e-3)
    assert_allclose(line[2:], fit.bse, rtol=1e-3)


def test_boosting_with_sample_weights_shows_its_weight(rng):
    X, y = sim1(1000, 10_000, rng)
    model = HistGradientBoostingClassifier(max_iter=50, min_samples_leaf=50, random_state=0)
    model.fit(X, y, np.where(y == 1, 5, 1))
    X, y = sim1(1000, 10_000, rng)
    low, high = audit(y, model.predict_proba(X)[:, 1], train=(1000, 10_000)).interval(0.999)
    assert low <= 5 / 6 <= high


def test_what_is_found_at_one_half_is_counted():
    found = audit([1, 1, 0, 0, 0], [0.9, 0.5, 0.6, 0.2, 0.1])
    assert (found.recall, found.specificity) == (Share(1, 2), Share(2, 3))


def test_certain_rows_are_counted_and_left_out_of_the_line(rng):
    y, p = draw(rng, 500)
    more = audit([*y, 1, 0, 0], [*p, 1.0, 0.0, 1.0])
    assert more.certain == 3
    assert_allclose(more.line, audit(y, p).line)
    assert more.lam == pytest.approx(1 / (1 + (1 - p[y == 1]).sum() / (1 + p[y == 0].sum())))
    assert np.isnan(audit([1, 0, 0, 0], [0.5, 0.0, 0.0, 1.0]).line).all()


def test_classes_that_do_not_overlap_leave_the_line_without_a_slope_to_believe():
    line = audit([0, 0, 0, 1, 1], [0.1, 0.2, 0.3, 0.8, 0.9]).line
    assert line.slope > 1
    assert line.slope_error > line.slope


@pytest.mark.parametrize("train", [None, (2, 2)])
@pytest.mark.parametrize(("p", "lam"), [([1, 1, 0.5, 0], 1.0), ([0.5, 1, 0, 0], 0.0)])
def test_a_class_that_is_certain_leaves_every_weight_possible(p, lam, train):
    found = audit([1, 1, 0, 0], p, train=train)
    assert found.lam == lam
    assert found.interval() == (0, 1)
    assert found.names() == ("none", "balanced", "balanced twice")
    with pytest.raises(ValueError, match="cannot be taken out"):
        found.shift_back(p)


def test_one_probability_for_all_rows_is_no_weight(rng):
    y = (rng.random(1000) < 0.1).astype(int)
    found = audit(y, np.full(1000, 0.1))
    assert abs(logit(found.lam)) < Z * found.spread
    assert np.isnan(found.line).all()


@pytest.mark.parametrize(
    ("y", "p", "train", "message"),
    [
        ([0, 0], [0.1, 0.2], None, "both classes"),
        ([0, 1], [0.1, 2.0], None, "probability"),
        ([0, 1], [-3.0, 2.0], None, "probability"),
        ([0, 1], [0.1], None, "p "),
        ([0, 1], [0, 1], None, "any weight brings about"),
        ([0, 1], [0.1, 0.2], 5, "two counts"),
        ([0, 1], [0.1, 0.2], (1, 2, 3), "two counts"),
        ([0, 1], [0.1, 0.2], (0, 5), "train"),
    ],
)
def test_what_cannot_be_audited_is_said(y, p, train, message):
    with pytest.raises(ValueError, match=message):
        audit(y, p, train=train)


def test_a_level_is_checked():
    with pytest.raises(ValueError, match="level"):
        audit([1, 0], [0.5, 0.4]).interval(1.5)
