r"""What can be said of two methods over many data sets, some of which were cut from one source.

Sets of one source belong to a family and do not count as independent. The mean difference of set i
is taken to be

.. math:: y_i = x_i^\top \beta + u_{\text{family}(i)} + v_i + e_i

with a deviation :math:`u` of the family, one :math:`v` of the set, and an error :math:`e` whose
variance its splits tell. The variances of the deviations are found by restricted maximum likelihood
(REML). The model only weighs the sets: standard errors rest on how the families differ, and are
right even if it is wrong (CR2; Bell & McCaffrey 2002), with Satterthwaite's degrees of freedom. So
it does no harm that sets that share rows share errors, nor that the variance over overlapping
splits is a rule of thumb.

By default every error has the mean variance. A meta-analysis would weigh sets by their own, but
here the precise sets are no sample of all: where rows are few, scores are noisy and differences
large, and two methods that do the same on all splits have a difference of exactly 0 with no
variance at all. Weighed, the mean is drawn to such sets. Where differences grew with the noise, or
were ties, an interval of 95% held the mean in 3 to 86% of simulations, and without weights in 92 to
95%.

Each difference is raw, method minus baseline: if less of a score is better, below 0 is better.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, stats
from statsmodels.stats.multitest import multipletests

from crcen.study.splits import TEST_SIZE
from crcen.study.statistics import ROUNDING, critical_difference, sd, within
from crcen.threads import one_thread
from crcen.validation import NOT_NEGATIVE, check_number

_Values = NDArray[np.float64]
Families = Mapping[str, str]

RESAMPLES = 9999  # of families; a quantile at 2.5% then rests on 250 of them


def _family(datasets: pd.Index, families: Families | None) -> list[str]:
    if families is None:
        return [str(name) for name in datasets]
    if missing := [name for name in datasets if name not in families]:
        raise ValueError(f"families lacks {missing}: name the family of each set.")
    return [families[name] for name in datasets]


def _votes(family: pd.Series) -> pd.Series:
    """Give each family one vote, shared by its sets."""
    return 1 / (family.groupby(family).transform("size") * family.nunique())


def _paired(scored: pd.DataFrame, score: str) -> pd.DataFrame:
    """Set the methods side by side, a row a split."""
    keys = ["dataset", "split", "method"]
    if scored.duplicated(keys).any():
        raise ValueError(
            "scored has several rows of a dataset, split and method: choose one protocol and seed."
        )
    return scored.set_index(keys)[score].unstack("method")  # noqa: PD010 (keeps what is all nan)


def effects(
    scored: pd.DataFrame,
    score: str,
    method: str,
    baseline: str,
    families: Families | None = None,
    test_size: float = TEST_SIZE,
) -> pd.DataFrame:
    r"""Compare a method with a baseline on each data set, by the splits that both have.

    The mean of R differences with the standard deviation s has the variance

    .. math:: s^2 \left(\frac1R + \frac{n_\text{test}}{n_\text{train}}\right)

    of `crcen.study.statistics.corrected_t`, since training rows of splits overlap.

    Parameters
    ----------
    scored : DataFrame
        The columns dataset, method, split, and one of the score.
    score, method, baseline : str
        The column, and the two methods.
    families : mapping, optional
        The family of each set; by default each set is one.
    test_size : float, default=0.25
        Share of the rows that are held out.

    Returns
    -------
    DataFrame
        A row a set that has a split with both: family, mean (method minus baseline), variance (nan
        of one split), splits (their number).

    Raises
    ------
    ValueError
        If a split of a set has several rows of a method, or a set no family.

    Examples
    --------
    >>> scored = pd.DataFrame({
    ...     "dataset": "abalone", "method": ["A", "A", "B", "B"], "split": [0, 1, 0, 1],
    ...     "f1": [0.5, 0.7, 0.4, 0.4],
    ... })
    >>> effects(scored, "f1", "A", "B").round(4)
              family  mean  variance  splits
    dataset
    abalone  abalone   0.2    0.0167       2
    """
    both = _paired(scored, score).reindex(columns=[method, baseline])
    by_set = both[method].sub(both[baseline]).dropna().groupby("dataset")
    n = by_set.size()
    found = pd.DataFrame(
        {
            "mean": by_set.mean(),
            "variance": by_set.agg(sd) ** 2 * (1 / n + test_size / (1 - test_size)),
            "splits": n,
        }
    )
    found.insert(0, "family", _family(found.index, families))
    return found


def steadied(found: pd.DataFrame) -> pd.Series:
    r"""Draw the variance of each set a little to the median one, so that none is zero.

    .. math:: \tilde v_i = \frac{(R_i - 1) v_i + v_0}{R_i}

    with the median :math:`v_0` of those above zero: as if one of the R degrees of freedom came from
    the other sets. If ten differences are equal their mean is not known exactly; it is known ten
    times as well as that of the median set. Weighed as exact, such sets, which are ties mostly,
    would decide alone.

    Parameters
    ----------
    found : DataFrame
        Of `effects`.

    Returns
    -------
    Series
        The variances; that of a set of one split is the median, and all are 0 if none is above.

    Examples
    --------
    >>> found = pd.DataFrame({"variance": [0.0, 1.0, 3.0], "splits": 10})
    >>> steadied(found).tolist()
    [0.2, 1.1, 2.9]
    """
    variance, n = found["variance"].fillna(0), found["splits"]
    positive = variance[variance > 0]
    usual = positive.median() if len(positive) else 0.0
    return ((n - 1) * variance + usual) / n


class _Fit(NamedTuple):
    """Coefficients, their standard errors and degrees of freedom, the variances of deviations."""

    beta: _Values
    se: _Values
    df: _Values
    of_family: float
    of_set: float


@one_thread()  # two are ten times as slow on matrices of this size
def _fit(found: pd.DataFrame, X: _Values, weighed: bool) -> _Fit | None:
    """Fit the model; None if the families are too few for it, or columns depend on each other."""
    n, k = X.shape
    codes, names = pd.factorize(found["family"])
    if len(names) <= k or np.linalg.matrix_rank(X) < k:
        return None
    y = found["mean"].to_numpy(float)
    v = np.full(n, np.nan_to_num(found["variance"].mean()))
    if weighed:
        v = steadied(found).to_numpy(float)
    scale = y.var() + v.mean() or 1.0
    y, v = y / math.sqrt(scale), v / scale + ROUNDING  # all may be zero
    Xy = np.column_stack([X, y])
    Z = np.equal.outer(codes, np.arange(len(names))).astype(float)  # which set is of which family

    def deviance(of: _Values) -> tuple[float, _Values]:
        """Compute -2 times the restricted log-likelihood but for a constant, and its gradient."""
        w = 1 / (v + of[1])
        total = Z.T @ w
        shrunk = of[0] / (1 + of[0] * total)
        Wxy = w[:, None] * Xy  # times the inverse of the covariance, by Sherman and Morrison
        Wxy -= w[:, None] * (Z @ (shrunk[:, None] * (Z.T @ Wxy)))
        WX, Wy = Wxy[:, :k], Wxy[:, k]
        M = np.linalg.inv(X.T @ WX)
        Py = Wy - WX @ (M @ (X.T @ Wy))
        value = -np.log(w).sum() + np.log1p(of[0] * total).sum() - np.linalg.slogdet(M)[1] + y @ Py
        ZWX = Z.T @ WX
        traces = (
            (total / (1 + of[0] * total)).sum() - (M * (ZWX.T @ ZWX)).sum(),
            w.sum() - shrunk @ (Z.T @ w**2) - (M * (WX.T @ WX)).sum(),
        )
        slope = np.array(traces) - (((Z.T @ Py) ** 2).sum(), (Py**2).sum())
        return float(value), slope

    # Where each family is one set, only the sum can be told: it is then taken to be the family's.
    most = None if len(names) < n else 0
    of = optimize.minimize(
        deviance,
        (0.5, 0.5 if most is None else 0),
        jac=True,
        bounds=[(0, None), (0, most)],
        options={"ftol": 1e-13, "gtol": 1e-8},
    ).x

    V = np.diag(v + of[1]) + of[0] * (Z @ Z.T)
    WX = np.linalg.solve(V, X)
    M = np.linalg.inv(X.T @ WX)
    beta = M @ (WX.T @ y)
    left = V - X @ M @ X.T  # the covariance of the residuals, if the model is right
    lines = np.zeros((k, len(names), n))  # what each family gives to each coefficient
    for family in range(len(names)):
        rows = np.flatnonzero(codes == family)
        block = np.ix_(rows, rows)
        D = np.linalg.cholesky(V[block]).T
        lines[:, family, rows] = M @ WX[rows].T @ D.T @ _inverse_root(D @ left[block] @ D.T) @ D
    se = np.sqrt(((lines @ (y - X @ beta)) ** 2).sum(axis=1))
    Q = lines @ left @ lines.transpose(0, 2, 1)
    df = np.trace(Q, axis1=1, axis2=2) ** 2 / (Q**2).sum(axis=(1, 2))
    root = math.sqrt(scale)
    return _Fit(beta * root, se * root, df, float(of[0]) * scale, float(of[1]) * scale)


def _inverse_root(B: _Values) -> _Values:
    """Compute the symmetric root of the pseudo-inverse: a family may fix a coefficient alone."""
    values, vectors = np.linalg.eigh(B)
    kept = values > 1e-10 * values.max()
    kept_vectors = vectors[:, kept]
    return (kept_vectors / np.sqrt(values[kept])) @ kept_vectors.T


def _p(mean: float, se: float, df: float) -> float:
    return 1.0 if se == 0 else float(2 * stats.t.sf(abs(mean) / se, df))


class Pooled(NamedTuple):
    """What the data sets say together.

    Attributes
    ----------
    mean, low, high, level
        The mean difference over families and sets, and its interval of this level.
    se, df, p
        Its standard error, the degrees of freedom (below 4 neither interval nor p-value is to be
        trusted), and the two-sided p-value of its being 0.
    tau_family, tau_set
        The standard deviations of families, and of sets within one.
    new_low, new_high
        The interval in which the true difference of a new set of a new family falls. It is rough:
        of a level of 95% it held 71 to 97% in simulations, least where deviations are smaller than
        the noise, and then often found to be 0.
    n_sets, n_families
        How many there are.
    """

    mean: float
    low: float
    high: float
    level: float
    se: float
    df: float
    p: float
    tau_family: float
    tau_set: float
    new_low: float
    new_high: float
    n_sets: int
    n_families: int


def random_effects(found: pd.DataFrame, level: float = 0.95, *, weighed: bool = False) -> Pooled:
    r"""Pool the differences of data sets, with families as clusters.

    The interval of the mean is :math:`\hat\mu \pm t_\nu \, \text{se}`, that of a new set
    :math:`\hat\mu \pm t_{F-2} \sqrt{\text{se}^2 + \tau_\text{family}^2 + \tau_\text{set}^2}` with F
    families (Higgins, Thompson & Spiegelhalter 2009).

    Parameters
    ----------
    found : DataFrame
        Of `effects`.
    level : float, default=0.95
        Level of both intervals.
    weighed : bool, default=False
        Whether the sets' own variances, `steadied`, weigh them: more precise where the difference
        does not depend on the noise, far off where it does.

    Returns
    -------
    Pooled
        With fewer than two families only the mean, of the sets, and the numbers; the rest is nan.
        If each family is one set, `tau_family` is the deviation of sets and `tau_set` 0.

    References
    ----------
    Pustejovsky & Tipton (2022), Meta-analysis with robust variance estimation: expanding the range
    of working models.

    Examples
    --------
    >>> found = pd.DataFrame({
    ...     "family": ["abalone", "abalone", "yeast", "glass", "page"],
    ...     "mean": [0.1, 0.2, 0.1, 0.3, 0.2], "variance": 0.001, "splits": 10,
    ... })
    >>> pooled = random_effects(found)
    >>> [round(value, 2) for value in (pooled.mean, pooled.low, pooled.high, pooled.df)]
    [0.18, 0.06, 0.3, 2.67]
    """
    n, n_families = len(found), found["family"].nunique()
    fit = _fit(found, np.ones((n, 1)), weighed)
    if fit is None:
        nothing = np.full(1, math.nan)
        fit = _Fit(np.full(1, found["mean"].mean()), nothing, nothing, math.nan, math.nan)
    mean, se, df = (float(value[0]) for value in fit[:3])
    half = float(stats.t.isf((1 - level) / 2, df)) * se
    new = math.sqrt(se**2 + fit.of_family + fit.of_set)
    new *= float(stats.t.isf((1 - level) / 2, n_families - 2)) if n_families > 2 else math.nan
    return Pooled(
        mean=mean,
        low=mean - half,
        high=mean + half,
        level=level,
        se=se,
        df=df,
        p=_p(mean, se, df),
        tau_family=math.sqrt(fit.of_family),
        tau_set=math.sqrt(fit.of_set),
        new_low=mean - new,
        new_high=mean + new,
        n_sets=n,
        n_families=n_families,
    )


class Equivalence(NamedTuple):
    """A verdict, the 90% interval that it rests on, and the p-value of two one-sided tests."""

    verdict: bool | None
    low: float
    high: float
    p: float


def equivalence(found: pd.DataFrame, margin: float, *, weighed: bool = False) -> Equivalence:
    """Decide whether two methods are the same over data sets, but for a margin.

    Parameters
    ----------
    found : DataFrame
        Of `effects`.
    margin : float
        The largest mean difference that counts as none; to be written down before one is seen.
    weighed : bool, default=False
        As in `random_effects`.

    Returns
    -------
    Equivalence
        The verdict of `crcen.study.statistics.within` on the 90% interval of `random_effects`: None
        if it cannot be told. The p-value, the larger of two one-sided ones, is that of the
        methods' being at least the margin apart; below 0.05 it shows that they are not.

    Raises
    ------
    ValueError
        If the margin is negative.

    Examples
    --------
    >>> found = pd.DataFrame({
    ...     "family": list("abcd"), "mean": [0.0, 0.01, -0.01, 0.02],
    ...     "variance": 1e-4, "splits": 10,
    ... })
    >>> equivalence(found, margin=0.03).verdict, equivalence(found, margin=0.01).verdict
    (True, None)
    """
    margin = check_number("margin", margin, NOT_NEGATIVE)
    pooled = random_effects(found, 0.9, weighed=weighed)
    room = margin - abs(pooled.mean)
    p = float(room <= 0) if pooled.se == 0 else stats.t.sf(room / pooled.se, pooled.df)
    return Equivalence(within(pooled.low, pooled.high, margin), pooled.low, pooled.high, float(p))


def meta_regression(
    found: pd.DataFrame,
    properties: pd.DataFrame,
    level: float = 0.95,
    adjust: Literal["holm", "fdr_bh"] = "holm",
    *,
    weighed: bool = False,
) -> pd.DataFrame:
    """Ask which properties of data sets go with a larger difference, all of them at once.

    Parameters
    ----------
    found : DataFrame
        Of `effects`.
    properties : DataFrame
        A row a set, a column a property, such as the logarithm of the imbalance ratio. For a
        property alone give one column.
    level : float, default=0.95
        Level of the intervals.
    adjust : {"holm", "fdr_bh"}
        How p-values are adjusted for the number of properties: Holm's bound on any false finding,
        or that of Benjamini and Hochberg on their share.
    weighed : bool, default=False
        As in `random_effects`.

    Returns
    -------
    DataFrame
        A row a property: coefficient, that is, how much larger the difference is for 1 more of the
        property with the others as they are; low, high, df, p, and adjusted. All are nan if a
        property is constant or follows from others, or if there are no more families than
        properties and one.

    Raises
    ------
    ValueError
        If a set has no row, or a property that is not finite.

    Examples
    --------
    >>> sets = list("abcdefgh")
    >>> found = pd.DataFrame({
    ...     "family": sets, "mean": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.9],
    ...     "variance": 0.001, "splits": 10,
    ... }, index=sets)
    >>> log_ratio = pd.DataFrame({"log IR": range(1, 9)}, index=sets)
    >>> meta_regression(found, log_ratio)[["coefficient", "low", "high"]].round(3)
            coefficient    low  high
    log IR        0.108  0.087  0.13
    """
    values = properties.reindex(found.index)
    if missing := [*found.index[~np.isfinite(values).all(axis=1)]]:
        raise ValueError(
            f"properties lacks finite values of {missing}: give them, or drop the sets."
        )
    fit = _fit(found, np.column_stack([np.ones(len(found)), values.to_numpy(float)]), weighed)
    columns = ["coefficient", "low", "high", "df", "p", "adjusted"]
    if fit is None:
        return pd.DataFrame(np.nan, index=values.columns, columns=columns)
    beta, se, df = (value[1:] for value in fit[:3])
    half = stats.t.isf((1 - level) / 2, df) * se
    p = np.array([_p(*each) for each in zip(beta, se, df, strict=True)])
    adjusted = multipletests(p, method=adjust)[1]
    table = np.column_stack([beta, beta - half, beta + half, df, p, adjusted])
    return pd.DataFrame(table, index=values.columns, columns=columns)


class Ranks(NamedTuple):
    """Ranks of methods with one vote a family.

    Attributes
    ----------
    mean : Series
        Mean rank of each method, the best first; 1 is the best.
    critical : float
        Nemenyi's difference, above which two of them are told apart.
    statistic, p : float
        Of Friedman's test that all methods are the same; nan of fewer than three.
    n_sets, n_families : int
        How many there are.
    """

    mean: pd.Series
    critical: float
    statistic: float
    p: float
    n_sets: int
    n_families: int


def ranks(
    scored: pd.DataFrame,
    score: str,
    families: Families | None = None,
    *,
    less_is_better: bool = False,
    level: float = 0.05,
) -> Ranks:
    """Rank methods over data sets, a family as one block.

    Methods are ranked on each set by their mean over the splits that all of them have, and in each
    family by their mean rank over its sets. So a block has whole ranks, as Friedman's test and
    Nemenyi's difference take it to have, and a family of ten sets counts as one of a single set.

    Parameters
    ----------
    scored : DataFrame
        The columns dataset, method, split, and one of the score. A set that lacks a method is left
        out: choose the methods.
    score : str
        The column.
    families : mapping, optional
        The family of each set; by default each set is one.
    less_is_better : bool, default=False
        Whether the least score has rank 1.
    level : float, default=0.05
        Of the critical difference.

    Returns
    -------
    Ranks
        What is found.

    Raises
    ------
    ValueError
        If a split of a set has several rows of a method, or a set no family.

    Examples
    --------
    >>> scored = pd.DataFrame({
    ...     "dataset": ["a", "a", "b", "b"], "method": ["A", "B"] * 2, "split": 0,
    ...     "f1": [0.5, 0.4, 0.7, 0.6],
    ... })
    >>> ranks(scored, "f1").mean.to_dict()
    {'A': 1.0, 'B': 2.0}
    """
    by_set = _paired(scored, score).dropna().groupby("dataset").mean()
    family = _family(by_set.index, families)
    by_set = by_set.round(12)  # what differs in the last digits only is a tie
    of_set = by_set.rank(axis=1, ascending=less_is_better)
    blocks = of_set.groupby(np.array(family, dtype=object)).mean().round(12).rank(axis=1)
    n, k = blocks.shape
    statistic = p = math.nan
    if k > 2 and n:
        tied = not blocks.to_numpy().std(axis=1).any()
        found = (0.0, 1.0) if tied else stats.friedmanchisquare(*blocks.to_numpy().T)
        statistic, p = (float(value) for value in found)
    return Ranks(
        blocks.mean().sort_values(kind="stable"),
        critical_difference(k, n, level) if k > 1 and n else math.nan,
        statistic,
        p,
        len(by_set),
        n,
    )


class Wins(NamedTuple):
    """Shares of data sets, with one vote a family, and how many sets and families there are."""

    above: float
    within: float
    below: float
    undecided: float
    n_sets: int
    n_families: int


def wins(found: pd.DataFrame, margin: float, level: float = 0.9) -> Wins:
    """Count the data sets on which a method differs from a baseline, with one vote a family.

    Parameters
    ----------
    found : DataFrame
        Of `effects`.
    margin : float
        The largest difference of a set that counts as none.
    level : float, default=0.9
        Level of the interval of each set, Student's with the variance of `steadied`. With 0 the
        mean difference counts alone.

    Returns
    -------
    Wins
        The share of sets whose interval is above the margin, within it on both sides, and below its
        opposite; a set whose interval reaches over a margin is undecided, and so is, with a
        margin and a level of 0, a tie. Nan without a set.

    Raises
    ------
    ValueError
        If the margin is negative.

    Examples
    --------
    >>> found = pd.DataFrame({
    ...     "family": ["abalone", "yeast", "yeast"], "mean": [0.2, 0.0, 0.04],
    ...     "variance": 1e-4, "splits": 10,
    ... })
    >>> wins(found, margin=0.05)
    Wins(above=0.5, within=0.25, below=0.0, undecided=0.25, n_sets=3, n_families=2)
    """
    margin = check_number("margin", margin, NOT_NEGATIVE)
    half = stats.t.isf((1 - level) / 2, found["splits"]) * np.sqrt(steadied(found))
    low, high = found["mean"] - half, found["mean"] + half
    told = [within(*ends, margin) for ends in zip(low, high, strict=True)]
    none, apart = (pd.Series([each is way for each in told], found.index) for way in (True, False))
    above, below = apart & (low > 0), apart & (high < 0)
    votes = _votes(found["family"])
    kinds = (above, none, below, ~(above | none | below))
    up, no, down, open_ = (float(votes[kind].sum()) if len(found) else math.nan for kind in kinds)
    return Wins(up, no, down, open_, len(found), found["family"].nunique())


class Free(NamedTuple):
    """A mean with one vote a family, its interval of a level, and a two-sided p-value."""

    mean: float
    low: float
    high: float
    level: float
    p: float


def without_model(found: pd.DataFrame, level: float = 0.95, seed: int = 0) -> Free:
    """Pool the differences of data sets by resampling families, without a normal law or weights.

    Parameters
    ----------
    found : DataFrame
        Of `effects`.
    level : float, default=0.95
        Level of the interval.
    seed : int, default=0
        Of the resampling.

    Returns
    -------
    Free
        The mean of the families' means; its percentile bootstrap interval, families being drawn
        whole (somewhat too narrow for few of them); and the p-value of flipping the families'
        signs, exact for 13 families or fewer. Nan of fewer than two.

    Examples
    --------
    >>> found = pd.DataFrame({"family": list("abcdef"), "mean": [0.2, 0.1, 0.4, 0.3, 0.2, 0.1]})
    >>> free = without_model(found)
    >>> round(free.mean, 3), free.p  # the best of 64 ways to give signs, and the worst
    (0.217, 0.03125)
    """
    means = found["mean"].groupby(found["family"]).mean().to_numpy(float)
    mean = float(means.mean()) if len(means) else math.nan
    if len(means) < 2:
        return Free(mean, math.nan, math.nan, level, math.nan)
    drawn = stats.bootstrap(
        (means,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    flipped = stats.permutation_test(
        (means,),
        lambda x, axis: x.mean(axis),
        permutation_type="samples",
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(seed),
    )
    low, high = drawn.confidence_interval
    return Free(mean, float(low), float(high), level, float(flipped.pvalue))
