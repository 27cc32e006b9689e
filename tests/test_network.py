"""Tests of crcen.network: the forward pass, the objective and its gradient (Eq. 5)."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import SEED, Z
from scipy.optimize import approx_fprime
from scipy.special import expit
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier
from sklearn.utils import check_random_state

from crcen.losses import CROSS_ENTROPY, SQUARED_ERROR
from crcen.network import ACTIVATIONS, Network, Objective
from crcen.theory.deviations import focal

torch.set_num_threads(1)

rng = np.random.default_rng([SEED, 0])
X = rng.normal(size=(30, 2))
Y = rng.integers(0, 2, 30).astype(float)
WEIGHT = rng.uniform(0.1, 2, 30)
DEPTHS = [(2, 1), (2, 3, 1), (2, 4, 3, 1), (2, 4, 3, 2, 1)]


def parameters(network):
    """Draw weights and biases that are all different from zero."""
    return np.random.default_rng([SEED, 1]).normal(size=network.n_parameters)


def logits(network, theta):
    return network.logits(torch.from_numpy(theta), torch.from_numpy(X)).numpy()


def weights_and_biases(network, theta):
    return [tuple(a.numpy() for a in layer) for layer in network.layers(torch.from_numpy(theta))]


def gradient(network, theta, weight=WEIGHT, l2=0.0):
    return Objective(network, CROSS_ENTROPY, X, Y, weight, l2)(theta)[1]


# Forward


@pytest.mark.parametrize("sizes", DEPTHS[1:])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_forward_is_scikit_learns(sizes, activation):
    network = Network(sizes, activation)
    theta = parameters(network)
    mlp = MLPClassifier(sizes[1:-1], activation=activation).partial_fit(X, Y, classes=[0, 1])
    layers = weights_and_biases(network, theta)
    mlp.coefs_, mlp.intercepts_ = map(list, zip(*layers, strict=True))
    np.testing.assert_allclose(expit(logits(network, theta)), mlp.predict_proba(X)[:, 1])


def test_no_hidden_layer_is_a_linear_function():
    network = Network((2, 1), "logistic")
    np.testing.assert_allclose(logits(network, np.array([2.0, -3.0, 0.5])), X @ [2, -3] + 0.5)


@pytest.mark.parametrize("sizes", DEPTHS)
def test_layers_cut_the_whole_vector_in_order(sizes):
    network = Network(sizes, "tanh")
    theta = parameters(network)
    layers = weights_and_biases(network, theta)
    assert [W.shape for W, _ in layers] == list(pairwise(sizes))
    np.testing.assert_array_equal(np.concatenate([a.ravel() for p in layers for a in p]), theta)


def test_last_parameter_is_the_output_bias():
    network = Network((2, 3, 1), "tanh")
    theta = parameters(network)
    moved = theta + np.eye(network.n_parameters)[-1]
    np.testing.assert_allclose(logits(network, moved), logits(network, theta) + 1)


# Starting values


@pytest.mark.parametrize("sizes", DEPTHS)
def test_initial_weights_are_within_glorots_bound_and_biases_zero(sizes):
    network = Network(sizes, "tanh")
    for W, b in weights_and_biases(network, network.initial(check_random_state(SEED))):
        assert 0 < abs(W).max() < np.sqrt(6 / sum(W.shape))
        assert not b.any()


def test_initial_weights_have_the_variance_of_glorot():
    network = Network((200, 300, 1), "tanh")
    (W, _), _ = weights_and_biases(network, network.initial(check_random_state(SEED)))
    # The square of a uniform draw varies by sqrt(0.8) of its mean.
    assert W.var() == pytest.approx(2 / (200 + 300), rel=Z * (0.8 / W.size) ** 0.5)


def test_initial_weights_come_from_the_seed():
    network = Network((2, 3, 1), "tanh")
    seeds = SEED, SEED, SEED + 1
    first, again, other = (network.initial(check_random_state(seed)) for seed in seeds)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


# The objective


@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_value_is_the_weighted_mean_plus_the_penalty(l2):
    network = Network((2, 3, 1), "tanh")
    theta = parameters(network)
    value, _ = Objective(network, CROSS_ENTROPY, X, Y, WEIGHT, l2)(theta)
    penalty = sum((W**2).sum() for W, _ in weights_and_biases(network, theta))
    loss = log_loss(Y, expit(logits(network, theta)), sample_weight=WEIGHT)
    assert value == pytest.approx(loss + l2 * penalty)


@pytest.mark.parametrize("sizes", DEPTHS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", [CROSS_ENTROPY, SQUARED_ERROR, focal(0.5), focal(2.0)])
def test_gradient_is_that_of_finite_differences(sizes, activation, loss):
    network = Network(sizes, activation)
    theta = parameters(network)
    F = Objective(network, loss, X, Y, WEIGHT, 0.1)
    # So small a step that no row is at a kink of relu; rounding is then 1e-16 / 1e-7 or so.
    forward, backward = (approx_fprime(theta, lambda t: F(t)[0], h) for h in (1e-7, -1e-7))
    np.testing.assert_allclose(F(theta)[1], (forward + backward) / 2, rtol=1e-6, atol=5e-8)


LAM = 0.8
CLASS_WEIGHT = np.where(Y == 1, LAM, 1 - LAM)


def eq_5(p, do_dw):
    """The left-hand side of Eq. 5, over the sum of the class weights."""
    ones, zeros = Y == 1, Y == 0
    missed, false = (1 - p[ones]) @ do_dw[ones], p[zeros] @ do_dw[zeros]
    return (-LAM * missed + (1 - LAM) * false) / CLASS_WEIGHT.sum()


def test_gradient_in_the_output_bias_is_eq_5():
    network = Network((2, 3, 1), "logistic")
    theta = parameters(network)
    p = expit(logits(network, theta))
    found = gradient(network, theta, CLASS_WEIGHT)[-1]
    assert found == pytest.approx(eq_5(p, np.ones(30)))


def test_gradient_in_a_hidden_weight_is_eq_5():
    network = Network((2, 3, 1), "logistic")
    theta = parameters(network)
    (V, c), (W, b) = weights_and_biases(network, theta)
    h = expit(X @ V + c)
    p = expit(h @ W + b)[:, 0]
    do_dv = W[2, 0] * h[:, 2] * (1 - h[:, 2]) * X[:, 1]  # weight of input 1 in neuron 2
    found = gradient(network, theta, CLASS_WEIGHT)
    (in_V, _), _ = weights_and_biases(network, found)
    assert in_V[1, 2] == pytest.approx(eq_5(p, do_dv))


@pytest.mark.parametrize("sizes", DEPTHS)
def test_penalty_pulls_the_weights_and_leaves_the_biases_alone(sizes):
    network = Network(sizes, "tanh")
    theta = parameters(network)
    pull = gradient(network, theta, l2=0.1) - gradient(network, theta, l2=0.0)
    pairs = zip(weights_and_biases(network, pull), weights_and_biases(network, theta), strict=True)
    for (in_W, in_b), (W, _) in pairs:
        np.testing.assert_allclose(in_W, 2 * 0.1 * W, rtol=1e-9)
        np.testing.assert_array_equal(in_b, 0)


@pytest.mark.parametrize("factor", [1e-3, 7.0])
def test_scaling_all_weights_changes_nothing(factor):
    network = Network((2, 3, 1), "tanh")
    theta = parameters(network)
    value, grad = Objective(network, CROSS_ENTROPY, X, Y, WEIGHT, 0.1)(theta)
    scaled, scaled_grad = Objective(network, CROSS_ENTROPY, X, Y, factor * WEIGHT, 0.1)(theta)
    assert scaled == pytest.approx(value)
    np.testing.assert_allclose(scaled_grad, grad, rtol=1e-9)


@pytest.mark.parametrize("sizes", DEPTHS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", [CROSS_ENTROPY, SQUARED_ERROR, focal(0.5), focal(2.0)])
def test_gradient_is_that_of_automatic_differentiation(sizes, activation, loss):
    network = Network(sizes, activation)
    theta = torch.tensor(parameters(network), requires_grad=True)
    o = network.logits(theta, torch.from_numpy(X))
    value = torch.from_numpy(WEIGHT / WEIGHT.sum()) @ loss.value(o, torch.from_numpy(Y))
    (value + 0.1 * sum((W**2).sum() for W, _ in network.layers(theta))).backward()
    found = Objective(network, loss, X, Y, WEIGHT, 0.1)(theta.detach().numpy())[1]
    np.testing.assert_allclose(found, theta.grad.numpy(), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("sizes", DEPTHS[:2])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", [CROSS_ENTROPY, SQUARED_ERROR, focal(0.5), focal(2.0)])
def test_hessian_is_that_of_automatic_differentiation(sizes, activation, loss):
    network = Network(sizes, activation)

    def value(theta):
        o = network.logits(theta, torch.from_numpy(X))
        mean = torch.from_numpy(WEIGHT / WEIGHT.sum()) @ loss.value(o, torch.from_numpy(Y))
        return mean + 0.1 * sum((W**2).sum() for W, _ in network.layers(theta))

    theta = parameters(network)
    expected = torch.autograd.functional.hessian(value, torch.from_numpy(theta))
    found = Objective(network, loss, X, Y, WEIGHT, 0.1).hessian(theta)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-9, atol=1e-12)


def test_the_hessian_of_two_hidden_layers_is_refused():
    network = Network((2, 3, 3, 1), "tanh")
    F = Objective(network, CROSS_ENTROPY, X, Y, WEIGHT, 0.1)
    with pytest.raises(ValueError, match="several hidden layers"):
        F.hessian(parameters(network))


@pytest.mark.parametrize("sizes", DEPTHS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_single_precision_agrees_with_double_to_seven_digits(sizes, activation):
    network = Network(sizes, activation)
    F, theta = Objective(network, CROSS_ENTROPY, X, Y, WEIGHT, 0.1), parameters(network)
    (value, gradient), (double_value, double_gradient) = F.single(theta), F(theta)
    assert value == pytest.approx(double_value, rel=1e-6)
    np.testing.assert_allclose(gradient, double_gradient, rtol=1e-5, atol=1e-6)
    assert gradient.dtype == np.float64


@pytest.mark.parametrize("tile", [1, 7, 29, 30])
def test_tiles_change_nothing_but_rounding(tile, monkeypatch):
    network = Network((2, 4, 3, 1), "tanh")
    theta = parameters(network)
    value, whole = Objective(network, CROSS_ENTROPY, X, Y, WEIGHT, 0.1)(theta)
    monkeypatch.setattr("crcen.network.TILE", tile)
    monkeypatch.setattr("crcen.network.LANES", 1)
    tiled_value, tiled = Objective(network, CROSS_ENTROPY, X, Y, WEIGHT, 0.1)(theta)
    assert tiled_value == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(tiled, whole, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("tile", [1, 7, 29])
def test_tiles_of_the_hessian_change_nothing_but_rounding(tile, monkeypatch):
    network = Network((2, 4, 1), "tanh")
    theta = parameters(network)
    whole = Objective(network, CROSS_ENTROPY, X, Y, WEIGHT, 0.1).hessian(theta)
    monkeypatch.setattr("crcen.network.TILE", tile)
    monkeypatch.setattr("crcen.network.LANES", 1)
    tiled = Objective(network, CROSS_ENTROPY, X, Y, WEIGHT, 0.1).hessian(theta)
    np.testing.assert_allclose(tiled, whole, rtol=1e-11, atol=1e-15)
