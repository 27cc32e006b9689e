"""Tests of crcen.choice, crcen.wishes and Propositions 6 to 8, by ways that share no formula."""

import re

import numpy as np
import pytest
from conftest import RARE, SEED, Z
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import expit
from scipy.stats import binom, binomtest, hypergeom, norm
from sklearn.metrics import average_precision_score, f1_score, recall_score, roc_auc_score

from crcen import choose_lam, prior_shift
from crcen.choice import Share
from crcen.theory.expense import confusion_counts, expense
from crcen.theory.laws import gaussian_point

lams = st.floats(0.01, 0.99)


def sample(n1=60, n0=600, distance=2.0, draw=0):
    """Log-likelihood ratios of two normal classes, the logits of a plain fit, and labels."""
    rng = np.random.default_rng([SEED, draw])
    y = np.repeat([1, 0], [n1, n0])
    r = np.where(y == 1, 1, -1) * distance**2 / 2 + distance * rng.normal(size=y.size)
    return r, r + np.log(n1 / n0), y


# Proposition 6: one ranking, and a weight decides as a threshold does


@given(lams)
def test_the_weight_changes_neither_the_ranking_nor_more_than_the_threshold(lam):
    _, o, y = sample()
    plain = expit(o)
    assume(abs(plain - (1 - lam)).min() > 1e-12)  # else rounding decides
    weighted = prior_shift(plain, lam)
    for score in (roc_auc_score, average_precision_score):
        assert score(y, weighted) == pytest.approx(score(y, plain), abs=1e-12)
    np.testing.assert_array_equal(weighted > 0.5, plain > 1 - lam)
    assert f1_score(y, weighted > 0.5) == pytest.approx(f1_score(y, plain > 1 - lam))


# Proposition 7: what the weight does to calibration, for two densities on the line

F1, F0, PRIOR = norm(1, 0.7), norm(-1, 1.5), 0.1


def weighted_p(x, lam):
    """The minimiser of the weighted loss, from the densities."""
    a, b = lam * PRIOR * F1.pdf(x), (1 - lam) * (1 - PRIOR) * F0.pdf(x)
    return a / (a + b)


def mean(f):
    """The mean over unweighted rows."""

    def integrand(x):
        return f(x, 1) * PRIOR * F1.pdf(x) + f(x, 0) * (1 - PRIOR) * F0.pdf(x)

    return quad(integrand, -20, 20, points=[-4, -1, 0, 1, 4], limit=200, epsabs=1e-12)[0]


@given(lams, st.floats(-3, 3))
def test_the_share_of_minority_rows_at_p_is_the_shifted_p(lam, x):
    a, b = PRIOR * F1.pdf(x), (1 - PRIOR) * F0.pdf(x)
    assert prior_shift(weighted_p(x, lam), 1 - lam) == pytest.approx(a / (a + b), abs=1e-12)


@pytest.mark.parametrize("lam", [0.1, 0.7, 0.95])
def test_the_excess_brier_score_of_raw_probabilities_is_their_distance_squared(lam):
    def q(x):
        return prior_shift(weighted_p(x, lam), 1 - lam)

    excess = mean(lambda x, y: (weighted_p(x, lam) - y) ** 2 - (q(x) - y) ** 2)
    assert excess == pytest.approx(mean(lambda x, y: (weighted_p(x, lam) - q(x)) ** 2), abs=1e-9)


@pytest.mark.parametrize("odds", [2.0, 9.0, 30.0])
def test_the_largest_overstatement_has_a_closed_form(odds):
    lam = odds / (1 + odds)
    worst = minimize_scalar(
        lambda p: prior_shift(p, 1 - lam) - p, bounds=(0, 1), options={"xatol": 1e-10}
    )
    assert -worst.fun == pytest.approx((odds**0.5 - 1) / (odds**0.5 + 1), abs=1e-9)
    assert worst.x == pytest.approx(odds**0.5 / (1 + odds**0.5), abs=1e-4)


# Proposition 8: which lambda


@pytest.mark.parametrize("wish", ["cost_ratio", "expense"])
@pytest.mark.parametrize("value", [0.5, 4.0, 30.0])
def test_the_weight_of_a_cost_ratio_costs_least(wish, value):
    _, o, y = sample()
    choice = choose_lam(o, y, **{wish: value})

    def cost(log_alpha):  # of ten majority rows to a minority row
        point = gaussian_point(2.0, np.exp(log_alpha))
        return value * (1 - point.recall) + 10 * (1 - point.specificity)

    least = minimize_scalar(cost, bracket=(-3, 3), options={"xtol": 1e-10})
    assert np.log(choice.alpha) == pytest.approx(least.x, abs=1e-4)
    assert choice.lam == pytest.approx(value / (1 + value))


@pytest.mark.parametrize(("n", "recall"), [(19, 0.9), (19, 0.85), (51, 0.7), (9, 0.9)])
def test_a_fresh_minority_row_is_found_with_the_wanted_probability(n, recall):
    true = []
    for draw in range(400):
        r, o, y = sample(n, 200, draw=draw)
        choice = choose_lam(o, y, recall=recall)
        true.append(norm.sf((-np.log(choice.alpha) - 2) / 2))
        assert choice.recall == ((r[y == 1] > -np.log(choice.alpha)).sum(), n)
    # In the mean x/(n+1), which is the least such fraction that is enough.
    x = choice.recall.part
    assert x / (n + 1) >= recall > (x - 1) / (n + 1)
    assert np.mean(true) == pytest.approx(x / (n + 1), abs=Z * np.std(true) / 400**0.5)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95])
@pytest.mark.parametrize(("n", "recall"), [(60, 0.8), (200, 0.9)])
def test_with_confidence_the_recall_is_reached_that_often_and_hardly_more(n, recall, confidence):
    true, x = [], 0
    for draw in range(400):
        _, o, y = sample(n, 50, draw=draw)
        choice = choose_lam(o, y, recall=recall, confidence=confidence)
        true.append(norm.sf((-np.log(choice.alpha) - 2) / 2))
        x = choice.recall.part
    # Not reached if at most n - x of n rows fall into the lowest 1 - R of the distribution.
    assert binom.cdf(n - x, n, 1 - recall) <= 1 - confidence < binom.cdf(n - x + 1, n, 1 - recall)
    reached = np.sum(np.array(true) >= recall)
    assert binomtest(reached, 400, binom.sf(n - x, n, 1 - recall)).pvalue > RARE


@given(lams, st.sampled_from([{"recall": 0.8}, {"cost_ratio": 3.0}]))
def test_the_weight_that_the_logits_were_made_with_does_not_matter(lam, wish):
    r, o, y = sample()
    choice = choose_lam(o, y, **wish)
    for logits, made_with in ((o + np.log(lam / (1 - lam)), lam), (r, "balanced")):
        again = choose_lam(logits, y, lam=made_with, **wish)
        assert again.alpha == pytest.approx(choice.alpha)
        assert again[2:] == choice[2:]


# The plain fit's recall is about 0.44, so that some rows are decided otherwise in any sample.
@pytest.mark.parametrize("wish", [{"recall": 0.9}, {"recall": 0.15}, {"expense": 6.0}])
def test_the_promise_is_what_a_moved_threshold_does_to_these_rows(wish):
    _, o, y = sample()
    choice = choose_lam(o, y, **wish)
    moved = (expit(o) > 1 - choice.lam).astype(int)
    assert choice.recall.value == pytest.approx(recall_score(y, moved))
    assert choice.specificity.value == pytest.approx(recall_score(y, moved, pos_label=0))
    before, after = confusion_counts(y, (o > 0).astype(int)), confusion_counts(y, moved)
    fewer, more = (before, after) if choice.lam > 0.5 else (after, before)
    assert choice.expense == pytest.approx(expense(fewer, more))
    low, high = choice.expense_interval()
    assert low <= choice.expense <= high  # at the lower end where no majority row is accused
    assert low < high


def test_rows_of_one_logit_are_all_found_or_none():
    y = np.repeat([1, 0], [10, 30])
    choice = choose_lam(np.repeat([0.5, 2.0, -1.0], [5, 5, 30]), y, recall=0.7)
    assert choice.recall == (10, 10)


# Shares


@pytest.mark.parametrize(("count", "total"), [(0, 7), (3, 7), (7, 7), (40, 200)])
def test_the_ends_of_an_interval_are_shares_that_the_count_barely_allows(count, total):
    low, high = Share(count, total).interval(0.9)
    assert low == 0 if count == 0 else binom.sf(count - 1, total, low) == pytest.approx(0.05)
    assert high == 1 if count == total else binom.cdf(count, total, high) == pytest.approx(0.05)


# A rare share of few rows has so few possible counts that an interval must cover too much.
@pytest.mark.parametrize("share", [0.15, 0.4, 0.9])
@pytest.mark.parametrize(("n", "m"), [(51, 17), (20, 100)])
def test_fresh_rows_lie_in_their_interval_as_often_as_it_says_and_hardly_more(share, n, m):
    x, k = np.arange(n + 1), np.arange(m + 1)
    ends = np.array([Share(int(count), n).fresh(m) for count in x]) * m
    inside = (k >= ends[:, :1] - 1e-9) & (k <= ends[:, 1:] + 1e-9)
    covered = binom.pmf(x, n, share) @ inside @ binom.pmf(k, m, share)
    assert 0.95 <= covered < 0.995


@pytest.mark.parametrize(("x", "n", "m"), [(1, 51, 17), (41, 51, 17), (10, 20, 100)])
def test_the_ends_among_fresh_rows_are_those_of_a_random_order(x, n, m):
    """Rows stand in random order: the known among the first x + k are hypergeometric."""

    def least(x):  # k such that x known rows among the first x + k are no surprise
        return next(k for k in range(m + 1) if hypergeom.sf(x - 1, n + m, x + k, n) >= 0.025)

    low, high = Share(x, n).fresh(m)
    assert (low * m, m - high * m) == pytest.approx((least(x), least(n - x)))


def test_of_no_rows_nothing_is_known():
    assert np.isnan(Share(0, 0).value)
    assert Share(0, 0).interval() == (0, 1) == Share(3, 5).fresh(0)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({}, "given no wish"),
        ({"precision": 0.0}, "precision=0.0 must be strictly between 0 and 1"),
        ({"precision": 0.9, "confidence": 95}, "confidence=95 must be strictly between 0 and 1"),
        ({"recall": 1.0}, "recall=1.0 must be strictly between 0 and 1"),
        ({"recall": 0.9, "confidence": 95}, "confidence=95 must be strictly between 0 and 1"),
        ({"cost_ratio": -1.0}, "cost_ratio=-1.0 must be positive and finite.$"),
        ({"cost_ratio": [1.0, 2.0]}, "must be a number.*: decide_rows takes one for each row"),
        ({"expense": 2.0, "confidence": 0.9}, "confidence=0.9 belongs to recall and precision"),
        ({"recall": 0.99}, "from 60 minority rows, it takes 99"),
        ({"recall": 0.98, "confidence": 0.95}, "from 60 minority rows, it takes 149"),
        ({"recall": 0.9, "lam": 2.0}, "lam=2.0 is not a weight"),
        ({"recall": 0.9, "lam": "ballanced"}, "lam='ballanced' is not a weight"),
        ({"recall": 0.9, "scores": "proba"}, "scores='proba' must be 'logits' or 'probabilities'"),
        ({"recall": 0.9, "scores": "probabilities"}, "p must hold one probability"),
    ],
)
def test_errors_name_the_parameter_and_the_remedy(wrong, problem):
    _, o, y = sample()
    with pytest.raises(ValueError, match=problem):
        choose_lam(o, y, **wrong)


@pytest.mark.parametrize("bad", [np.zeros(3), np.full(660, np.nan)])
def test_logits_must_be_one_number_for_each_label(bad):
    with pytest.raises(ValueError, match="logits must hold one finite number for each of the 660"):
        choose_lam(bad, sample()[2], recall=0.5)


def test_probabilities_are_not_taken_for_logits():
    """What was promised of them taken for logits was far from what was found."""
    _, o, y = sample(n1=500, n0=4000)
    with pytest.raises(ValueError, match="as probabilities do"):
        choose_lam(expit(o), y, recall=0.9)
    chosen = choose_lam(expit(o), y, recall=0.9, scores="probabilities")
    plain = choose_lam(o, y, recall=0.9)
    assert chosen[:2] == pytest.approx(plain[:2], rel=1e-9)
    assert chosen[2:] == plain[2:]
    found = (expit(o) > 1 - chosen.lam)[y == 1].mean()
    assert found == chosen.recall.value == pytest.approx(0.9, abs=0.01)


def test_logits_between_0_and_1_can_be_named():
    """One row beyond says that they are logits, and one majority row more says little else."""
    _, o, y = sample()
    small = expit(o)
    named = choose_lam(small, y, recall=0.9, scores="logits")
    beyond = choose_lam(np.append(small, -1.0), np.append(y, 0), recall=0.9)
    assert beyond.recall == named.recall
    assert beyond.alpha == pytest.approx(named.alpha, rel=1e-2)


@pytest.mark.parametrize("wish", [{"recall": 0.8}, {"cost_ratio": 5.0}])
def test_certain_rows_rank_first_and_last(wish):
    _, o, y = sample()
    p = expit(o)
    p[o > np.quantile(o, 0.99)], p[o < np.quantile(o, 0.5)] = 1, 0
    certain = choose_lam(p, y, **wish, scores="probabilities")
    assert certain.recall == choose_lam(o, y, **wish).recall


@given(st.floats(0.02, 0.9), st.integers(0, 100))
def test_a_capacity_flags_as_many_rows_as_a_fresh_row_allows(capacity, draw):
    _, o, y = sample(draw=draw)
    choice = choose_lam(o, y, capacity=capacity)
    flagged = choice.recall.part + choice.specificity.total - choice.specificity.part
    assert flagged == int(capacity * (y.size + 1) + 1e-9) - 1
    assert (flagged + 1) / (y.size + 1) <= capacity + 1e-9  # exchangeable with a fresh row


def test_a_fresh_row_is_flagged_no_more_often_than_the_capacity():
    rng = np.random.default_rng(SEED)
    flagged = 0
    for _ in range(2000):
        o = rng.normal(size=40)
        y = (np.arange(40) < 10).astype(int)
        choice = choose_lam(o, y, capacity=0.2)
        flagged += rng.normal() > np.log(1 / 3) - np.log(choice.alpha)
    assert binom.ppf(RARE, 2000, 7 / 41) <= flagged <= binom.ppf(1 - RARE, 2000, 8 / 41)


def test_a_capacity_of_less_than_a_row_is_refused():
    _, o, y = sample()
    with pytest.raises(ValueError, match="is less than one row of 660"):
        choose_lam(o, y, capacity=0.001)


# Several wishes


def kept_by_hand(r, y, wishes):
    """For every number of alarms, whether some threshold there keeps all wishes."""
    n, n1 = y.size, y.sum()
    order = np.argsort(-r)
    right, alarms = np.cumsum(y[order]), np.arange(1, n + 1)
    least_alpha = np.exp(-r[order])  # at which there are that many
    kept = alarms < n
    kept &= right / (n1 + 1) >= wishes.get("recall", 0) - 1e-9
    kept &= right / alarms >= wishes.get("precision", 0)
    kept &= (alarms + 1) / (n + 1) <= wishes.get("capacity", 1) + 1e-9
    kept &= least_alpha < wishes.get("expense", np.inf) / (n - n1) * n1
    return alarms[kept]


some_wishes = st.fixed_dictionaries(
    {},
    optional={
        "recall": st.floats(0.2, 0.95),
        "precision": st.floats(0.1, 0.9),
        "expense": st.floats(0.2, 50),
        "capacity": st.floats(0.02, 0.8),
    },
).filter(bool)


@given(some_wishes, st.integers(0, 1000))
def test_several_wishes_are_kept_by_the_fewest_or_the_most_alarms_that_keep_them(wishes, draw):
    r, o, y = sample(40, 160, draw=draw)
    kept = kept_by_hand(r, y, wishes)
    assume(kept.size or "precision" not in wishes or len(wishes) > 1)
    if not kept.size:
        with pytest.raises(ValueError, match="wish for"):
            choose_lam(o, y, **wishes)
        return
    choice = choose_lam(o, y, **wishes)
    assert choice.precision.total == (kept.min() if "recall" in wishes else kept.max())
    assert choice.precision.part == choice.recall.part


@given(some_wishes, st.sampled_from([None, 0.5, 0.9]), st.integers(0, 1000))
def test_what_an_error_says_is_possible_is_possible(wishes, confidence, draw):
    _, o, y = sample(60, 300, draw=draw)
    if {"recall", "precision"} & {*wishes}:
        wishes |= {"confidence": confidence}
    try:
        choose_lam(o, y, **wishes)
    except ValueError as error:
        assume("cannot be promised" not in str(error))
        remedies = re.findall(r"(\w+)=([\d.e+-]+) or (less|more)", str(error))
        if len(wishes.keys() - {"confidence"}) <= 2:
            for name, value, way in remedies:
                changed = float(value)
                assert (changed < wishes[name]) == (way == "less")
                choose_lam(o, y, **wishes | {name: changed})
        named = re.findall(r"(\w+)=", str(error))
        assert {*named} <= {*wishes}


def test_contradicting_wishes_are_named_with_what_they_take():
    _, o, y = sample(100, 900)
    with pytest.raises(
        ValueError, match=r"wish for recall=.* or less, or capacity=.* or more"
    ) as e:
        choose_lam(o, y, recall=0.8, capacity=0.02, expense=1000)
    assert re.match(r"recall=0.8 takes \d+\.\d% of the rows, more than capacity=0.02", str(e.value))
    with pytest.raises(ValueError, match=r"lets the last row found cost .* more than expense=0.5"):
        choose_lam(o, y, recall=0.8, capacity=0.7, expense=0.5)
    with pytest.raises(ValueError, match=r"precision=0.9 is kept by no .* that keeps recall=0.9"):
        choose_lam(o, y, recall=0.9, precision=0.9)


@pytest.mark.parametrize(
    "wish", [{"recall": 0.9}, {"capacity": 0.15}, {"recall": 0.9, "expense": 9.0}]
)
def test_between_classes_that_do_not_overlap_the_boundary_stands_in_the_middle(wish):
    o = np.r_[np.full(10, 4.0), np.full(90, -6.0)]
    choice = choose_lam(o, np.repeat([1, 0], [10, 90]), **wish)
    assert np.log(choice.lam / (1 - choice.lam)) == pytest.approx(1.0)  # minus the middle
    assert (choice.recall, choice.specificity) == (Share(10, 10), Share(90, 90))


def test_a_bound_inside_the_gap_is_kept():
    o = np.r_[np.full(10, 4.0), np.full(90, -6.0)]
    choice = choose_lam(o, np.repeat([1, 0], [10, 90]), recall=0.9, expense=0.1)
    assert choice.lam / (1 - choice.lam) == pytest.approx(0.1)  # the middle costs more


@pytest.mark.parametrize("bounds", [{"recall": 0.9}, {"capacity": 0.05}, {"expense": 3.0}])
@pytest.mark.parametrize("cost_ratio", [0.3, 9.0, 300.0])
def test_a_cost_ratio_costs_least_within_the_bounds_of_the_other_wishes(bounds, cost_ratio):
    _, o, y = sample()
    bound = choose_lam(o, y, **bounds).alpha
    choice = choose_lam(o, y, cost_ratio=cost_ratio, **bounds)

    def cost(log_alpha):  # of ten majority rows to a minority row
        point = gaussian_point(2.0, np.exp(log_alpha))
        return cost_ratio * (1 - point.recall) + 10 * (1 - point.specificity)

    ends = (np.log(bound), 12) if "recall" in bounds else (-12, np.log(bound))
    least = minimize_scalar(cost, bounds=ends, method="bounded", options={"xatol": 1e-9})
    assert np.log(choice.alpha) == pytest.approx(least.x, abs=1e-3)


# A precision


def random_rows(rng, n, share=0.2):
    """Log-likelihood ratios and labels of rows as they come, at a distance of 2."""
    y = (rng.random(n) < share).astype(int)
    return 2 * rng.normal(2.0 * y) - 2, y


def true_precision(alpha, share=0.2):
    recall, false = norm.sf((-np.log(alpha) - 2) / 2), norm.sf((-np.log(alpha) + 2) / 2)
    return share * recall / (share * recall + (1 - share) * false)


def shares_kept(rng, wanted, **wishes):
    """How many of 200 samples lead to the precision, or are refused, which promises nothing."""
    kept = 0
    for _ in range(200):
        r, y = random_rows(rng, 400)
        try:
            choice = choose_lam(r, y, precision=wanted, **wishes, lam="balanced")
        except ValueError:
            kept += 1
        else:
            kept += true_precision(choice.alpha) >= wanted
    return kept


@pytest.mark.parametrize("more", [{}, {"capacity": 0.15}, {"recall": 0.6}, {"cost_ratio": 1.0}])
@pytest.mark.parametrize("wanted", [0.6, 0.75])
def test_with_confidence_the_precision_is_reached_that_often(wanted, more):
    rng = np.random.default_rng(SEED)
    assert shares_kept(rng, wanted, confidence=0.8, **more) >= binom.ppf(RARE, 200, 0.8)


def test_without_confidence_a_precision_flatters():
    assert shares_kept(np.random.default_rng(SEED), 0.6) < binom.ppf(RARE, 200, 0.8)


@pytest.mark.parametrize("confidence", [0.3, 0.9])
@given(st.floats(0.1, 0.9), st.integers(0, 1000))
def test_the_alarms_are_those_that_tests_of_each_number_allow(confidence, wanted, draw):
    r, o, y = sample(60, 240, draw=draw)
    right, starts, passed = np.cumsum(y[np.argsort(-r)]), [150, 75, 37, 18, 9], set()
    for start in starts:
        for m in range(start, 300):
            if binom.sf(right[m - 1] - 1, m, wanted) > (1 - confidence) / len(starts):
                break
            passed.add(m)
    if passed:
        choice = choose_lam(o, y, precision=wanted, confidence=confidence)
        assert choice.precision.total == max(passed)
    else:
        with pytest.raises(ValueError, match=f"precision={wanted!r}, confidence={confidence} is"):
            choose_lam(o, y, precision=wanted, confidence=confidence)


def test_a_precision_is_promised_to_as_many_alarms_as_the_rows_allow():
    """With many rows the alarms are hardly fewer than at the true threshold."""
    rng = np.random.default_rng(SEED)
    r, y = random_rows(rng, 100_000)
    choice = choose_lam(r, y, precision=0.6, confidence=0.95, lam="balanced")
    alphas = np.exp(np.linspace(-4, 4, 2001))
    best = alphas[true_precision(alphas) >= 0.6].max()
    possible = (r > -np.log(best)).sum()
    assert 0.9 * possible < choice.precision.total <= 1.1 * possible


@pytest.mark.parametrize("confidence", [None, 0.9])
def test_a_precision_that_no_threshold_has_is_refused(confidence):
    y = np.tile([1, 0], 50)
    with pytest.raises(ValueError, match=r"precision=0.9.* is kept by no threshold"):
        choose_lam(np.arange(100.0) - 50, y, precision=0.9, confidence=confidence)


def test_a_precision_that_comes_and_goes_is_promised_no_less():
    """The precision of all above a rank falls below 0.6 five times, as ever more are alarms."""
    rank = np.linspace(0, 1, 20001)
    of_row = 0.6 + 0.35 * np.sin(10 * np.pi * rank) - 0.05 * rank
    above = np.cumsum(of_row) / np.arange(1, rank.size + 1)
    assert (np.diff((above >= 0.6).astype(int)) == -1).sum() == 5
    rng, kept, answered = np.random.default_rng(SEED), 0, 0
    for _ in range(200):
        u = rng.random(400)
        y = (rng.random(400) < np.interp(u, rank, of_row)).astype(int)
        try:
            choice = choose_lam(-10 * u, y, precision=0.6, confidence=0.8, lam="balanced")
        except ValueError:
            continue
        answered += 1
        kept += np.interp(np.log(choice.alpha) / 10, rank, above) >= 0.6
    assert answered > 100
    assert 200 - answered + kept >= binom.ppf(RARE, 200, 0.8)
