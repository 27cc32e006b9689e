"""Tests of crcen.classifiers: scikit-learn's interface, oracles in closed form, and Eq. 6."""

import ast
import inspect
import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import SEED
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import least_squares
from scipy.special import expit
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import d2_log_loss_score, log_loss, r2_score, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.estimator_checks import parametrize_with_checks

from crcen.classifiers import CRCENClassifier, CSMLPClassifier
from crcen.key_equation import key_equation
from crcen.network import Network, Objective
from crcen.theory.simulations import sim2

torch.set_num_threads(1)

both = pytest.mark.parametrize("classifier", [CRCENClassifier, CSMLPClassifier])
LAMS = [0.2, 0.5, "balanced", 0.98]
RNG = np.random.default_rng(SEED)
X, Y = sim2(25, 120, RNG)  # the classes overlap
S = RNG.uniform(0.2, 3, len(Y))
COUNTS = RNG.integers(0, 4, len(Y))
ROWS, NOISE = RNG.normal(size=(2000, 3)), RNG.normal(size=2000)


# How far apart a weight may end that is fitted twice: a gradient of 1e-8, over the curvature of the
# penalty 1e-3, which is 2e-3, in a few directions.
AGAIN = 2e-5


def tight(classifier=CRCENClassifier, hidden=(), **parameters):
    """Return a classifier that runs to a gradient of 1e-8, a little above what rounding allows."""
    defaults = {"tol": 1e-8, "max_iter": 20_000, "random_state": SEED}
    return classifier(hidden, **(defaults | parameters))


def parameters(fitted):
    """Weights and biases in the order in which `Objective` takes them."""
    layers = zip(fitted.coefs_, fitted.intercepts_, strict=True)
    return np.concatenate([a.ravel() for layer in layers for a in layer])


def objective(fitted, X, y):
    """What a classifier minimised, or one of its weight would minimise."""
    sizes = X.shape[1], *fitted.hidden_layer_sizes, 1
    weight = np.where(y, fitted.lam_, 1 - fitted.lam_)
    network = Network(sizes, fitted.activation)
    return Objective(network, fitted._loss, X, y.astype(float), weight, fitted.l2_)


# scikit-learn's interface


# The checks fit columns of mean 100 and noise, on which 500 iterations and more do not converge:
# the classifiers say so, and the checks are not about that. One of them compares two fits to 1e-7,
# which takes a gradient far below that.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [c(tol=1e-10, max_iter=500) for c in (CRCENClassifier, CSMLPClassifier)],
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@both
def test_defaults_in_the_docstring_are_those_of_the_signature(classifier):
    found = re.findall(r"^(\w+) : .*default=(.+)$", inspect.getdoc(classifier), re.MULTILINE)
    signature = inspect.signature(classifier).parameters
    assert {name: ast.literal_eval(default) for name, default in found} == {
        name: parameter.default for name, parameter in signature.items()
    }


@both
def test_fitted_attributes_are_those_of_the_docstring(classifier):
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    fitted = classifier((4,), random_state=SEED).fit(frame, Y)
    text = inspect.getdoc(classifier).split("Attributes\n")[1].split("References\n")[0]
    documented = set(re.findall(r"^(\w+_) : ", text, re.MULTILINE))
    assert {name for name in vars(fitted) if name.endswith("_")} == documented


@both
def test_fitted_attributes_have_plain_types_and_the_right_shapes(classifier):
    fitted = classifier((4, 3), random_state=SEED).fit(X, Y)
    assert [W.shape for W in fitted.coefs_] == [(3, 4), (4, 3), (3, 1)]
    assert [b.shape for b in fitted.intercepts_] == [(4,), (3,), (1,)]
    for array in (*fitted.coefs_, *fitted.intercepts_):
        assert type(array) is np.ndarray
        assert array.dtype == np.float64
    assert_array_equal(fitted.classes_, [0, 1])
    assert type(fitted.n_iter_) is int
    assert [type(v) for v in (fitted.lam_, fitted.loss_, fitted.grad_norm_)] == [float] * 3
    assert fitted.grad_norm_ <= fitted.tol


@both
def test_a_clone_has_the_parameters_and_not_the_fit(classifier):
    fitted = classifier((3,), lam=0.7, l2=0.1, activation="tanh", random_state=SEED).fit(X, Y)
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "coefs_")


@both
def test_a_pickle_predicts_the_same(classifier):
    fitted = classifier((3,), random_state=SEED).fit(X, Y)
    loaded = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(loaded.coefs_[0], fitted.coefs_[0])
    assert_allclose(loaded.predict_proba(X), fitted.predict_proba(X))


@both
def test_the_seed_fixes_the_fit(classifier):
    seeds = SEED, SEED, SEED + 1
    first, again, other = (tight(classifier, (3,), random_state=s).fit(X, Y) for s in seeds)
    assert_allclose(first.coefs_[0], again.coefs_[0], atol=AGAIN)
    assert abs(first.coefs_[0] - other.coefs_[0]).max() > 1e-3


@both
def test_grid_search_chooses_among_the_parameters(classifier):
    grid = {"hidden_layer_sizes": [(), (3,)], "lam": [0.5, "balanced"], "l2": [1e-2]}
    search = GridSearchCV(classifier(random_state=SEED), grid, cv=2, scoring="f1").fit(X, Y)
    assert search.best_params_.keys() == grid.keys()
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_resampling_pipeline_is_resampling_by_hand():
    sampler = RandomOverSampler(random_state=SEED)
    pipeline = make_pipeline(sampler, tight(lam=0.5)).fit(X, Y)
    by_hand = tight(lam=0.5).fit(*sampler.fit_resample(X, Y))
    assert_allclose(pipeline.predict_proba(X), by_hand.predict_proba(X), atol=1e-6)


@both
def test_a_data_frame_gives_the_fit_of_its_values_and_its_names(classifier):
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    from_frame = tight(classifier, (3,)).fit(frame, pd.Series(Y))
    from_array = tight(classifier, (3,)).fit(X, Y)
    assert_array_equal(from_frame.feature_names_in_, ["a", "b", "c"])
    assert_allclose(from_frame.predict_proba(frame), from_array.predict_proba(X), atol=AGAIN)


@both
def test_string_labels_are_the_sorted_classes_0_and_1(classifier):
    named = tight(classifier, (3,)).fit(X, np.where(Y == 1, "yes", "no"))
    coded = tight(classifier, (3,)).fit(X, Y)
    assert_array_equal(named.classes_, ["no", "yes"])
    assert_allclose(named.predict_proba(X), coded.predict_proba(X), atol=AGAIN)
    assert_array_equal(named.predict(X) == "yes", named.predict_proba(X)[:, 1] > 0.5)


@pytest.fixture
def _every_torch_warning():
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(before)


@pytest.mark.usefixtures("_every_torch_warning")
@pytest.mark.parametrize("layout", ["backwards", "read-only", "by column", "every other"])
def test_any_layout_in_memory_is_taken(layout):
    rows = {
        "backwards": X[::-1],
        "read-only": np.broadcast_to(X, X.shape),
        "by column": np.asfortranarray(X),
        "every other": np.repeat(X, 2, axis=0)[::2],
    }[layout]
    fitted = CRCENClassifier((3,), random_state=SEED).fit(rows, Y)
    copied = CRCENClassifier((3,), random_state=SEED).fit(rows.copy(), Y)
    assert_allclose(fitted.predict_proba(rows), copied.predict_proba(rows.copy()), rtol=1e-9)


# Which label is weighted

BAD = np.where(Y == 1, "bad", "good")  # the minority, whose label is the smaller


@both
def test_the_label_that_lambda_weights_can_be_the_smaller(classifier):
    named = tight(classifier, lam=0.9, l2=1e-2, positive="bad").fit(X, BAD)
    coded = tight(classifier, lam=0.9, l2=1e-2).fit(X, Y)
    assert (named.lam_, named.positive_, coded.positive_) == (0.9, "bad", 1)
    value, gradient = objective(coded, X, Y)(-parameters(named))
    assert value == pytest.approx(named.loss_)
    assert abs(gradient).max() < 2e-8
    if classifier is CRCENClassifier:  # which has one minimum, without a hidden layer
        assert_allclose(named.predict_proba(X)[:, 0], coded.predict_proba(X)[:, 1], atol=1e-6)


@pytest.mark.parametrize(("positive", "lam"), [("bad", 0.9), ("good", 0.1)])
def test_all_else_is_scikit_learns_of_the_same_class_weights(positive, lam):
    fitted = tight(lam=lam, l2=0.0, positive=positive).fit(X, BAD)
    oracle = LogisticRegression(
        C=np.inf, class_weight={"bad": 0.9, "good": 0.1}, solver="newton-cholesky", tol=1e-10
    ).fit(X, BAD)
    assert_array_equal(fitted.classes_, oracle.classes_)
    assert_allclose(fitted.decision_function(X), oracle.decision_function(X), atol=1e-5)
    assert_allclose(fitted.predict_proba(X), oracle.predict_proba(X), atol=1e-6)
    assert_array_equal(fitted.predict(X), fitted.classes_[fitted.predict_proba(X).argmax(1)])


def test_eq_6_holds_for_the_smaller_label():
    fitted = tight(hidden=(4,), lam=0.9, positive="bad").fit(X, BAD)
    p = fitted.predict_proba(X)[:, 0]
    assert abs(key_equation(BAD == "bad", p, fitted.lam_).residual) < 1e-6


@both
def test_the_larger_label_is_what_is_weighted_by_default(classifier):
    default, said = (classifier((3,), lam=0.9, random_state=SEED, positive=p) for p in (None, 1))
    assert_array_equal(default.fit(X, Y).coefs_[0], said.fit(X, Y).coefs_[0])
    assert default.positive_ == said.positive_ == 1


@both
@pytest.mark.parametrize("s", [None, S], ids=["unweighted", "weighted"])
def test_balanced_is_the_same_fit_for_either_label(classifier, s):
    one, other = (tight(classifier, l2=1e-2, positive=p).fit(X, BAD, s) for p in ("bad", "good"))
    assert one.lam_ == pytest.approx(1 - other.lam_)
    assert one.lam_ == pytest.approx(np.average(BAD == "good", weights=s))
    assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=1e-5)


@both
def test_a_weight_that_falls_on_the_majority_by_its_label_says_so(classifier):
    with pytest.warns(UserWarning, match=r"^lam=0\.95 weights 'good', the majority") as caught:
        classifier((), lam=0.95, random_state=SEED).fit(X, BAD)
    [warning] = caught
    for told in ("120 rows", "'bad' with 25", "positive='bad'", "positive='good'"):
        assert told in str(warning.message)
    assert warning.filename == __file__


@both
def test_rows_are_counted_by_their_weights_in_the_message_too(classifier):
    fitted = classifier((), lam=0.7, random_state=SEED)
    s = np.where(Y == 1, 3.0, 0.5)  # 75 of class 1 and 60 of class 0
    with pytest.warns(
        UserWarning, match=r"weights 1, the majority with 75 rows, and not 0 with 60"
    ):
        fitted.fit(X, Y, s)
    fitted.fit(X, 1 - Y, s)


# Warnings are errors here.
@both
@pytest.mark.parametrize(
    ("y", "given"),
    [
        (BAD, {"lam": "balanced"}),
        (BAD, {"lam": 0.5}),
        (BAD, {"lam": 0.9, "positive": "good"}),
        (BAD, {"lam": 0.9, "positive": "bad"}),
        (Y, {"lam": 0.9}),
    ],
)
def test_no_other_weight_says_so(classifier, y, given):
    classifier((), random_state=SEED, l2=1e-2, **given).fit(X, y)


@both
def test_weights_that_balance_the_classes_leave_no_majority(classifier):
    for y in (Y, 1 - Y):
        s = compute_sample_weight("balanced", y)
        classifier((), lam=0.7, random_state=SEED).fit(X, y, s)


@both
def test_the_weighted_label_goes_through_pipelines_searches_clones_and_pickles(classifier):
    model = make_pipeline(StandardScaler(), classifier((), positive="bad", random_state=SEED))
    grid = {f"{classifier.__name__.lower()}__lam": [0.5, 0.9]}
    search = GridSearchCV(clone(model), grid, cv=2, scoring="roc_auc").fit(X, BAD)
    fitted = pickle.loads(pickle.dumps(search)).best_estimator_[-1]
    assert fitted.positive_ == fitted.get_params()["positive"] == "bad"


@both
@pytest.mark.parametrize(
    "positive",
    [
        *("awful", 1, np.nan, pd.NA, ["bad"], np.array(["bad", "good"]), ("bad", "good")),
        torch.ones(3),  # its comparison with a label is no yes or no
    ],
)
def test_a_weighted_label_that_is_none_of_them(classifier, positive):
    with pytest.raises(ValueError, match=r"must be one of the labels of y, \['bad', 'good'\]") as e:
        classifier(positive=positive).fit(X, BAD)
    assert str(e.value).startswith(f"positive={positive!r} ")


@both
def test_class_weight_is_refused_with_what_says_the_same(classifier):
    with pytest.raises(
        TypeError, match=rf"^{classifier.__name__}\.__init__\(\) .*'class_weight'.*lam='balanced'"
    ):
        classifier(class_weight="balanced")
    with pytest.raises(ValueError, match=r"'class_weight'.*'lam'"):  # scikit-learn's
        classifier().set_params(class_weight="balanced")
    assert {*inspect.signature(classifier).parameters} == {*classifier().get_params()}
    w0, w1 = 1.0, 3.0
    ours = tight(lam=w1 / (w0 + w1), l2=0.0).fit(X, Y)
    oracle = LogisticRegression(C=np.inf, class_weight={0: w0, 1: w1}, tol=1e-8, max_iter=1000)
    assert_allclose(ours.coefs_[0][:, 0], oracle.fit(X, Y).coef_[0], atol=1e-4)


# What the outputs mean


def test_probabilities_are_the_sigmoid_of_the_logit():
    fitted = CRCENClassifier((3,), random_state=SEED).fit(X, Y)
    p = expit(fitted.decision_function(X))
    assert_allclose(fitted.predict_proba(X), np.column_stack([1 - p, p]))


def test_probabilities_of_csmlp_are_its_tanh_on_0_1():
    fitted = CSMLPClassifier((3,), random_state=SEED).fit(X, Y)
    p = (1 + np.tanh(fitted.decision_function(X))) / 2
    assert_allclose(fitted.predict_proba(X), np.column_stack([1 - p, p]))


@both
def test_the_predicted_class_is_the_more_probable(classifier):
    fitted = classifier((3,), random_state=SEED).fit(X, Y)
    assert_array_equal(fitted.predict(X), fitted.predict_proba(X).argmax(axis=1))


@pytest.mark.parametrize("lam", LAMS)
@pytest.mark.parametrize("hidden", [(), (3,)])
def test_loss_is_the_weighted_log_loss_plus_the_penalty_of_the_weights(lam, hidden):
    fitted = CRCENClassifier(hidden, lam=lam, l2=0.01, random_state=SEED).fit(X, Y, S)
    weight = S * np.where(Y == 1, fitted.lam_, 1 - fitted.lam_)
    loss = log_loss(Y, fitted.predict_proba(X), sample_weight=weight)
    penalty = fitted.l2_ * sum((W**2).sum() for W in fitted.coefs_)
    assert fitted.loss_ == pytest.approx(loss + penalty)


def test_lam_one_half_minimises_plain_cross_entropy():
    fitted = CRCENClassifier((3,), lam=0.5, l2=0.01, random_state=SEED).fit(X, Y)
    penalty = fitted.l2_ * sum((W**2).sum() for W in fitted.coefs_)
    assert fitted.loss_ == pytest.approx(log_loss(Y, fitted.predict_proba(X)) + penalty)


@both
@pytest.mark.parametrize("lam", LAMS)
def test_the_penalty_is_as_strong_as_the_shares_of_the_classes_leave_it(classifier, lam):
    fitted = classifier((), lam=lam, l2=0.01).fit(X, Y, S)
    weight = S * np.where(Y == 1, fitted.lam_, 1 - fitted.lam_)
    assert fitted.l2_ == pytest.approx(0.04 * np.cov(Y, aweights=weight, ddof=0))
    if lam == "balanced":
        assert fitted.l2_ == pytest.approx(0.01)


@pytest.mark.parametrize("lam", LAMS)
def test_d2_is_scikit_learns_share_of_the_log_loss(lam):
    fitted = CRCENClassifier((3,), lam=lam, random_state=SEED).fit(X, Y, S)
    weight = S * np.where(Y == 1, fitted.lam_, 1 - fitted.lam_)
    expected = d2_log_loss_score(Y, fitted.predict_proba(X), sample_weight=weight)
    assert fitted.d2_ == pytest.approx(expected)


def test_d2_of_csmlp_is_the_share_of_the_weighted_variance():
    fitted = CSMLPClassifier((3,), lam=0.7, random_state=SEED).fit(X, Y, S)
    weight = S * np.where(Y == 1, 0.7, 0.3)
    expected = r2_score(2 * Y - 1, np.tanh(fitted.decision_function(X)), sample_weight=weight)
    assert fitted.d2_ == pytest.approx(expected)


@both
def test_a_fit_as_good_as_a_constant_says_so(classifier):
    with pytest.warns(
        ConvergenceWarning, match=r"no better than a constant .*lower l2 \(now 1000\)"
    ):
        fitted = classifier(l2=1000.0, random_state=SEED).fit(X, Y)
    assert fitted.d2_ < 1e-4


@both
@pytest.mark.parametrize("share", [0.5, 0.05, 0.001])
def test_tolerance_and_penalty_mean_the_same_at_every_base_rate(classifier, share):
    rng = np.random.default_rng(SEED)
    n = 40_000
    y = rng.permutation(n) < share * n
    rows = rng.normal(size=(n, 2)) + y[:, None]
    given = {"lam": 0.5, "l2": 1e-3, "random_state": SEED}
    plain, exact = (classifier((), tol=tol, **given).fit(rows, y) for tol in (1e-3, 1e-7))
    auc, reference = (roc_auc_score(y, m.decision_function(rows)) for m in (plain, exact))
    assert auc == pytest.approx(reference, abs=1e-2)
    # The squared error is not convex: of 40 minority rows it may follow a few.
    if classifier is CRCENClassifier:
        free = LogisticRegression(C=np.inf).fit(rows, y)
        assert auc > roc_auc_score(y, free.decision_function(rows)) - 0.02
        sides = key_equation(y.astype(int), plain.predict_proba(rows)[:, 1], 0.5)
        assert abs(sides.residual) <= 1.001e-3


# Warm starts


@both
def test_a_warm_start_begins_where_the_last_fit_ended(classifier):
    model = tight(classifier, (3,), l2=1e-2, warm_start=True).fit(X, Y)
    assert model.fit(X, Y).n_iter_ == 0
    before = model.coefs_[0]
    cold = tight(classifier, (3,), l2=1e-3, max_iter=1)
    with pytest.warns(ConvergenceWarning):
        near, far = model.set_params(l2=1e-3, max_iter=1).fit(X, Y), cold.fit(X, Y)
    assert abs(near.coefs_[0] - before).max() < 0.1 < abs(far.coefs_[0] - before).max()


@both
@pytest.mark.parametrize("change", [{"hidden_layer_sizes": (4,)}, {"activation": "tanh"}])
def test_another_shape_starts_anew(classifier, change):
    model = classifier((3,), warm_start=True, random_state=SEED).fit(X, Y)
    anew = classifier(random_state=SEED, **({"hidden_layer_sizes": (3,)} | change)).fit(X, Y)
    assert_array_equal(model.set_params(**change).fit(X, Y).coefs_[0], anew.coefs_[0])


@both
def test_balanced_is_the_inverse_class_frequency(classifier):
    assert classifier(()).fit(X, Y).lam_ == pytest.approx(120 / 145)


@both
def test_balanced_counts_the_sample_weights(classifier):
    assert classifier(()).fit(X, Y, S).lam_ == pytest.approx(S[Y == 0].sum() / S.sum())


# Oracles


@pytest.mark.parametrize("l2", [0.0, 1e-3, 0.3])
@pytest.mark.parametrize("lam", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("s", [None, S], ids=["unweighted", "weighted"])
def test_no_hidden_layer_is_scikit_learns_logistic_regression(lam, l2, s):
    fitted = tight(lam=lam, l2=l2).fit(X, Y, s)
    # Its objective, sum of weighted losses + ||w||^2 / (2 C), is ours times the sum of weights.
    total = (np.where(Y == 1, lam, 1 - lam) * (1 if s is None else s)).sum()
    oracle = LogisticRegression(
        C=1 / (2 * fitted.l2_ * total) if l2 else np.inf,
        class_weight={0: 1 - lam, 1: lam},
        solver="newton-cholesky",
        tol=1e-10,
    ).fit(X, Y, s)
    assert_allclose(fitted.coefs_[0][:, 0], oracle.coef_[0], atol=1e-6)
    assert_allclose(fitted.intercepts_[0], oracle.intercept_, atol=1e-6)


def test_lam_one_half_is_unweighted_logistic_regression():
    fitted = tight(lam=0.5, l2=0.01).fit(X, Y)
    oracle = LogisticRegression(C=1 / (2 * fitted.l2_ * len(Y)), tol=1e-10, max_iter=1000).fit(X, Y)
    assert_allclose(fitted.predict_proba(X), oracle.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("lam", [0.3, 0.9])
def test_csmlp_without_hidden_layer_is_nonlinear_least_squares(lam):
    fitted = tight(CSMLPClassifier, lam=lam, l2=0.01).fit(X, Y, S)
    weight = S * np.where(Y == 1, lam, 1 - lam)

    def residuals(theta):
        errors = np.where(Y == 1, 1, -1) - np.tanh(X @ theta[:3] + theta[3])
        return np.concatenate(
            [np.sqrt(weight / weight.sum()) * errors, np.sqrt(fitted.l2_) * theta[:3]]
        )

    found = parameters(fitted)  # one of several minima, perhaps
    oracle = least_squares(residuals, found + 0.01, xtol=1e-15, ftol=1e-15, gtol=1e-15)
    assert_allclose(found, oracle.x, atol=1e-6)


@both
@pytest.mark.parametrize("lam", [0.7, "balanced"])
@pytest.mark.parametrize("hidden", [(), (3,)])
def test_a_row_of_weight_k_counts_as_k_rows(classifier, lam, hidden):
    k = COUNTS
    weighted = tight(classifier, hidden, lam=lam, l2=0.01).fit(X, Y, k)
    repeated = tight(classifier, hidden, lam=lam, l2=0.01).fit(np.repeat(X, k, 0), np.repeat(Y, k))
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-6)


@both
@pytest.mark.parametrize("lam", [0.3, "balanced"])
def test_exchanging_the_labels_and_the_weights_exchanges_the_probabilities(classifier, lam):
    other = lam if lam == "balanced" else 1 - lam
    fitted = tight(classifier, lam=lam).fit(X, Y)
    exchanged = tight(classifier, lam=other, positive=1).fit(X, 1 - Y)
    value, gradient = objective(fitted, X, Y)(-parameters(exchanged))
    assert value == pytest.approx(exchanged.loss_)
    assert abs(gradient).max() < 2e-8
    if classifier is CRCENClassifier:  # which has one minimum, without a hidden layer
        assert_allclose(exchanged.predict_proba(X)[:, ::-1], fitted.predict_proba(X), atol=1e-6)


# The key equation


def residual(fitted, s=None):
    return key_equation(Y, fitted.predict_proba(X)[:, 1], fitted.lam_, s).residual


@pytest.mark.parametrize("lam", LAMS)
@pytest.mark.parametrize("start", [0, 1, 2])
def test_eq_6_holds_for_every_weight_and_start(lam, start):
    fitted = tight(hidden=(4,), lam=lam, random_state=SEED + start).fit(X, Y)
    assert abs(residual(fitted)) < 1e-6


@pytest.mark.parametrize("hidden", [(), (4,), (4, 3), (4, 3, 2)])
@pytest.mark.parametrize("activation", ["logistic", "tanh", "identity"])
def test_eq_6_holds_for_every_depth_and_activation(hidden, activation):
    fitted = tight(hidden=hidden, activation=activation, l2=1e-4).fit(X, Y)
    assert abs(residual(fitted)) < 1e-6


def test_eq_6_holds_without_a_penalty_where_the_classes_overlap():
    assert abs(residual(tight(l2=0.0).fit(X, Y))) < 1e-6


@pytest.mark.parametrize("lam", LAMS)
def test_eq_6_holds_with_sample_weights(lam):
    assert abs(residual(tight(hidden=(4,), lam=lam).fit(X, Y, S), S)) < 1e-6


# Warnings and errors: each names the parameter, its value and the remedy


HARD = {
    "separable": (np.linspace(-3, 3, 2000)[:, None], (np.linspace(-3, 3, 2000) > 1).astype(int)),
    "constant columns": (np.full((2000, 3), 7.0), NOISE > 1.5),
    "one minority row": (ROWS, np.arange(2000) == 0),
    "huge features": (1e6 * ROWS, NOISE > 1.5),
    "features beyond single precision": (1e200 * ROWS, NOISE > 1.5),
    "tiny features": (1e-300 * ROWS, NOISE > 1.5),
    "features of every scale": (ROWS * [1e-5, 1, 1e5], NOISE > 1.5),
}


@both
@pytest.mark.parametrize("hidden", [(), (4,), (4, 3)])
@pytest.mark.parametrize("case", HARD)
def test_hard_data_ends_with_numbers_and_an_honest_report(classifier, case, hidden):
    X, y = HARD[case]
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        fitted = classifier(hidden, l2=0.0, max_iter=300, random_state=SEED).fit(X, y)
    expected = fitted.grad_norm_ > fitted.tol or fitted.d2_ < 1e-4
    assert [warning.category for warning in warned] == [ConvergenceWarning] * expected
    assert fitted.n_iter_ <= 300
    assert all(np.isfinite(a).all() for a in fitted.coefs_ + fitted.intercepts_)
    F = objective(fitted, X, y)
    _, gradient = F(parameters(fitted))
    rounding = 1e-12 + 1e-15 * abs(X).max()
    relative = abs(gradient).max() / max(F.error, 1e-300)
    assert fitted.grad_norm_ == pytest.approx(relative, rel=1e-6, abs=rounding)


@both
def test_rows_of_weight_zero_are_as_if_absent(classifier):
    fitted = tight(classifier).fit(X, Y, np.where(np.arange(len(Y)) % 3, 1.0, 0.0))
    kept = np.arange(len(Y)) % 3 > 0
    absent = tight(classifier).fit(X[kept], Y[kept])
    assert_allclose(fitted.predict_proba(X), absent.predict_proba(X), atol=1e-6)


@both
def test_the_number_of_threads_changes_nothing(classifier):
    X, y = np.tile(ROWS, (20, 1)), np.tile(NOISE > 1.5, 20)
    coefs = []
    for n_threads in (1, 2):
        torch.set_num_threads(n_threads)
        coefs.append(classifier(random_state=SEED, tol=1e-4).fit(X, y).coefs_[0])
        assert torch.get_num_threads() == n_threads
    torch.set_num_threads(1)
    assert_allclose(*coefs, rtol=1e-12)


@both
def test_a_run_cut_short_says_how_far_it_came(classifier):
    model = classifier(max_iter=2, random_state=SEED)
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(X, Y)
    (message,) = [str(warning.message) for warning in caught]
    assert message.startswith(f"{classifier.__name__} stopped after 2 iterations")
    assert f"relative gradient of {model.grad_norm_:.1e}, above tol=1e-06" in message
    assert "raise max_iter (now 2), scale the columns of X, or raise l2" in message
    assert model.grad_norm_ > model.tol


SIZES_REMEDY = "must be a sequence of positive integers: write (10,) for one hidden layer"


@both
@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        *(("lam", v, "strictly between 0 and 1") for v in (0, 1, 1.5, np.nan, "auto", True, None)),
        *(("lam", v, "Or set lam='balanced'") for v in (0, "auto", True)),
        *(("hidden_layer_sizes", v, SIZES_REMEDY) for v in ((0,), (5, -1), 10, 2.5, (2.5,), "10")),
        *(("l2", v, "must be zero or more and finite") for v in (-1, np.nan, np.inf)),
        *(("tol", v, "must be positive and finite") for v in (0, -1.0, np.nan)),
        ("l2", "a", "must be a number"),
        ("tol", None, "must be a number"),
        *(("random_state", v, "must be an integer from 0 to 2**32 - 1") for v in (-1, "a", 2**40)),
        ("hidden_layer_sizes", (10**9,), "must make fewer parameters"),
        *(("max_iter", v, "must be an integer of 1 or more") for v in (0, -1, 2.5, "all")),
        ("activation", "swish", "must be one of logistic, tanh, relu, identity"),
        ("activation", None, "must be one of logistic, tanh, relu, identity"),
    ],
)
def test_a_parameter_out_of_range(classifier, name, value, remedy):
    with pytest.raises(ValueError, match=re.escape(remedy)) as error:
        classifier(**{name: value}).fit(X, Y)
    assert str(error.value).startswith(f"{name}={value!r} ")


@both
def test_labels_of_one_class(classifier):
    with pytest.raises(ValueError, match=r"y has .* one class only, \[1.*\]: .* needs two classes"):
        classifier().fit(X, np.ones(len(X)))


@both
def test_one_class_left_by_zero_weights(classifier):
    with pytest.raises(ValueError, match=r"positive weight in one class only, \[0\]: .* two class"):
        classifier().fit(X, Y, sample_weight=1 - Y)


@both
@pytest.mark.parametrize(
    ("y", "shown"), [(np.arange(len(Y)) % 3, "[0, 1, 2]"), (["a", "b", "c"] * 48 + ["a"], "['a',")]
)
def test_more_than_two_classes(classifier, y, shown):
    with pytest.raises(ValueError, match=re.escape(f"y has the 3 classes {shown}")) as error:
        classifier().fit(X, y)
    assert "choose one class against the rest" in str(error.value)


@both
@pytest.mark.parametrize(("cell", "named"), [(np.nan, "X contains NaN"), (np.inf, "X .*infinity")])
def test_a_cell_that_is_not_a_number(classifier, cell, named):
    bad = X.copy()
    bad[3, 1] = cell
    with pytest.raises(ValueError, match=named):
        classifier().fit(bad, Y)
    with pytest.raises(ValueError, match=named):
        classifier(()).fit(X, Y).predict(bad)


@both
def test_a_negative_sample_weight(classifier):
    s = np.ones(len(Y))
    s[7] = -0.5
    with pytest.raises(
        ValueError, match=r"sample_weight .*-0\.5 in row 7: give finite weights of zero or"
    ):
        classifier().fit(X, Y, s)


@both
def test_a_sample_weight_that_is_not_a_number(classifier):
    with pytest.raises(ValueError, match="sample_weight has the value nan in row 0: give"):
        classifier().fit(X, Y, np.full(len(Y), np.nan))


@both
@pytest.mark.parametrize("missing", [None, {"a": 1}])
def test_labels_of_several_kinds(classifier, missing):
    y = np.where(Y == 1, "a", "b").astype(object)
    y[3] = missing
    with pytest.raises(ValueError, match="y has labels of several kinds, which have no order"):
        classifier().fit(X, y)


@both
def test_a_wrong_call_names_the_classifier(classifier):
    name = classifier.__name__
    with pytest.raises(TypeError, match=rf"^{name}\.__init__\(\) .*'classweight'"):
        classifier(classweight="balanced")
    with pytest.raises(TypeError, match=rf"^{name}\.fit\(\) missing .*'y'"):
        classifier().fit(X)


# A fit that does not end


def unchanged(clf, act, error):
    """Whether a failing act leaves the classifier as it was."""
    state = {name: str(value) for name, value in vars(clf).items()}
    with pytest.raises(error):
        act()
    return {name: str(value) for name, value in vars(clf).items()} == state


@both
@pytest.mark.parametrize("y", [np.arange(len(Y)) % 3, np.full(len(Y), "c"), np.full(3, 1)])
def test_a_refit_that_fails_leaves_the_last_fit(classifier, y):
    clf = classifier((2,), tol=1e-3, random_state=0).fit(X, np.where(Y == 1, "b", "a"))
    before = clf.predict(X)
    assert unchanged(clf, lambda: clf.fit(X[:, :2], y), ValueError)
    assert_array_equal(clf.predict(X), before)


@both
def test_a_first_fit_that_fails_leaves_no_fit(classifier):
    clf = classifier()
    assert unchanged(clf, lambda: clf.fit(X, np.ones(len(Y))), ValueError)
    with pytest.raises(NotFittedError):
        clf.predict(X)


# minimize is where the time goes; the attributes of the data are set before it.
@both
def test_a_refit_that_is_interrupted_leaves_the_last_fit(classifier, monkeypatch):
    clf = classifier((2,), tol=1e-3, random_state=0).fit(X, Y)
    clf.set_params(lam=0.9, positive=1)

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("crcen.weighted_mlp.minimize", interrupt)
    assert unchanged(clf, lambda: clf.fit(X[:, :1], 1 - Y), KeyboardInterrupt)


@both
def test_parameters_set_after_a_fit_wait_for_the_next(classifier):
    clf = classifier((2,), tol=1e-3, random_state=0).fit(X, Y)
    before = clf.predict_proba(X)
    clf.set_params(activation="relu", lam=0.9, hidden_layer_sizes=(5, 5))
    assert_array_equal(clf.predict_proba(X), before)


# Weights at the ends of a float's range: only their proportions matter


@both
@pytest.mark.parametrize("unit", [1e308, 5e-324, 3e-200])
def test_the_unit_of_the_weights_does_not_matter(classifier, unit):
    expected = tight(classifier, lam="balanced").fit(X, Y)
    clf = tight(classifier, lam="balanced").fit(X, Y, np.full(len(Y), unit))
    assert clf.lam_ == pytest.approx(expected.lam_, rel=1e-12)  # sums round otherwise
    assert_allclose(clf.predict_proba(X), expected.predict_proba(X), atol=1e-5)


@both
@pytest.mark.parametrize("lam", ["balanced", 0.7])
def test_one_huge_weight_is_a_sample_of_one_row_or_refused(classifier, lam):
    s = np.ones(len(Y))
    s[Y.argmax()] = 1e300
    clf = classifier((), lam=lam, l2=1e-2, random_state=0, positive=1)
    if lam == "balanced":
        clf.fit(X, Y, s)  # N0/N1 is 1e-298, which a weight can express
        with pytest.raises(ValueError, match=r"^sample_weight cannot be balanced .*comparable"):
            clf.fit(X, 1 - Y, s)  # 1e298 rounds lambda to 1
    else:
        with warnings.catch_warnings():  # the others count for 1e-300 of the gradient
            warnings.simplefilter("ignore", ConvergenceWarning)
            clf.fit(X, Y, s)
        assert clf.predict_proba(X[Y.argmax()][None])[0, 1] > 0.99
