"""Tests of crcen.row_costs, against all decisions that there are."""

from itertools import product

import numpy as np
import pytest
from conftest import SEED, Z
from numpy.testing import assert_allclose
from scipy.special import expit, logit

from crcen import choose_lam, prior_shift
from crcen.row_costs import decide_rows


@pytest.fixture
def rng():
    return np.random.default_rng(SEED)


@pytest.mark.parametrize("lam", [0.5, 0.9, 0.03])
def test_no_other_decisions_have_a_lower_expected_cost(lam, rng):
    q, costs = rng.uniform(size=8), 10 ** rng.uniform(-2, 2, 8)
    found = decide_rows(prior_shift(q, lam), costs, lam=lam, scores="probabilities")

    def expected(decisions):  # over all labels that the rows may have
        total = 0.0
        for labels in product((0, 1), repeat=8):
            y, d = np.array(labels), np.array(decisions)
            chance = np.prod(np.where(y == 1, q, 1 - q))
            total += chance * (costs[(y == 1) & (d == 0)].sum() + ((y == 0) & (d == 1)).sum())
        return total

    of_rows = [min(q[i] * costs[i], 1 - q[i]) for i in range(8)]
    assert_allclose(found.expected, of_rows, rtol=1e-9)
    least = expected(found.found)
    assert least == pytest.approx(sum(of_rows))
    for other in product((0, 1), repeat=8):
        assert sum(np.where(other, 1 - q, q * costs)) >= least - 1e-9


@pytest.mark.parametrize("scores", ["logits", "probabilities"])
def test_each_row_has_its_own_threshold_on_the_scores_as_they_are(scores, rng):
    o, costs = rng.normal(size=500) * 3, rng.exponential(5, 500)
    values = o if scores == "logits" else expit(o)
    found = decide_rows(values, costs, lam=0.8, scores=scores)
    np.testing.assert_array_equal(found.found, values > found.threshold)
    np.testing.assert_array_equal(found.found, expit(o - logit(0.8)) > 1 / (1 + costs))


def test_costs_that_are_all_one_are_a_cost_ratio(rng):
    y = np.repeat([1, 0], [100, 900])
    o = 2 * rng.normal(2.0 * y) - 2 + logit(0.1)
    found = decide_rows(o, np.full(1000, 7.0))
    choice = choose_lam(o, y, cost_ratio=7.0)
    assert found.found[y == 1].sum() == choice.recall.part
    assert found.cost(y) == 7 * (100 - choice.recall.part) + 900 - choice.specificity.part


def test_the_expected_cost_is_what_rows_come_to_and_one_threshold_costs_more(rng):
    n = 100_000
    q, costs = rng.beta(0.3, 2, n), rng.lognormal(1, 1.5, n)
    y = (rng.random(n) < q).astype(int)
    found = decide_rows(q, costs, scores="probabilities")
    spread = np.sqrt(np.sum(q * (1 - q) * np.where(found.found, 1, costs) ** 2))
    assert found.cost(y) == pytest.approx(found.expected.sum(), abs=Z * spread)
    one = decide_rows(q, np.full(n, costs.mean()), scores="probabilities")._replace(
        cost_ratio=costs
    )
    assert found.cost(y) < 0.9 * one.cost(y)


def test_what_costs_nothing_is_never_found():
    for values, scores in (([1.0, 0.5], "probabilities"), ([50.0, 1.0], "logits")):
        found = decide_rows(values, [0, 0], scores=scores)
        assert not found.found.any()
        assert found.expected.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cost_ratio": [1, -1]}, "cost_ratio=.* must be zero or more"),
        ({"cost_ratio": 3.0}, "cost_ratio=3.0 must be a vector"),
        ({"cost_ratio": []}, "cost_ratio is empty"),
        ({"cost_ratio": [1, 2, 3]}, "logits must hold one finite number for each of the 3"),
        ({"values": [0.1, 0.2]}, "as probabilities do"),
        ({"lam": 1.0}, "lam=1.0 is not a weight"),
    ],
)
def test_errors_name_the_parameter_and_the_remedy(change, message):
    with pytest.raises(ValueError, match=message):
        decide_rows(**{"values": [-1.0, 3.0], "cost_ratio": [1, 2]} | change)


def test_labels_must_be_one_for_each_decision():
    with pytest.raises(ValueError, match="y has 1 labels for 2 decisions"):
        decide_rows([-1.0, 3.0], [1, 2]).cost([1])
