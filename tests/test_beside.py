"""Tests beside packages of requirements-compare.txt; each is skipped where its package is missing.

MAPIE promises recall and precision as `choose_lam` does. XGBoost and LightGBM take a weight that
`audit` has to find, or to say that it cannot.
"""

import warnings

import numpy as np
import pytest
from conftest import RARE, SEED, Z
from scipy.special import expit, logit
from scipy.stats import binom, norm

from crcen import audit, choose_lam

WANTED, CONFIDENCE = {"recall": 0.9, "precision": 0.7}, 0.9
SAMPLES = 100


def random_rows(rng, n, share=0.2):
    """Log-likelihood ratios and labels of rows as they come, at a distance of 2."""
    y = (rng.random(n) < share).astype(int)
    return 2 * rng.normal(2.0 * y) - 2, y


def truth(cut, share=0.2):
    """Recall, specificity and precision above a cut, in the population."""
    found, false = norm.sf((cut - 2) / 2), norm.sf((cut + 2) / 2)
    precision = share * found / (share * found + (1 - share) * false)
    return {"recall": found, "specificity": 1 - false, "precision": precision}


def mapies_cuts(r, y, wish, method):
    """Where MAPIE says that a threshold keeps a wish: logits, from its grid of 99."""
    risk_control = pytest.importorskip(
        "mapie.risk_control", reason="MAPIE is not installed: see requirements-compare.txt"
    )
    grid = np.linspace(0.01, 0.99, 99)
    controller = risk_control.BinaryClassificationController(
        lambda X: np.column_stack([1 - expit(X[:, 0]), expit(X[:, 0])]),
        risk=wish,
        target_level=WANTED[wish],
        confidence_level=CONFIDENCE,
        list_predict_params=grid if wish == "recall" else grid[::-1],  # the strictest last or first
        fwer_method=method,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no threshold is valid
        controller.calibrate(r[:, None], y)
    return logit(np.asarray(controller.valid_predict_params, dtype=float))


def our_cut(r, y, wish):
    try:
        choice = choose_lam(
            r, y, **{wish: WANTED[wish]}, confidence=CONFIDENCE, lam="balanced", scores="logits"
        )
    except ValueError:
        return None
    return -np.log(choice.alpha)


@pytest.mark.parametrize("method", ["bonferroni_holm", "fixed_sequence"])
@pytest.mark.parametrize("n", [300, 3000])
def test_every_threshold_that_mapie_allows_for_a_recall_is_below_ours(method, n):
    """Its p-values bound from above the binomial ones, of which ours is the quantile."""
    rng, allowed = np.random.default_rng(SEED), 0
    for _ in range(20):
        r, y = random_rows(rng, n)
        cuts = mapies_cuts(r, y, "recall", method)
        allowed += cuts.size
        assert (cuts <= our_cut(r, y, "recall") + 1e-5).all()
    assert allowed > 0


@pytest.mark.parametrize(("wish", "other"), [("recall", "specificity"), ("precision", "recall")])
def test_both_keep_their_promises_and_ours_asks_for_no_more_than_mapies(wish, other):
    rng = np.random.default_rng(SEED)
    kept, costs = {"ours": 0, "MAPIE": 0}, []
    for _ in range(SAMPLES):
        r, y = random_rows(rng, 2000)
        ours, theirs = our_cut(r, y, wish), mapies_cuts(r, y, wish, "bonferroni_holm")
        theirs = (theirs.max() if wish == "recall" else theirs.min()) if theirs.size else None
        for name, cut in (("ours", ours), ("MAPIE", theirs)):
            kept[name] += cut is None or truth(cut)[wish] >= WANTED[wish]
        if ours is not None and theirs is not None:
            costs.append(truth(ours)[other] - truth(theirs)[other])
    assert min(kept.values()) >= binom.ppf(RARE, SAMPLES, CONFIDENCE)
    assert np.mean(costs) > Z * np.std(costs) / len(costs) ** 0.5


# A weight that boosting was given


def draw(rng, n):
    """Four columns, of which two tell the classes apart: their logit is a sum of functions."""
    y = (rng.random(n) < 0.1).astype(int)
    X = rng.normal(size=(n, 4))
    X[:, :2] += y[:, None] * [1.5, 1.0]
    return X, y


def boosted(package, weight, rng, **how):
    """Labels and probabilities of fresh rows, and the class counts of the training."""
    name = {"xgboost": "XGBClassifier", "lightgbm": "LGBMClassifier"}[package]
    module = pytest.importorskip(
        package, reason=f"{package} is not installed: see requirements-compare.txt"
    )
    if package == "lightgbm":
        how |= {"verbose": -1}
    model = getattr(module, name)(scale_pos_weight=weight, n_jobs=1, random_state=0, **how)
    X, y = draw(rng, 20_000)
    fresh, labels = draw(rng, 20_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the packages about each other
        p = model.fit(X, y).predict_proba(fresh)[:, 1]
    return labels, p.astype(float), (int(y.sum()), int((1 - y).sum()))


PACKAGES = pytest.mark.parametrize("package", ["xgboost", "lightgbm"])


@PACKAGES
@pytest.mark.parametrize("weight", [1.0, 9.0, 30.0])
def test_the_weight_of_stumps_which_the_classes_ask_for_is_found(package, weight):
    stumps = {"max_depth": 1, "n_estimators": 300, "learning_rate": 0.1}
    labels, p, train = boosted(package, weight, np.random.default_rng(SEED), **stumps)
    found = audit(labels, p, train=train)
    low, high = found.interval(1 - RARE)
    assert low <= weight / (1 + weight) <= high
    assert high - low < 0.1
    assert found.line.slope == pytest.approx(1, abs=Z * found.line.slope_error)
    assert found.shift_back(p).sum() == pytest.approx(labels.sum(), rel=0.15)


@PACKAGES
@pytest.mark.parametrize(("how", "sign"), [({}, -1), ({"n_estimators": 10}, 1)])
def test_trees_that_hide_the_weight_are_told_by_the_slope(package, how, sign):
    """As they come they have overfitted; the first ten with a small step have not begun."""
    if how:
        how = how | {"max_depth": 2, "learning_rate": 0.1}
    labels, p, train = boosted(package, 30.0, np.random.default_rng(SEED), **how)
    found = audit(labels, p, train=train)
    assert found.lam < 30 / 31
    assert not found.interval()[0] <= 30 / 31 <= found.interval()[1]
    assert sign * (found.line.slope - 1) > Z * found.line.slope_error
