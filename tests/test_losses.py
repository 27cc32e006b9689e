"""Tests of crcen.losses: Eq. 1 and Castro & Braga's squared error, against PyTorch and by hand."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import log_loss
from torch.nn.functional import binary_cross_entropy_with_logits

from crcen.classifiers import CRCENClassifier
from crcen.key_equation import key_equation
from crcen.losses import CRCENLoss, cross_entropy, squared_error
from crcen.theory.simulations import sim2

torch.set_num_threads(1)

LAMS = [0.1, 0.5, 0.8]


def double(values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture
def logits(seed):
    return torch.from_numpy(np.random.default_rng([seed, 0]).normal(0, 3, 40))


@pytest.fixture
def target(seed):
    return torch.from_numpy(np.random.default_rng([seed, 1]).integers(0, 2, 40).astype(float))


# Cross entropy


def test_cross_entropy_is_pytorchs(logits, target):
    expected = binary_cross_entropy_with_logits(logits, target, reduction="none")
    torch.testing.assert_close(cross_entropy(logits, target), expected)


def test_mean_cross_entropy_is_scikit_learns(logits, target):
    expected = log_loss(target.numpy(), torch.sigmoid(logits).numpy())
    assert cross_entropy(logits, target).mean().item() == pytest.approx(expected)


# A row that is almost certain keeps its small loss and gradient, in both classes alike.
@given(st.floats(-100, 100), st.sampled_from([0.0, 1.0]))
def test_cross_entropy_is_exact_where_p_rounds_to_0_or_1(o, y):
    z = o if y else -o  # the loss is log(1 + exp(-z)), its derivative in o is +-sigmoid(-z)
    logit = double([o]).requires_grad_()
    value = cross_entropy(logit, double([y])).sum()
    value.backward()
    assert value.item() == pytest.approx(np.logaddexp(0, -z), rel=1e-8, abs=0)
    assert abs(logit.grad.item()) == pytest.approx(expit(-z), rel=1e-8, abs=0)


# Eq. 1


def test_eq_1_by_hand():
    p = double([0.9, 0.4, 0.3, 0.2])
    loss = CRCENLoss(0.8, reduction="sum")(torch.logit(p), double([1, 1, 0, 0]))
    expected = -0.8 * np.log([0.9, 0.4]).sum() - 0.2 * np.log([0.7, 0.8]).sum()
    assert loss.item() == pytest.approx(expected)


def test_lam_one_half_is_half_of_cross_entropy(logits, target):
    expected = binary_cross_entropy_with_logits(logits, target, reduction="sum") / 2
    torch.testing.assert_close(CRCENLoss(0.5, reduction="sum")(logits, target), expected)


def test_lam_one_half_is_mean_cross_entropy(logits, target):
    expected = binary_cross_entropy_with_logits(logits, target)
    torch.testing.assert_close(CRCENLoss(0.5)(logits, target), expected)


@pytest.mark.parametrize("lam", LAMS)
def test_eq_1_is_pytorchs_loss_with_pos_weight(lam, logits, target):
    expected = binary_cross_entropy_with_logits(
        logits, target, pos_weight=double(lam / (1 - lam)), reduction="none"
    )
    found = CRCENLoss(lam, reduction="none")(logits, target)
    torch.testing.assert_close(found, (1 - lam) * expected)


@pytest.mark.parametrize("lam", LAMS)
def test_mean_is_the_weighted_mean(lam, logits, target):
    expected = log_loss(
        target.numpy(),
        torch.sigmoid(logits).numpy(),
        sample_weight=np.where(target.numpy() == 1, lam, 1 - lam),
    )
    assert CRCENLoss(lam)(logits, target).item() == pytest.approx(expected)


@pytest.mark.parametrize("lam", LAMS)
def test_sum_adds_the_rows(lam, logits, target):
    rows = CRCENLoss(lam, reduction="none")(logits, target)
    assert rows.shape == logits.shape
    torch.testing.assert_close(CRCENLoss(lam, reduction="sum")(logits, target), rows.sum())


# Section 3.1: each minority row stands lambda / (1 - lambda) times in plain cross entropy.
@given(
    st.integers(1, 20),
    st.lists(st.tuples(st.floats(-10, 10), st.sampled_from([0.0, 1.0])), min_size=1, max_size=20),
)
def test_lam_is_duplication_of_the_minority(times, rows):
    lam = times / (times + 1)
    o, y = double(rows).T
    k = torch.where(y == 1, times, 1)
    duplicated = cross_entropy(o.repeat_interleave(k), y.repeat_interleave(k)).sum()
    torch.testing.assert_close(CRCENLoss(lam, "sum")(o, y), (1 - lam) * duplicated)
    torch.testing.assert_close(CRCENLoss(lam)(o, y), duplicated / k.sum())


def test_gradient_in_the_logits_is_that_of_eq_5(logits, target):
    logits.requires_grad_()
    CRCENLoss(0.8, reduction="sum")(logits, target).backward()
    p = torch.sigmoid(logits.detach())
    expected = torch.where(target == 1, -0.8 * (1 - p), 0.2 * p)
    torch.testing.assert_close(logits.grad, expected)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_gradient_is_that_of_finite_differences(reduction, logits, target):
    loss = CRCENLoss(0.8, reduction)
    assert torch.autograd.gradcheck(lambda o: loss(o, target), logits.requires_grad_())


@pytest.mark.parametrize("loss", [cross_entropy, squared_error, CRCENLoss(0.99, "sum")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_logits_have_finite_losses_and_gradients(loss, dtype):
    o = torch.tensor([-1e4, -1e4, 1e4, 1e4], dtype=dtype, requires_grad=True)
    value = loss(o, torch.tensor([0, 1, 0, 1], dtype=dtype)).sum()
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(o.grad).all()


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.float32])
def test_labels_of_any_type_are_taken(dtype, logits, target):
    found = CRCENLoss(0.8)(logits, target.to(dtype))
    assert found.dtype == logits.dtype
    torch.testing.assert_close(found, CRCENLoss(0.8)(logits, target))


@pytest.mark.parametrize("lam", [0.3, 10 / 11])
def test_a_module_trained_to_a_stationary_point_satisfies_eq_6(lam, seed):
    X, y = map(torch.from_numpy, sim2(40, 400, np.random.default_rng(seed)))
    torch.manual_seed(seed)
    model = torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)
    ).double()
    loss = CRCENLoss(lam)
    optimizer = torch.optim.LBFGS(
        model.parameters(),
        max_iter=5000,
        tolerance_grad=1e-9,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimizer.zero_grad()
        penalty = sum(W.square().sum() for W in (model[0].weight, model[2].weight))
        value = loss(model(X).squeeze(1), y) + 1e-3 * penalty  # the biases are free
        value.backward()
        return value

    optimizer.step(closure)
    p = torch.sigmoid(model(X)).squeeze(1).detach()
    assert abs(key_equation(y, p, lam).residual) < 1e-6


# What others make of it


# Libraries ask by this class whether a network's outputs are logits: skorch then predicts with
# their sigmoid, at 1/2, and with none for a loss that it does not know.
def test_it_is_a_loss_of_logits_to_those_who_ask(logits, target):
    loss = CRCENLoss(0.8, "sum")
    assert isinstance(loss, torch.nn.BCEWithLogitsLoss)
    assert loss.weight is loss.pos_weight is None
    assert (loss.lam, loss.reduction) == (0.8, "sum")
    assert not {*loss.state_dict()} | {*loss.parameters()} | {*loss.buffers()}
    loss.load_state_dict(CRCENLoss(0.3).state_dict())
    again = pickle.loads(pickle.dumps(copy.deepcopy(loss).to(torch.float32)))
    assert repr(again) == "CRCENLoss()"
    torch.testing.assert_close(again(logits, target), loss(logits, target))


@pytest.mark.parametrize("lam", [0.5, 0.9])
def test_skorch_predicts_with_it(lam, seed):
    skorch = pytest.importorskip("skorch")
    X, y = sim2(40, 400, np.random.default_rng(seed))
    torch.manual_seed(seed)
    net = skorch.NeuralNetBinaryClassifier(
        torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Flatten(0)).double(),
        criterion=CRCENLoss,
        criterion__lam=lam,
        optimizer=torch.optim.LBFGS,
        optimizer__max_iter=500,
        optimizer__tolerance_grad=1e-7,
        optimizer__tolerance_change=0,
        optimizer__line_search_fn="strong_wolfe",
        max_epochs=1,
        batch_size=-1,
        train_split=None,
        verbose=0,
    ).fit(X, y.astype(float))
    ours = CRCENClassifier((), lam=lam, l2=0.0).fit(X, y)
    np.testing.assert_allclose(net.predict_proba(X), ours.predict_proba(X), atol=1e-4)
    np.testing.assert_array_equal(net.predict(X), net.predict_proba(X)[:, 1] > 0.5)


# Squared error


def test_squared_error_by_hand():
    o, y = double([0.5, 0.5, -2.0]), double([1, 0, 0])
    expected = double([(1 - np.tanh(0.5)) ** 2, (1 + np.tanh(0.5)) ** 2, (1 - np.tanh(2)) ** 2])
    torch.testing.assert_close(squared_error(o, y), expected)


def test_squared_error_is_the_same_under_exchange_of_the_labels(logits, target):
    torch.testing.assert_close(squared_error(-logits, 1 - target), squared_error(logits, target))


def test_gradient_of_the_squared_error_is_that_of_finite_differences(logits, target):
    assert torch.autograd.gradcheck(lambda o: squared_error(o, target), logits.requires_grad_())


# Errors


@pytest.mark.parametrize("lam", [0, 1, 1.5, True, "balanced"])
def test_lam_must_lie_strictly_between_0_and_1(lam):
    with pytest.raises(ValueError, match=rf"^lam={lam!r} .*strictly between 0 and 1.*ratio\(y\)"):
        CRCENLoss(lam)


def test_reduction_must_be_known():
    with pytest.raises(ValueError, match=r"^reduction='avg' must be 'mean', 'sum' or 'none'"):
        CRCENLoss(0.5, reduction="avg")


def test_a_column_of_logits_is_not_broadcast():
    with pytest.raises(ValueError, match=r"shape \(3, 1\) and target \(3,\): .*squeeze"):
        CRCENLoss(0.5)(torch.zeros(3, 1), torch.zeros(3))
