r"""The arithmetic of one evaluation, compiled: activations, losses, gradient and Hessian by tiles.

Rows pass through the network in tiles of a few hundred, so that what a tile leaves in each layer
is still in the cache when the gradient comes back for it. Numba compiles these functions for the
processor at hand at their first call, and keeps the result beside them. BLAS multiplies matrices;
what is done value by value is written as a loop, which the compiler turns into vector instructions.

Every function works in the precision of its arrays; Numba, not a type checker, sees to their types.
A label is a *sign*, 1 - 2y: -1 on class 1 and 1 on class 0, and z = (1 - 2y) o is the logit of
being wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

Function = TypeVar("Function", bound=Callable[..., Any])

# Activations.
LOGISTIC, TANH, RELU, IDENTITY = range(4)


def compiled(function: Function) -> Function:
    """Compile a function at its first call, and keep the result on disk.

    Products and sums may be contracted into one instruction; the order of a sum stays as written.
    """
    return _compile(function, {"contract"})


def summing(function: Function) -> Function:
    """Compile a function whose sums may be taken in any order, as vector instructions need it."""
    return _compile(function, {"contract", "reassoc", "nsz"})


def _compile(function: Function, freedom: set[str]) -> Function:
    options: dict[str, Any] = {"error_model": "numpy", "fastmath": freedom}
    try:
        done: Function = njit(function, cache=True, **options)
    except RuntimeError:  # no folder that can be written: each process compiles for itself
        done = njit(function, **options)
    return done


@intrinsic
def like(context: Any, x: Any, constant: Any) -> Any:
    """Give a constant in the precision of x."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.cast(builder, arguments[1], signature.args[1], x)

    return x(x, constant), build


@intrinsic
def shifted_bits(context: Any, t: Any) -> Any:
    """Move the last bits of a number to the place of its exponent."""
    width, mantissa = (64, 52) if t == types.float64 else (32, 23)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        integer = ir.IntType(width)
        bits = builder.bitcast(arguments[0], integer)
        moved = builder.shl(bits, ir.Constant(integer, mantissa))
        return builder.bitcast(moved, context.get_value_type(t))

    return t(t), build


@intrinsic
def is_double(context: Any, x: Any) -> Any:
    """Tell whether x is in double precision; known when the function is compiled."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(ir.IntType(1), int(x == types.float64))

    return types.boolean(x), build


@compiled
def exp(x):
    """Compute e^x to two units in the last place; 0, or the largest, where that leaves the range.

    x = n log 2 + r with a whole number n: e^r by its series, 2^n by its bits, which adding a large
    number brings to the end of the sum.
    """
    if is_double(x):
        most, large = like(x, 708.0), like(x, 1.5 * 2.0**52 + 1023)
        high, low = like(x, 0.693147180369123816490), like(x, 1.90821492927058770002e-10)
    else:
        most, large = like(x, 87.0), like(x, 1.5 * 2.0**23 + 127)
        high, low = like(x, 0.693359375), like(x, -2.12194440054690583e-4)
    vanishes = x < -most
    x = most if x > most else (-most if vanishes else x)  # keeps what is not a number
    t = x * like(x, 1.4426950408889634) + large
    n = t - large
    r = (x - n * high) - n * low
    s = like(x, 1 / 5040)
    if is_double(x):
        s = like(x, 1 / 6227020800)
        s = s * r + like(x, 1 / 479001600)
        s = s * r + like(x, 1 / 39916800)
        s = s * r + like(x, 1 / 3628800)
        s = s * r + like(x, 1 / 362880)
        s = s * r + like(x, 1 / 40320)
        s = s * r + like(x, 1 / 5040)
    s = s * r + like(x, 1 / 720)
    s = s * r + like(x, 1 / 120)
    s = s * r + like(x, 1 / 24)
    s = s * r + like(x, 1 / 6)
    s = s * r + like(x, 0.5)
    s = s * r + like(x, 1.0)
    s = s * r + like(x, 1.0)
    return like(x, 0.0) if vanishes else s * shifted_bits(t)


@compiled
def log_one_plus(e):
    """Compute log(1 + e) for e in [0, 1]: the series of 2 artanh(e / (2 + e))."""
    u = e / (e + like(e, 2.0))
    v = u * u
    s = like(e, 1 / 13)
    if is_double(e):
        s = like(e, 1 / 31)
        s = s * v + like(e, 1 / 29)
        s = s * v + like(e, 1 / 27)
        s = s * v + like(e, 1 / 25)
        s = s * v + like(e, 1 / 23)
        s = s * v + like(e, 1 / 21)
        s = s * v + like(e, 1 / 19)
        s = s * v + like(e, 1 / 17)
        s = s * v + like(e, 1 / 15)
        s = s * v + like(e, 1 / 13)
    s = s * v + like(e, 1 / 11)
    s = s * v + like(e, 1 / 9)
    s = s * v + like(e, 1 / 7)
    s = s * v + like(e, 1 / 5)
    s = s * v + like(e, 1 / 3)
    s = s * v + like(e, 1.0)
    return like(e, 2.0) * u * s


@compiled
def both_sides(z):
    """Compute sigmoid(z), sigmoid(-z) and log(1 + e^z), each to its own precision."""
    e = exp(-abs(z))
    large = like(z, 1.0) / (like(z, 1.0) + e)
    small = e * large
    log = log_one_plus(e)
    if z > 0:
        return large, small, z + log
    return small, large, log


@compiled
def activate(a, activation):
    """Replace a by h = f(a)."""
    one, two = like(a[0], 1.0), like(a[0], 2.0)
    if activation == LOGISTIC:
        for j in range(a.size):
            a[j] = one / (one + exp(-a[j]))
    elif activation == TANH:
        for j in range(a.size):
            a[j] = two / (one + exp(-two * a[j])) - one
    elif activation == RELU:
        for j in range(a.size):
            a[j] = a[j] if not a[j] < 0 else like(a[j], 0.0)


@compiled
def slope(h, activation):
    """Compute f'(a) from h = f(a)."""
    if activation == LOGISTIC:
        return h * (like(h, 1.0) - h)
    if activation == TANH:
        return (like(h, 1.0) - h) * (like(h, 1.0) + h)
    if activation == RELU:
        return like(h, 1.0) if h > 0 else like(h, 0.0)
    return like(h, 1.0)


@compiled
def curvature(h, activation):
    """Compute f''(a) from h = f(a)."""
    if activation == LOGISTIC:
        return h * (like(h, 1.0) - h) * (like(h, 1.0) - h - h)
    if activation == TANH:
        return like(h, -2.0) * h * (like(h, 1.0) - h) * (like(h, 1.0) + h)
    return like(h, 0.0)


@compiled
def pass_down(delta, h, activation):
    """Replace h = f(a) by delta f'(a)."""
    for j in range(h.size):
        h[j] = delta[j] * slope(h[j], activation)


@summing
def pass_down_from_output(weight, delta, h, activation):
    """Replace h = f(a) by W delta f'(a); return the sum of h delta, which is the gradient in W."""
    total = like(h[0], 0.0)
    for j in range(h.size):
        total += h[j] * delta[j]
        h[j] = weight * delta[j] * slope(h[j], activation)
    return total


@compiled
def focal(z, gamma):
    """Compute the focal loss u^gamma log(1 + e^z), u = sigmoid(z), and two derivatives by z."""
    u, q, log = both_sides(z)
    if gamma == 0:  # cross entropy
        return log, u, u * q
    g = like(z, gamma)
    power = exp(g * (z - log))  # log u = z - log(1 + e^z)
    first = power * (g * q * log + u)
    second = power * q * ((g + g + like(z, 1.0)) * u - g * (u - g * q) * log)
    return power * log, first, second


@compiled
def squared(z):
    """Compute (1 + tanh z)^2 and its first two derivatives by z."""
    q, p, _ = both_sides(z + z)
    value = like(z, 4.0) * q * q
    first = value * like(z, 4.0) * p
    return value, first, like(z, 2.0) * first * (like(z, 2.0) * p - q)


@summing
def losses(o, sign, weight, is_squared, gamma, delta):
    """Sum the weighted losses of some rows, and the sizes of their slopes; give w dl/do.

    A loss falls with the logit of being right, so that a slope has the sign of its row.
    """
    total = error = like(o[0], 0.0)
    if is_squared:
        for j in range(o.size):
            value, by_z, _ = squared(sign[j] * o[j])
            total += weight[j] * value
            error += weight[j] * by_z
            delta[j] = weight[j] * by_z * sign[j]
    elif gamma == 0:  # a loop without powers, which vector instructions do: half the time
        for j in range(o.size):
            value, by_z, _ = focal(sign[j] * o[j], 0.0)
            total += weight[j] * value
            error += weight[j] * by_z
            delta[j] = weight[j] * by_z * sign[j]
    else:
        for j in range(o.size):
            value, by_z, _ = focal(sign[j] * o[j], gamma)
            total += weight[j] * value
            error += weight[j] * by_z
            delta[j] = weight[j] * by_z * sign[j]
    return total, error


@summing
def inner(a, b):
    """Compute the inner product of two short vectors."""
    total = like(a[0], 0.0)
    for j in range(a.size):
        total += a[j] * b[j]
    return total


@compiled
def add_multiple(total, factor, a):
    """Add a multiple of a vector to another."""
    for j in range(a.size):
        total[j] += factor * a[j]


@compiled
def unfold(q, S, Y, rho, newest, steps):
    """Take the steps S from a vector, the newest first (the first loop of L-BFGS)."""
    for age in range(steps.size):
        k = (newest - age) % len(S)
        steps[age] = rho[k] * inner(S[k], q)
        add_multiple(q, -steps[age], Y[k])


@compiled
def fold(q, S, Y, rho, newest, steps):
    """Put them back on, the oldest first (the second loop of L-BFGS)."""
    for age in range(steps.size - 1, -1, -1):
        k = (newest - age) % len(S)
        add_multiple(q, steps[age] - rho[k] * inner(Y[k], q), S[k])


@compiled
def layer(vector, sizes, k):
    """View layer k of a flat vector as a matrix: the weights, and below them the bias."""
    start = 0
    for i in range(k):
        start += (sizes[i] + 1) * sizes[i + 1]
    end = start + (sizes[k] + 1) * sizes[k + 1]
    return vector[start:end].reshape(sizes[k] + 1, sizes[k + 1])


@compiled
def lay_out(X, x):
    """Cut rows into tiles: a row a column of X and one of ones, rows of zeros at the end."""
    n, p = X.shape
    for t in range(x.shape[0]):
        for j in range(x.shape[2]):
            row = t * x.shape[2] + j
            if row < n:
                for i in range(p):
                    x[t, i, j] = X[row, i]
                x[t, p, j] = 1
            else:
                x[t, :, j] = 0


@compiled
def evaluate(theta, gradient, sizes, x, sign, weight, activation, is_squared, gamma):
    """Add the gradient of the weighted losses of all rows; return their sum, and that of slopes.

    The gradient is Eq. 5 carried through the layers: from w dl/do at the output, each layer passes
    (W delta) f'(a) to the one below.

    Parameters
    ----------
    theta : ndarray of shape (n_parameters,)
        The parameters, in the precision of the rows.
    gradient : ndarray of shape (n_parameters,)
        Where to add the gradient, in double precision.
    sizes : ndarray of int of shape (n_layers + 1,)
        Layer sizes from input to output.
    x : ndarray of shape (n_tiles, sizes[0] + 1, rows)
        Inputs by tiles, a row a column of the data and one of ones.
    sign, weight : ndarray of shape (n_tiles, rows)
        1 - 2y and w of each row.
    activation, is_squared, gamma : int, bool, float
        Activation; whether the loss is the squared error; the exponent of the focal loss if not.
    """
    n_tiles, _, rows = x.shape
    top = sizes.size - 2  # the output layer
    values = [np.ones((sizes[k] + 1, rows), theta.dtype) for k in range(1, top + 1)]
    room = np.empty((sizes[1:].max(), rows), theta.dtype)
    products = np.empty(theta.size, theta.dtype)
    o, delta = np.empty(rows, theta.dtype), np.empty(rows, theta.dtype)
    W, by_W = layer(theta, sizes, top)[:, 0], layer(products, sizes, top)[:, 0]
    total = error = 0.0
    for t in range(n_tiles):
        for k in range(top):
            h = values[k][: sizes[k + 1]]
            np.dot(layer(theta, sizes, k).T, x[t] if k == 0 else values[k - 1], h)
            for i in range(sizes[k + 1]):
                activate(h[i], activation)
        h = x[t] if top == 0 else values[top - 1]
        o[:] = W[-1]
        for i in range(W.size - 1):
            add_multiple(o, W[i], h[i])
        loss, slopes = losses(o, sign[t], weight[t], is_squared, gamma, delta)
        total += loss
        error += slopes
        by_W[-1] = delta.sum()
        for i in range(W.size - 1):
            if top == 0:
                by_W[i] = inner(h[i], delta)
            else:
                by_W[i] = pass_down_from_output(W[i], delta, h[i], activation)
        for k in range(top - 1, -1, -1):  # values[k] holds the delta of layer k
            d = values[k][: sizes[k + 1]]
            np.dot(x[t] if k == 0 else values[k - 1], d.T, layer(products, sizes, k))
            if k > 0:
                passed, h = room[: sizes[k]], values[k - 1]
                np.dot(layer(theta, sizes, k)[: sizes[k]], d, passed)
                for i in range(sizes[k]):
                    pass_down(passed[i], h[i], activation)
        for i in range(theta.size):  # in double precision
            gradient[i] += products[i]
    return total, error


@compiled
def hessian(theta, H, sizes, x, sign, weight, activation, is_squared, gamma):
    """Add the second derivatives of the weighted losses, for at most one hidden layer.

    With J = do/dtheta they are the sum of w l'' J J' and of w l' times those of o, which join
    the weights v_k of a hidden neuron with themselves, W_k f''(a_k) x x', and with its output
    weight, f'(a_k) x; all others are zero. The arguments are those of `evaluate`, and H of shape
    (n_parameters, n_parameters) in double precision.
    """
    n_tiles, p, rows = x.shape
    is_deep = sizes.size == 3
    n_hidden = sizes[1] if is_deep else 0
    J = np.ones((theta.size, rows), theta.dtype)
    scaled, product = np.empty_like(J), np.empty((theta.size, theta.size), theta.dtype)
    a, bent = np.empty((n_hidden, rows), theta.dtype), np.empty((p, rows), theta.dtype)
    xx, o = np.empty((p, p), theta.dtype), np.empty(rows, theta.dtype)
    by_o, by_oo = np.empty(rows, theta.dtype), np.empty(rows, theta.dtype)
    W = theta[p * n_hidden :]
    for t in range(n_tiles):
        h = a if is_deep else x[t]
        if is_deep:
            np.dot(layer(theta, sizes, 0).T, x[t], a)
        o[:] = W[-1]
        for k in range(W.size - 1):
            if is_deep:
                activate(h[k], activation)
            add_multiple(o, W[k], h[k])
        for j in range(rows):
            z = sign[t, j] * o[j]
            _, by_z, by_zz = squared(z) if is_squared else focal(z, gamma)
            by_o[j], by_oo[j] = weight[t, j] * by_z * sign[t, j], weight[t, j] * by_zz
        for k in range(W.size - 1):
            J[p * n_hidden + k] = h[k]
        for i in range(p * n_hidden):
            neuron = i % n_hidden
            for j in range(rows):
                J[i, j] = x[t, i // n_hidden, j] * W[neuron] * slope(a[neuron, j], activation)
        for i in range(theta.size):
            for j in range(rows):
                scaled[i, j] = J[i, j] * by_oo[j]
        np.dot(scaled, J.T, product)
        for i in range(theta.size):
            for j in range(theta.size):
                H[i, j] += product[i, j]
        for k in range(n_hidden):
            for j in range(rows):
                scaled[0, j] = W[k] * curvature(a[k, j], activation) * by_o[j]
                scaled[1, j] = slope(a[k, j], activation) * by_o[j]
            for i in range(p):
                mixed = inner(x[t, i], scaled[1])
                H[i * n_hidden + k, p * n_hidden + k] += mixed
                H[p * n_hidden + k, i * n_hidden + k] += mixed
                for j in range(rows):
                    bent[i, j] = x[t, i, j] * scaled[0, j]
            np.dot(bent, x[t].T, xx)
            for i in range(p):
                for j in range(p):
                    H[i * n_hidden + k, j * n_hidden + k] += xx[i, j]
