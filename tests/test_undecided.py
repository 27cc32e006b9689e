"""Tests of crcen.undecided, against populations whose shares are known."""

import numpy as np
import pytest
from conftest import RARE, SEED
from scipy.special import expit
from scipy.stats import binom, norm

from crcen import choose_lam
from crcen.undecided import triage


def random_rows(rng, n, share=0.2):
    """Log-likelihood ratios and labels of rows as they come, at a distance of 2."""
    y = (rng.random(n) < share).astype(int)
    return 2 * rng.normal(2.0 * y) - 2, y


def true_shares(cut, share=0.2):
    """What lies above a cut in the population: of the minority, and of all that is minority."""
    recall, false = norm.sf((cut - 2) / 2), norm.sf((cut + 2) / 2)
    return recall, share * recall / (share * recall + (1 - share) * false)


@pytest.fixture
def rng():
    return np.random.default_rng(SEED)


def test_the_shares_are_counts_of_rows(rng):
    r, y = random_rows(rng, 2000)
    found = triage(r, y, recall=0.95, precision=0.8, capacity=0.12, lam="balanced")
    low, high = (-np.log(choice.alpha) for choice in found)
    assert low < high
    between, below = (r > low) & (r <= high), r <= low
    assert found.undecided == (between.sum(), 2000)
    assert found.missed == ((below & (y == 1)).sum(), y.sum())
    assert found.cleared == ((below & (y == 0)).sum(), below.sum())
    assert found.accept.precision == (y[r > high].sum(), (r > high).sum())
    assert found.missed.value <= 0.05
    assert found.accept.precision.value >= 0.8
    assert (r > high).mean() <= 0.12


def test_both_thresholds_keep_their_wish_in_the_population_as_often_as_said(rng):
    dismissed, right, held = 0, 0, 0
    for _ in range(200):
        r, y = random_rows(rng, 3000)
        found = triage(r, y, recall=0.9, precision=0.7, confidence=0.8, lam="balanced")
        low, high = (-np.log(choice.alpha) for choice in found)
        dismissed += true_shares(low)[0] >= 0.9
        right += true_shares(high)[1] >= 0.7
        of_class = [norm.cdf((high - m) / 2) - norm.cdf((low - m) / 2) for m in (2, -2)]
        least, most = found.undecided.interval()
        held += least <= 0.2 * of_class[0] + 0.8 * of_class[1] <= most
    assert dismissed >= binom.ppf(RARE, 200, 0.8)
    assert right >= binom.ppf(RARE, 200, 0.8)
    assert held >= binom.ppf(RARE, 200, 0.95)


@pytest.mark.parametrize("wish", [{"precision": 0.3}, {"capacity": 0.7}, {"expense": 100.0}])
def test_what_one_threshold_keeps_is_left_to_one(wish, rng):
    r, y = random_rows(rng, 1000)
    found = triage(r, y, recall=0.5, **wish, lam="balanced")
    assert found.undecided.part == 0
    assert found.accept == found.dismiss == choose_lam(r, y, **wish, lam="balanced")
    assert found.dismiss.recall.value >= 0.5


@pytest.mark.parametrize("wish", [{"precision": 0.9}, {"capacity": 0.02}, {"expense": 0.2}])
def test_each_threshold_is_what_its_wish_alone_asks_for(wish, rng):
    r, y = random_rows(rng, 1000)
    found = triage(expit(r), y, recall=0.95, **wish, lam="balanced", scores="probabilities")
    assert found.undecided.part > 0
    assert found.dismiss.recall == choose_lam(r, y, recall=0.95, lam="balanced").recall
    assert found.accept.recall == choose_lam(r, y, **wish, lam="balanced").recall


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"recall": 0.9}, "no wish for the alarms: give precision, expense or capacity"),
        ({"recall": None, "precision": 0.9}, "recall=None must be a number"),
        ({"recall": 0.9, "precision": 1.9}, "precision=1.9 must be strictly between 0 and 1"),
    ],
)
def test_errors_name_the_parameter_and_the_remedy(wishes, message, rng):
    with pytest.raises(ValueError, match=message):
        triage(*random_rows(rng, 100), **wishes)
