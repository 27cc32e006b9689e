"""Tests of crcen.prevalence: the maximum that EM climbs to, and an error that it keeps to."""

import numpy as np
import pytest
from conftest import RARE, SEED
from scipy.special import expit
from scipy.stats import binom

from crcen.prevalence import prevalence


def drawn(rng, n, share):
    """Probabilities of new rows that are calibrated where a tenth is the minority."""
    x = rng.normal(2.0 * (rng.random(n) < share))
    return expit(2 * x - 2 - np.log(9))


def by_em(p, prior):
    """Saerens et al., Eq. 2.9, from their start."""
    q = prior
    for _ in range(20_000):
        up, down = q / prior * p, (1 - q) / (1 - prior) * (1 - p)
        q = np.mean(up / (up + down))
    return q


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.95])
def test_it_is_where_em_ends(share):
    p = drawn(np.random.default_rng(SEED), 500, share)
    assert prevalence(p, 0.1).value == pytest.approx(by_em(p, 0.1), abs=1e-3)


def test_its_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(SEED)
    held = 0
    for _ in range(400):
        low, high = prevalence(drawn(rng, 1000, 0.3), 0.1).interval()
        held += low <= 0.3 <= high
    assert binom.ppf(RARE, 400, 0.94) <= held <= binom.ppf(1 - RARE, 400, 0.96)


@pytest.mark.parametrize(
    ("p", "value"), [([0.01, 0.02], 0), ([0.9, 0.95], 1), ([0.0], 0), ([1.0], 1)]
)
def test_a_share_can_be_at_an_end(p, value):
    assert prevalence(p, 0.1).value == value


def test_rows_that_tell_nothing_have_no_error_to_believe():
    found = prevalence([0.1, 0.1], 0.1)
    assert found.error == np.inf
    assert found.interval() == (0, 1)


@pytest.mark.parametrize(
    ("p", "prior", "message"),
    [([], 0.1, "p is empty"), ([0.5], 0.0, "prior=0.0"), ([-3.0], 0.1, "p="), ([[0.5]], 0.1, "p=")],
)
def test_what_cannot_be_estimated_is_said(p, prior, message):
    with pytest.raises(ValueError, match=message):
        prevalence(p, prior)
