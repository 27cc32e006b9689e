"""Tests of crcen.ranking: the area beside scikit-learn's, its error beside closed forms."""

import numpy as np
import pytest
from conftest import RARE, SEED
from scipy.stats import binom, norm
from sklearn.metrics import roc_auc_score

from crcen.ranking import area

N = 4000


@pytest.fixture
def rows():
    rng = np.random.default_rng(SEED)
    y = (rng.random(N) < 0.1).astype(int)
    return rng, y


def test_the_area_is_scikit_learns_ties_among_the_scores(rows):
    rng, y = rows
    for o in (rng.normal(y), rng.normal(y).round(), np.zeros(N)):
        assert area(o, y).value == pytest.approx(roc_auc_score(y, o))


def test_of_noise_the_error_is_that_of_mann_and_whitney(rows):
    rng, y = rows
    found = area(rng.normal(size=N), y)
    n1, n0 = y.sum(), (1 - y).sum()
    error = (found.high - found.low) / (2 * norm.ppf(0.975))
    assert error == pytest.approx(np.sqrt((n1 + n0 + 1) / (12 * n1 * n0)), rel=0.1)


def test_a_row_that_is_there_twice_counts_once_if_the_two_are_a_group(rows):
    rng, y = rows
    o = rng.normal(y)
    twice = area(np.tile(o, 2), np.tile(y, 2), groups=np.tile(np.arange(N), 2))
    assert tuple(twice) == pytest.approx(tuple(area(o, y)), abs=1e-4)


def test_the_interval_holds_the_area_of_two_normals():
    rng = np.random.default_rng(SEED)
    y = np.repeat([1, 0], [50, 400])
    true = norm.cdf(1 / np.sqrt(2))
    held = 0
    for _ in range(300):
        found = area(rng.normal(y), y, level=0.9)
        held += found.low <= true <= found.high
    assert binom.cdf(held, 300, 0.89) > RARE  # the normal is near with 50 rows, and not exact
    assert binom.sf(held - 1, 300, 0.91) > RARE


def test_an_interval_is_finite_at_a_level_that_halves_to_one():
    y = np.repeat([1, 0], 6)
    assert tuple(area(y, y, level=1 - 1e-16)) == (1, 1, 1)
    assert np.isfinite(area(np.arange(12) % 4, y, level=1 - 1e-16)).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"y": [1, 1, 1]}, "y has 3 rows of one class only"),
        ({"scores": [1.0, 2.0]}, "scores"),
        ({"scores": [1.0, 2.0, np.nan]}, "scores"),
        ({"level": 1.0}, "level=1.0"),
    ],
)
def test_what_ranks_nothing_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        area(**({"scores": [1.0, 2.0, 3.0], "y": [0, 0, 1]} | given))
