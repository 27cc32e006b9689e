"""Tests of crcen.study.meta, against statsmodels, SciPy, metafor's figures and closed forms."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from conftest import RARE
from scipy import linalg, stats
from statsmodels.stats.meta_analysis import combine_effects

from crcen.study.meta import (
    effects,
    equivalence,
    meta_regression,
    random_effects,
    ranks,
    steadied,
    wins,
    without_model,
)
from crcen.study.statistics import corrected_t, critical_difference, holm, sign_flip

# The optimiser stops when the likelihood is flat to nine digits: a variance then is told to four.
CLOSE = {"rel": 1e-4, "abs": 1e-6}
COUNTLESS = 10**9  # splits: nothing is drawn to the median variance


def differences(family, mean, variance=0.01, splits=COUNTLESS):
    index = pd.Index([f"set {i}" for i in range(len(mean))], name="dataset")
    columns = {"family": family, "mean": mean, "variance": variance, "splits": splits}
    return pd.DataFrame(columns, index=index)


def drawn(rng, sizes, of_family, of_set, variance=0.01, mean=0.0):
    """Differences of families of these sizes; the variances of sets are known."""
    family = np.repeat(np.arange(len(sizes)), sizes)
    n = len(family)
    variance = np.broadcast_to(variance, n)
    deviation = np.sqrt(of_set**2 + variance) * rng.normal(size=n)
    y = mean + of_family * rng.normal(size=len(sizes))[family] + deviation
    return differences(family, y, variance)


def long(values, methods):
    """Make a table of scores with a row a cell from an array (sets, methods, splits)."""
    names = ["dataset", "method", "split"]
    index = pd.MultiIndex.from_product(
        [[f"set {i}" for i in range(len(values))], methods, range(values.shape[2])], names=names
    )
    return pd.Series(values.ravel(), index, name="f1").reset_index()


# The differences of data sets


def test_an_effect_is_what_the_corrected_test_finds(seed):
    scored = long(np.random.default_rng(seed).normal(size=(3, 2, 10)), ["A", "B"])
    found = effects(scored, "f1", "A", "B")
    for name, row in found.iterrows():
        of = scored[scored["dataset"] == name].pivot_table("f1", "split", "method")
        expected = corrected_t(of["A"] - of["B"])
        assert row["mean"] == pytest.approx(expected.mean)
        assert stats.t.ppf(0.975, 9) * row["variance"] ** 0.5 == pytest.approx(expected.half)
    back = effects(scored, "f1", "B", "A")
    assert back["mean"].to_numpy() == pytest.approx(-found["mean"].to_numpy())


def test_only_splits_with_both_methods_are_compared():
    values = np.zeros((3, 2, 3))
    values[:, 0] = [1, 2, 3]
    values[0, 0, 2] = values[1, 1, :2] = values[2, 0] = np.nan
    scored = long(values, ["A", "B"])
    scored = scored[~((scored["dataset"] == "set 1") & (scored["split"] == 0))]
    found = effects(scored, "f1", "A", "B", {"set 0": "x", "set 1": "x"})
    assert found["splits"].to_dict() == {"set 0": 2, "set 1": 1}
    assert found["mean"].tolist() == [1.5, 3]
    assert found["family"].tolist() == ["x", "x"]
    assert found["variance"].to_list() == pytest.approx(
        [0.5 * (1 / 2 + 1 / 3), np.nan], nan_ok=True
    )
    assert effects(scored, "f1", "A", "never run").empty


def test_what_cannot_be_paired_is_refused():
    scored = long(np.zeros((1, 2, 2)), ["A", "B"])
    with pytest.raises(ValueError, match="several rows of a dataset, split and method"):
        effects(pd.concat([scored, scored]), "f1", "A", "B")
    with pytest.raises(ValueError, match=r"families lacks \['set 0'\]"):
        effects(scored, "f1", "A", "B", {})


def test_a_variance_of_zero_is_not_taken_at_its_word():
    found = differences(list("abcd"), [0.0] * 4, [0, 1, 3, np.nan], [10, 10, 10, 1])
    assert steadied(found).tolist() == pytest.approx([0.2, 1.1, 2.9, 2])
    assert not steadied(found.assign(variance=0.0)).any()


def test_a_tie_on_all_splits_does_not_decide_alone():
    y = [0.1, 0.11, 0.09, 0.1, 0.12, 0.08, 0.1, 0.08]
    variance = [4e-3] * 7 + [0.0]
    found = differences(range(8), y, variance, splits=10)
    pooled = random_effects(found, weighed=True)
    weights = [1] * 7 + [10]  # the tie counts as ten sets, not as all
    assert pooled.tau_family == 0
    assert pooled.mean == pytest.approx(np.average(y, weights=weights))
    # Unless asked for, no set weighs more than another.
    assert random_effects(found).mean == pytest.approx(np.mean(y))


# The random-effects model

# Konstantopoulos (2011), Table 1 of doi:10.1002/jrsm.35: district, differences in hundredths,
# variances in thousandths.
DISTRICTS = {
    11: ([-18, -22, 23, -30], [118, 118, 144, 144]),
    12: ([13, -26, 19, 32], [14, 14, 15, 24]),
    18: ([45, 38, 29], [23, 43, 12]),
    27: ([16, 65, 36, 60], [20, 4, 4, 7]),
    56: ([8, 4, 19, -6], [19, 7, 5, 4]),
    58: ([-18, 0, 0, -28, -4, -30, 7, 0, 5, -8, -9], [20, 18, 19, 22, 20, 21, 6, 7, 7, 7, 7]),
    71: ([30, 98, 119], [15, 11, 10]),
    86: ([-7, -5, -1, 2, -3, 0, 1, -10], [1] * 8),
    91: ([50, 66, 20, 0, 5, 7], [10, 11, 10, 9, 13, 13]),
    108: ([-52, 70, -3, 27, -34], [31, 31, 30, 30, 30]),
    644: ([12, 61, 4, -5], [87, 82, 67, 67]),
}
SCHOOLS = differences(
    np.repeat(list(DISTRICTS), [len(y) for y, _ in DISTRICTS.values()]),
    np.concatenate([y for y, _ in DISTRICTS.values()]) / 100,
    np.concatenate([v for _, v in DISTRICTS.values()]) / 1000,
)


def test_the_model_is_that_of_metafor():
    # Its own tests (test_analysis_example_konstantopoulos2011.r) have these figures, to 3 digits.
    pooled = random_effects(SCHOOLS, weighed=True)
    assert (pooled.n_sets, pooled.n_families) == (56, 11)
    assert pooled.mean == pytest.approx(0.185, abs=5e-4)
    assert pooled.tau_family**2 == pytest.approx(0.065, abs=5e-4)
    assert pooled.tau_set**2 == pytest.approx(0.033, abs=5e-4)
    alone = random_effects(SCHOOLS.assign(family=range(56)), weighed=True)
    assert (alone.mean, alone.se) == pytest.approx((0.128, 0.044), abs=5e-4)
    assert alone.tau_family**2 == pytest.approx(0.088, abs=5e-4)
    assert alone.tau_set == 0


def test_the_standard_error_is_that_of_bell_and_mccaffrey():
    # Their definition, with whole matrices and another root: A = D^T (D B D^T)^(-1/2) D.
    pooled = random_effects(SCHOOLS, weighed=True)
    y, X = SCHOOLS["mean"].to_numpy(), np.ones((56, 1))
    same = np.equal.outer(SCHOOLS["family"].to_numpy(), SCHOOLS["family"].to_numpy())
    V = np.diag(SCHOOLS["variance"] + pooled.tau_set**2) + pooled.tau_family**2 * same
    W = np.linalg.inv(V)
    M = np.linalg.inv(X.T @ W @ X)
    I_H = np.eye(56) - X @ M @ X.T @ W
    G = []
    for family in DISTRICTS:
        rows = SCHOOLS["family"].to_numpy() == family
        D = linalg.cholesky(V[rows][:, rows])
        B = D @ (I_H @ V @ I_H.T)[rows][:, rows] @ D.T
        A = D.T @ np.linalg.inv(linalg.sqrtm(B)).real @ D
        G.append((I_H[rows].T @ A.T @ W[rows][:, rows] @ X[rows] @ M)[:, 0])
    Q = np.array(G) @ V @ np.array(G).T
    assert pooled.se**2 == pytest.approx(((np.array(G) @ y) ** 2).sum())
    assert pooled.df == pytest.approx(np.trace(Q) ** 2 / (Q**2).sum())
    # So made that it is the model's variance where the model is right.
    assert np.trace(Q) == pytest.approx(M[0, 0])


def test_a_balanced_design_is_an_analysis_of_variance(seed):
    rng = np.random.default_rng(seed)
    found = drawn(rng, [4] * 12, 1.0, 0.7)
    table = found["mean"].to_numpy().reshape(12, 4)
    means = table.mean(axis=1)
    between, inside = 4 * means.var(ddof=1), table.var(axis=1, ddof=1).mean()
    pooled = random_effects(found, level=0.9)
    assert pooled.mean == pytest.approx(means.mean())
    assert pooled.se == pytest.approx(stats.sem(means), rel=1e-6)
    assert pooled.df == pytest.approx(11)
    assert pooled.tau_set**2 == pytest.approx(inside - 0.01, **CLOSE)
    assert pooled.tau_family**2 == pytest.approx((between - inside) / 4, **CLOSE)
    expected = stats.ttest_1samp(means, 0)
    assert pooled.p == pytest.approx(expected.pvalue)
    assert (pooled.low, pooled.high) == pytest.approx(tuple(expected.confidence_interval(0.9)))
    new = stats.t.ppf(0.95, 10) * np.sqrt(
        stats.sem(means) ** 2 + inside - 0.01 + (between - inside) / 4
    )
    assert pooled.new_high - pooled.mean == pytest.approx(new, **CLOSE)
    assert pooled.mean - pooled.new_low == pytest.approx(new, **CLOSE)


def test_equal_variances_and_unequal_families_are_statsmodels_mixed_model(seed):
    found = drawn(np.random.default_rng(seed), [1, 2, 3, 4, 5, 6, 2, 3, 4, 5] * 2, 1.0, 0.7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of any optimiser that fails, and tries the next
        mixed = sm.MixedLM(found["mean"], np.ones(len(found)), found["family"]).fit(
            reml=True, method=["bfgs", "powell"]
        )
    pooled = random_effects(found)
    # Its likelihood is as flat at the best point as ours, and its optimiser stops sooner.
    assert pooled.mean == pytest.approx(mixed.fe_params.iloc[0], abs=1e-3)
    assert pooled.tau_family == pytest.approx(mixed.cov_re.iloc[0, 0] ** 0.5, abs=3e-3)
    assert pooled.tau_set == pytest.approx((mixed.scale - 0.01) ** 0.5, abs=3e-3)


def test_families_of_one_set_are_statsmodels_meta_analysis(seed):
    # With equal variances REML and the moments of DerSimonian and Laird are one.
    rng = np.random.default_rng(seed)
    found = drawn(rng, [1] * 15, 0.5, 0.5)
    theirs = combine_effects(found["mean"].to_numpy(), found["variance"].to_numpy(), method_re="dl")
    pooled = random_effects(found)
    assert pooled.mean == pytest.approx(theirs.mean_effect_re)
    assert pooled.tau_family**2 == pytest.approx(theirs.tau2, **CLOSE)
    assert pooled.se == pytest.approx(theirs.sd_eff_w_re_hksj, rel=1e-6)
    # Without a deviation of sets it is the mean weighted by the variances alone.
    variance = rng.uniform(0.5, 2, 15)
    alike = differences(range(15), 0.01 * rng.normal(size=15), variance)
    theirs = combine_effects(alike["mean"].to_numpy(), variance)
    pooled = random_effects(alike, weighed=True)
    assert (pooled.tau_family, pooled.tau_set) == (0, 0)
    assert pooled.mean == pytest.approx(theirs.mean_effect_fe)


def test_the_likelihood_is_highest_where_it_is_said_to_be(seed):
    rng = np.random.default_rng(seed)
    for of_family, of_set in ((0, 0), (0.2, 0), (0, 0.2), (0.2, 0.2)):
        found = drawn(rng, [1, 1, 2, 3, 5, 8], of_family, of_set, rng.gamma(1, 0.05, 20))
        pooled = random_effects(found, weighed=True)
        best = restricted(found, pooled.tau_family**2, pooled.tau_set**2)
        for other in rng.exponential(0.05, (50, 2)) * rng.choice([0, 1], (50, 2)):
            assert restricted(found, *other) <= best + 1e-6


def restricted(found, of_family, of_set):
    """Compute the restricted likelihood: that of differences from the first set."""
    same = np.equal.outer(found["family"].to_numpy(), found["family"].to_numpy())
    V = np.diag(found["variance"] + of_set) + of_family * same
    contrast = np.column_stack([-np.ones(len(found) - 1), np.eye(len(found) - 1)])
    law = stats.multivariate_normal(cov=contrast @ V @ contrast.T)
    return law.logpdf(contrast @ found["mean"].to_numpy())


def test_scale_order_and_origin_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    found = drawn(rng, [1, 2, 3, 4, 5], 0.3, 0.2, rng.gamma(2, 0.01, 15))
    pooled = random_effects(found, weighed=True)
    moved = found.assign(mean=1e-4 * found["mean"] + 5e-4, variance=1e-8 * found["variance"])
    again = random_effects(moved.sample(frac=1, random_state=seed), weighed=True)
    assert 1e4 * (again.mean - 5e-4) == pytest.approx(pooled.mean, abs=1e-5)
    assert 1e4 * again.se == pytest.approx(pooled.se, rel=1e-4)
    assert 1e4 * again.tau_family == pytest.approx(pooled.tau_family, abs=1e-4)
    assert 1e4 * again.tau_set == pytest.approx(pooled.tau_set, abs=1e-4)


def test_methods_that_do_the_same_are_the_same():
    nothing = differences(["a", "a", "b", "c"], [0.0] * 4, 0.0, splits=10)
    pooled = random_effects(nothing)
    assert pooled.mean == pooled.low == pooled.high == pooled.tau_set == 0
    assert pooled.p == 1
    assert equivalence(nothing, margin=0.01) == (True, 0, 0, 0)
    assert wins(nothing, margin=0.01)[:4] == (0, 1, 0, 0)
    assert without_model(nothing)[1:] == (0, 0, 0.95, 1)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_one_family_tells_a_mean_and_no_more(n):
    found = differences(["a"] * n, np.arange(n, dtype=float))
    pooled = random_effects(found)
    expected = found["mean"].mean()
    assert pooled.mean == pytest.approx(expected, nan_ok=True)
    numbers = [pooled.low, pooled.high, pooled.se, pooled.df, pooled.p, pooled.tau_family]
    assert np.isnan([*numbers, pooled.tau_set, pooled.new_low]).all()
    assert (pooled.n_sets, pooled.n_families) == (n, min(n, 1))
    assert equivalence(found, margin=1.0).verdict is None
    assert np.isnan(without_model(found).p)


def noisy(rng, growth):
    """Draw sets with a mean difference of 1 that is larger where the noise is, if it grows so."""
    noise = np.exp(rng.normal(-0.245, 0.7, 18))  # over a decade, with the mean 1
    found = drawn(rng, [1, 1, 1, 1, 2, 2, 2, 3, 5], 0.2, 0.1, 0.05 * noise**2)
    return found.assign(mean=found["mean"] + noise**growth)


@pytest.mark.parametrize("growth", [0, 1])
def test_the_interval_covers_as_often_as_it_says(seed, growth):
    rng, n = np.random.default_rng(seed), 100
    found = [random_effects(noisy(rng, growth)) for _ in range(n)]
    covered = sum(each.low <= 1 <= each.high for each in found)
    # The law is not exact: of 4,000 draws it was 95% without growth, 93% with it.
    assert stats.binom.cdf(covered, n, 0.93) > RARE


def test_weights_draw_the_mean_to_the_precise_sets(seed):
    rng = np.random.default_rng(seed)
    found = [noisy(rng, 1) for _ in range(40)]
    drawn_by = [
        random_effects(each, weighed=True).mean - random_effects(each).mean for each in found
    ]
    assert np.mean(drawn_by) < -0.05  # of a mean of 1; it was 0.15 in 300 draws


# Verdicts


def test_equivalence_is_two_one_sided_tests(seed):
    rng = np.random.default_rng(seed)
    for _ in range(20):
        y = rng.normal(rng.uniform(-0.2, 0.2), 0.2, size=10)
        found = equivalence(differences(range(10), y), margin=0.1)
        upper = stats.ttest_1samp(y, 0.1, alternative="less").pvalue
        lower = stats.ttest_1samp(y, -0.1, alternative="greater").pvalue
        assert found.p == pytest.approx(max(upper, lower))
        assert (found.verdict is True) == (found.p < 0.05)
    with pytest.raises(ValueError, match=r"margin=-1"):
        equivalence(differences(range(10), y), margin=-1)


def test_meta_regression_of_like_sets_is_least_squares(seed):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(30, 3)), columns=["log IR", "log rows", "log columns"])
    y = X.to_numpy() @ [0.5, 0, 0.2] + rng.normal(size=30)
    found = differences(range(30), y)
    X.index = found.index
    table = meta_regression(found, X.iloc[::-1], level=0.9)  # rows go by name
    theirs = sm.OLS(y, sm.add_constant(X.to_numpy())).fit(cov_type="HC2")
    assert table["coefficient"].to_numpy() == pytest.approx(theirs.params[1:])
    half = stats.t.ppf(0.95, table["df"]) * theirs.bse[1:]
    assert (table["high"] - table["coefficient"]).to_numpy() == pytest.approx(half)
    assert (table["coefficient"] - table["low"]).to_numpy() == pytest.approx(half)
    t = theirs.params[1:] / theirs.bse[1:]
    assert table["p"].to_numpy() == pytest.approx(2 * stats.t.sf(abs(t), table["df"]))
    assert table["df"].between(2, 26).all()
    assert table["adjusted"].to_numpy() == pytest.approx(holm(table["p"]))
    false = meta_regression(found, X, adjust="fdr_bh")
    assert false["adjusted"].to_numpy() == pytest.approx(stats.false_discovery_control(table["p"]))


def test_a_property_of_families_is_a_regression_of_their_means(seed):
    rng = np.random.default_rng(seed)
    found = drawn(rng, [3] * 12, 0.5, 0.2)
    x = rng.normal(size=12)
    table = meta_regression(found, pd.DataFrame({"x": np.repeat(x, 3)}, index=found.index))
    theirs = stats.linregress(x, found["mean"].to_numpy().reshape(12, 3).mean(axis=1))
    assert table.loc["x", "coefficient"] == pytest.approx(theirs.slope)


def test_a_regression_that_cannot_be_told_is_nan():
    found = differences(range(4), [0.1, 0.2, 0.4, 0.1])
    constant = pd.DataFrame({"a": [1.0, 2, 4, 3], "b": 1.0}, index=found.index)
    assert meta_regression(found, constant).isna().all(axis=None)
    three = pd.DataFrame(np.eye(4)[:, :3], index=found.index)
    assert meta_regression(found, three).isna().all(axis=None)
    with pytest.raises(ValueError, match=r"finite values of \['set 3'\]"):
        meta_regression(found, constant[:3])


def test_ranks_of_single_sets_are_scipys(seed):
    values = np.random.default_rng(seed).normal(size=(9, 4, 3))
    scored = long(values, list("ABCD"))
    found = ranks(scored, "f1")
    means = values.mean(axis=2)
    expected = stats.friedmanchisquare(*means.T)
    assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    mean = pd.Series(stats.rankdata(-means, axis=1).mean(axis=0), list("ABCD"))
    assert found.mean.to_dict() == pytest.approx(mean.to_dict())
    assert found.mean.is_monotonic_increasing
    assert found.critical == pytest.approx(critical_difference(4, 9))
    less = ranks(scored, "f1", less_is_better=True)
    assert less.mean.to_dict() == pytest.approx((5 - mean).to_dict())


def test_a_family_has_one_vote(seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(6, 3, 4))
    copied = np.concatenate([values, np.repeat(values[:1], 5, axis=0)])
    families = {f"set {i}": f"family {i if i < 6 else 0}" for i in range(11)}
    once, often = (long(each, list("ABC")) for each in (values, copied))
    first, second = ranks(once, "f1", families), ranks(often, "f1", families)
    assert first.mean.to_dict() == pytest.approx(second.mean.to_dict())
    assert first[1:4] == pytest.approx(second[1:4])
    assert (first.n_sets, second.n_sets, second.n_families) == (6, 11, 6)
    one, many = (effects(each, "f1", "A", "B", families) for each in (once, often))
    assert wins(one, 0.1, level=0)[:4] == pytest.approx(wins(many, 0.1, level=0)[:4])
    assert without_model(one) == pytest.approx(without_model(many))


def test_ranks_within_a_family_are_ranked_again():
    # The mean ranks in family x are 4/3, 8/3 and 2; those of its vote 1, 3 and 2.
    values = np.array([[3, 2, 1], [3, 1, 2], [2, 1.5, 3], [1, 2, 3]])[:, :, None]
    families = {"set 0": "x", "set 1": "x", "set 2": "x", "set 3": "y"}
    found = ranks(long(values, list("ABC")), "f1", families)
    assert found.mean.to_dict() == {"C": 1.5, "A": 2, "B": 2.5}


def test_ranks_that_cannot_be_told():
    tied = ranks(long(np.full((3, 3, 2), 0.1), list("ABC")), "f1")
    assert (tied.statistic, tied.p) == (0, 1)
    assert set(tied.mean) == {2}
    lacking = long(np.full((1, 3, 2), 0.1), list("ABC"))
    lacking.loc[lacking["method"] == "B", "f1"] = np.nan
    empty = ranks(lacking, "f1")
    assert (empty.n_sets, empty.n_families) == (0, 0)
    assert np.isnan([empty.critical, empty.p, *empty.mean]).all()


def test_wins_are_of_sets_whose_interval_is_on_one_side():
    half = stats.t.ppf(0.95, 10) * 0.01  # of each: the variances are the median one
    y = [0.05 + 1.01 * half, 0.05 + 0.99 * half, 0.05 - 1.01 * half, -0.05 - 1.01 * half]
    found = differences(list("abcd"), y, 1e-4, splits=10)
    assert wins(found, margin=0.05) == (0.25, 0.25, 0.25, 0.25, 4, 4)
    assert wins(found, margin=0.05, level=0)[:4] == (0.5, 0.25, 0.25, 0)
    tie = differences(list("ab"), [0.0, 0.1], 1e-4, splits=10)
    assert wins(tie, margin=0, level=0)[:4] == (0.5, 0, 0, 0.5)
    assert np.isnan(wins(tie[:0], margin=0.1)[:4]).all()


# Without a model


def test_flipped_signs_are_those_of_the_exact_test(seed):
    y = np.random.default_rng(seed).normal(0.3, 1, 8)
    expected = 2 * min(sign_flip(y), sign_flip(-y))
    assert without_model(differences(range(8), y)).p == pytest.approx(min(1, expected))


def test_the_bootstrap_draws_families_whole():
    # Of two families with means 0 and 1 a half, a quarter of the draws are 0 and a quarter 1/2.
    found = differences(["a", "b", "b"], [0.0, 0.4, 0.6])
    free = without_model(found)
    assert (free.mean, free.low, free.high) == pytest.approx((0.25, 0, 0.5))
    inner = without_model(found, level=0.4)
    assert (inner.low, inner.high) == pytest.approx((0.25, 0.25))


def test_the_bootstrap_is_nearly_normal_for_many_families(seed):
    found = drawn(np.random.default_rng(seed), [2] * 60, 1.0, 0.5)
    free, means = without_model(found), found["mean"].groupby(found["family"]).mean()
    half = 1.96 * means.std(ddof=0) / 60**0.5
    # A skew of the means moves the ends by a tenth of the half-width, the draws by a twentieth.
    assert free.high - free.mean == pytest.approx(half, rel=0.3)
    assert free.mean - free.low == pytest.approx(half, rel=0.3)
