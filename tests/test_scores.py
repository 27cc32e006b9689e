"""Tests of crcen.study.scores: each score is what others compute from the same decisions."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from imblearn.metrics import geometric_mean_score, specificity_score
from scipy.special import expit
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    log_loss,
    matthews_corrcoef,
    precision_score,
    recall_score,
    roc_auc_score,
)

from crcen.study.scores import DECIDED, SCORES, Predictions, split_scores

# Ties, the threshold itself, and logits whose probability rounds to 0 or 1.
logit = st.one_of(st.sampled_from([-800.0, -1.0, 0.0, 1.0, 800.0]), st.floats(-30, 30))
logits = st.lists(logit, min_size=1, max_size=20).map(np.array)
predictions = st.builds(Predictions, logits, logits)

OTHERS = {
    "f1": lambda y, o: f1_score(y, o > 0, zero_division=0),
    "gmean": lambda y, o: geometric_mean_score(y, o > 0),
    "recall": lambda y, o: recall_score(y, o > 0),
    "precision": lambda y, o: precision_score(y, o > 0, zero_division=0),
    "specificity": lambda y, o: specificity_score(y, o > 0),
    "balanced_accuracy": lambda y, o: balanced_accuracy_score(y, o > 0),
    "mcc": lambda y, o: matthews_corrcoef(y, o > 0),
    "average_precision": average_precision_score,
    "auc": roc_auc_score,
    "brier": lambda y, o: brier_score_loss(y, expit(o)),
    "log_loss": lambda y, o: log_loss(y, expit(o)),
}


def rows(found, seed=0):
    """Labels and logits of the rows, mixed: no score may depend on their order."""
    y = np.r_[np.ones(found.positives.size, int), np.zeros(found.negatives.size, int)]
    order = np.random.default_rng(seed).permutation(y.size)
    return y[order], np.r_[found.positives, found.negatives][order]


@pytest.mark.parametrize("name", SCORES)
@given(found=predictions)
def test_a_score_is_that_of_scikit_learn_or_imbalanced_learn(name, found):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about labels that are never predicted
        expected = OTHERS[name](*rows(found))
    assert SCORES[name].of(found) == pytest.approx(expected)


# Formulas, since the libraries behind some scores are the same on both sides above.
@given(predictions)
def test_ranking_and_probability_scores_are_their_formulas(found):
    p, n = found
    pairs = p[:, None] - n
    auc = ((pairs > 0) + 0.5 * (pairs == 0)).mean()
    assert SCORES["auc"].of(found) == pytest.approx(auc)
    squares = np.r_[(1 - expit(p)) ** 2, expit(n) ** 2]
    assert SCORES["brier"].of(found) == pytest.approx(squares.mean())
    if max(abs(p).max(), abs(n).max()) < 100:  # beyond, a probability of 0 or 1 is clipped
        # Through probabilities, of which the largest are 1 but for their last digits.
        losses = np.r_[np.logaddexp(0, -p), np.logaddexp(0, n)]
        assert SCORES["log_loss"].of(found) == pytest.approx(losses.mean(), abs=1e-3)


@given(predictions)
def test_counts_are_those_of_the_decisions_and_labels_go_with_logits(found):
    y, o = rows(found)
    assert found.counts == tuple(confusion_matrix(y, o > 0, labels=[0, 1]).ravel())
    assert {*zip(found.labels, found.logits, strict=True)} == {*zip(y, o, strict=True)}


@given(predictions, st.integers(-9, 9))
def test_a_moved_threshold_decides_where_the_logits_are_above_it(found, threshold):
    found = Predictions(*(np.round(o, 6) for o in found))  # the difference would round to 0 else
    y, o = rows(found)
    expected = confusion_matrix(y, o > threshold, labels=[0, 1]).ravel()
    assert found.moved(threshold).counts == tuple(expected)


@pytest.mark.parametrize(
    ("positives", "negatives", "zero"),
    [
        ([-1, -1], [-1, -1], ["f1", "gmean", "recall", "precision", "mcc"]),
        ([1, 1], [1, 1], ["gmean", "specificity", "mcc"]),
        ([], [1], [*DECIDED]),
        ([], [-1], ["f1", "gmean", "recall", "precision", "mcc"]),
        ([1], [], ["gmean", "specificity", "mcc"]),
    ],
)
def test_a_score_whose_denominator_is_zero_is_zero(positives, negatives, zero):
    found = Predictions(np.array(positives, float), np.array(negatives, float))
    assert [name for name in DECIDED if SCORES[name].of(found) == 0] == zero


@given(predictions)
def test_less_is_better_says_which_way_to_look(found):
    perfect = Predictions(np.full(found.positives.size, 30.0), np.full(found.negatives.size, -30.0))
    for score in SCORES.values():
        better, worse = score.of(perfect), score.of(found)
        assert better <= worse + 1e-9 if score.less_is_better else better >= worse


def test_titles_are_all_different():
    assert len({score.title for score in SCORES.values()}) == len(SCORES)


# The scores must be the paper's formulas of the counts beside them, whatever is predicted.
@given(st.lists(st.tuples(st.sampled_from([0, 1]), st.sampled_from([0, 1])), max_size=30))
def test_scores_of_labels_are_the_formulas_of_section_4_in_the_counts(pairs):
    y, predicted = np.array([(0, 0), (1, 0), *pairs]).T
    found = split_scores(y, predicted)
    assert list(found) == [*DECIDED, "tn", "fp", "fn", "tp"]
    counts = [found[name] for name in ("tn", "fp", "fn", "tp")]
    tn, fp, fn, tp = counts
    assert counts == [*confusion_matrix(y, predicted, labels=[0, 1]).ravel()]
    recall, specificity = tp / (tp + fn), tn / (tn + fp)
    assert found["recall"] == pytest.approx(recall)
    assert found["specificity"] == pytest.approx(specificity)
    assert found["gmean"] == pytest.approx((recall * specificity) ** 0.5)
    assert found["precision"] == pytest.approx(tp / (tp + fp) if tp + fp else 0)
    assert found["f1"] == pytest.approx(2 * tp / (2 * tp + fp + fn))
