"""Tests of crcen.study.statistics: intervals and paired tests, against closed forms and SciPy."""

import numpy as np
import pandas as pd
import pytest
from conftest import Z
from scipy import stats

from crcen.study.statistics import (
    above,
    below,
    block_correlation,
    corrected_t,
    critical_difference,
    each_within,
    excess,
    excess_of_splits,
    half_width,
    holm,
    one_more,
    sd,
    sign_flip,
    within,
)


def test_equal_values_have_no_spread_to_the_last_digit():
    values = [0.1] * 3  # whose mean is 0.10000000000000002
    assert np.std(values, ddof=1) != 0
    assert sd(values) == 0
    assert sd([1, 2, 4]) == pytest.approx(np.std([1, 2, 4], ddof=1))
    assert np.isnan([sd([1.0]), sd([])]).all()


def test_a_test_of_equal_differences_finds_nothing():
    tested = corrected_t(pd.Series([0.1] * 3), test_size=0.25)
    assert tested._asdict() == pytest.approx({"mean": 0.1, "half": 0, "p": 1})


def test_the_corrected_test_is_the_t_test_with_a_wider_interval():
    d = pd.Series([0.1, -0.2, 0.3, 0.25, 0.05])
    plain = stats.ttest_1samp(d, 0)
    tested = corrected_t(d, test_size=1e-12)  # nothing overlaps
    assert tested.p == pytest.approx(plain.pvalue)
    assert tested.half == pytest.approx(plain.confidence_interval().high - d.mean())
    wider = corrected_t(d, test_size=0.25).half / tested.half
    assert wider == pytest.approx(((1 / 5 + 1 / 3) / (1 / 5)) ** 0.5)


def test_a_split_without_a_score_is_no_difference():
    d = pd.Series([0.1, np.nan, 0.3])
    assert corrected_t(d) == pytest.approx(corrected_t(d.dropna()))


def test_p_values_are_adjusted_in_their_order():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_one_more_value_falls_into_its_interval_as_often_as_it_says(seed):
    rng, n = np.random.default_rng(seed), 4000
    samples = rng.normal(3, 2, (n, 6))
    found = [one_more(pd.Series(row[:5])) for row in samples]
    inside = [low <= row[5] <= high for row, (_, low, high) in zip(samples, found, strict=True)]
    assert abs(np.mean(inside) - 0.95) < Z * np.sqrt(0.95 * 0.05 / n)


def test_one_value_has_no_interval():
    assert np.isnan(half_width(pd.Series([1.0, np.nan])))


def scores(rng, between, n_sets=300):
    """Five runs of four splits; those of a run share a part with this deviation."""
    index = pd.MultiIndex.from_product(
        [range(n_sets), ["CRCEN"], range(5), range(4)], names=["dataset", "method", "run", "split"]
    )
    shared = np.repeat(rng.normal(0, between, n_sets * 5), 4)
    return pd.Series(shared + rng.normal(size=len(index)), index).droplevel("split")


def test_runs_that_differ_by_their_splits_only_have_the_excess_that_is_foretold(seed):
    rng = np.random.default_rng(seed)
    assert excess(scores(rng, 0)) == pytest.approx(excess_of_splits(5, 4), rel=0.25)
    assert excess(scores(rng, 2)) > 2 * excess_of_splits(5, 4)


@pytest.mark.parametrize(("k", "q"), [(2, 1.960), (4, 2.569), (8, 3.031), (10, 3.164)])
def test_the_critical_difference_is_that_of_the_table(k, q):
    # Table 5a of Demsar (2006), which gives three digits.
    expected = q * np.sqrt(k * (k + 1) / (6 * 10))
    assert critical_difference(k, 10) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.01, 0.04, True),
        (0.06, 0.08, False),
        (-0.08, -0.05, False),
        (0.04, 0.06, None),
        (-9, 9, None),
        (np.nan, 0.01, None),
        (0.01, np.nan, None),
    ],
)
def test_equivalence_is_shown_by_an_interval_inside_the_margin_alone(low, high, expected):
    assert within(low, high, 0.05) is expected


def test_the_interval_of_90_percent_is_two_one_sided_tests_at_5(seed):
    rng = np.random.default_rng(seed)
    for _ in range(50):
        d = rng.normal(rng.uniform(-0.2, 0.2), 0.2, size=10)
        low, high = stats.ttest_1samp(d, 0).confidence_interval(0.9)
        upper = stats.ttest_1samp(d, 0.1, alternative="less").pvalue
        lower = stats.ttest_1samp(d, -0.1, alternative="greater").pvalue
        assert (within(low, high, 0.1) is True) == (max(upper, lower) < 0.05)


def test_each_of_several_is_decided_as_one_alone():
    values, halves = np.array([0.01, 0.08, 0.04, np.nan]), np.array([0.02, 0.01, 0.02, 0.01])
    alone = [within(v - h, v + h, 0.05) for v, h in zip(values, halves, strict=True)]
    assert each_within(values, halves, 0.05) == alone == [True, False, None, None]


def test_below_is_above_upside_down():
    assert below(-2, -1, 0) is True
    assert below(0, 2, 0) is False
    assert below(-1, 1, 0) is None


def test_the_ends_are_those_of_the_interval():
    d = pd.Series([0.1, 0.2, 0.3])
    found = corrected_t(d, test_size=0.0, level=0.9)
    assert found.ends == pytest.approx(stats.ttest_1samp(d, 0).confidence_interval(0.9))


def test_an_interval_decides_only_if_it_does_not_reach_over_the_limit():
    assert above(1, 2, 0) is True
    assert above(-2, 0, 0) is False
    assert above(-1, 1, 0) is None
    assert above(np.nan, np.nan, 0) is None


# Exact tests over independent units


def test_sign_flip_is_the_sign_test_of_equal_sizes(seed):
    rng = np.random.default_rng(seed)
    for k in (1, 4, 9):
        d = rng.choice([-1.0, 1.0], k)
        positive = int((d > 0).sum())
        assert sign_flip(d) == pytest.approx(stats.binom.sf(positive - 1, k, 0.5))


def test_sign_flip_is_scipys_permutation_test(seed):
    d = np.random.default_rng(seed).normal(0.3, 1, 8)
    expected = stats.permutation_test(
        (d,), lambda x, axis: x.sum(axis), permutation_type="samples", alternative="greater"
    )
    assert sign_flip(d) == pytest.approx(expected.pvalue)
    assert sign_flip([*d, np.nan]) == sign_flip(d)


def test_sign_flip_without_a_difference_tells_nothing():
    assert sign_flip([]) == sign_flip([0.0, 0.0]) == 1


def test_block_correlation_of_single_cells_is_scipys(seed):
    x, y = np.random.default_rng(seed).normal(size=(2, 6))
    rho, p = block_correlation(x[:, None], y[:, None])
    assert rho == pytest.approx(stats.spearmanr(x, y).statistic)
    exact = stats.permutation_test(
        (x,),
        lambda x: stats.spearmanr(x, y).statistic,
        permutation_type="pairings",
        alternative="less",
        n_resamples=np.inf,
    )
    assert p == pytest.approx(exact.pvalue)


# Six cells of a line are no six witnesses: copies of a cell leave the p-value where it was.
def test_block_correlation_counts_lines_and_not_cells(seed):
    x, y = np.random.default_rng(seed).normal(size=(2, 5, 1))
    single = block_correlation(x, y)
    assert block_correlation(np.repeat(x, 6, axis=1), np.repeat(y, 6, axis=1)) == pytest.approx(
        single
    )
    assert block_correlation(np.arange(6).reshape(3, 2), -np.arange(6).reshape(3, 2))[1] == 1 / 6


def test_block_correlation_leaves_out_what_is_not_there():
    x = np.array([[1.0, 5], [2, 6], [3, np.nan], [4, 8]])
    y = np.array([[8.0, np.nan], [7, 4], [6, 3], [5, 1]])
    rho, _ = block_correlation(x, y)
    both = ~(np.isnan(x) | np.isnan(y))
    assert rho == pytest.approx(stats.spearmanr(x[both], y[both]).statistic)
    nothing = block_correlation(np.full((3, 2), np.nan), np.ones((3, 2)))
    assert np.isnan(nothing[0])
    assert nothing[1] == 1
