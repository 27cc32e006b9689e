"""What the machine can do at best, and the share of it that one loss and gradient reaches.

The least possible time of one loss and gradient of a net (p, h, 1) on n rows is

    4 products         (h,p)(p,n)  (1,h)(h,n)   forward
                       (p,n)(n,h)  (h,n)(n,1)   gradients of the two weight matrices
    2 elementwise      sigmoid over n h (hidden) and over 2 n (loss and its slope at the output)
    2 elementwise      multiplication over n h: f'(a) = h - h^2, and times the slope at the output

with each product at 2 m k n / (measured rate of that shape) and each pass at its measured time in
cache. What can be folded into a product counts as nothing: biases as a constant row, their
gradients as a row of ones, the output weights in the gradient of the first layer.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import torch
from measure import best_of
from torch import Tensor

from crcen.kernels import LOGISTIC, activate
from crcen.losses import CROSS_ENTROPY
from crcen.network import Network, Objective

#: The nets of the report's grids and of Sim2: (p, h, n), n the training rows of one fit.
NETS = {
    "satimage": (36, 16, 3620),
    "abalone": (10, 16, 2349),
    "coil_2000": (85, 16, 5524),
    "sim2": (3, 10, 11000),
}
TILE = 512  # rows; a long product may be faster cut into tiles that stay in cache
IN_CACHE, OUT_OF_CACHE = 2**15, 2**23  # numbers; the first are 256 KB in double precision
DTYPES = {"float64": torch.float64, "float32": torch.float32}


def product_rate(m: int, k: int, n: int, dtype: torch.dtype, seconds: float) -> float:
    """Measure the product (m, k)(k, n) in GFLOP/s, the best of PyTorch and NumPy, as AB or B'A'."""
    a, b = torch.rand(m, k, dtype=dtype), torch.rand(k, n, dtype=dtype)
    times: list[float] = []
    for left, right in ((a, b), (b.T.contiguous(), a.T.contiguous())):
        out = torch.empty(left.shape[0], right.shape[1], dtype=dtype)
        x, y, z = left.numpy(), right.numpy(), out.numpy()
        for work in (
            lambda left=left, right=right, out=out: torch.mm(left, right, out=out),
            lambda x=x, y=y, z=z: np.matmul(x, y, out=z),
        ):
            times.append(best_of(work, seconds))
    return 2e-9 * m * k * n / min(times)


def elementwise_time(name: str, size: int, dtype: torch.dtype, seconds: float) -> float:
    """Measure one elementwise pass in place, in ns a number; a sigmoid, the best of two."""
    a, b = torch.rand(size, dtype=dtype), torch.ones(size, dtype=dtype)
    shared = a.numpy()
    works: dict[str, list[Callable[[], Any]]] = {
        "sigmoid": [lambda: a.sigmoid_(), lambda: activate(shared, LOGISTIC)],
        "add": [lambda: a.add_(b)],
        "multiply": [lambda: a.mul_(b)],
    }
    return 1e9 * min(best_of(work, seconds) for work in works[name]) / size


def engine_time(p: int, h: int, n: int, dtype: torch.dtype, seconds: float) -> float:
    """Measure the engine's own loss and gradient, in seconds."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n, p)), (rng.uniform(size=n) < 0.1).astype(float)
    net = Network((p, h, 1), "logistic")
    F = Objective(net, CROSS_ENTROPY, X, y, np.ones(n), l2=1e-3)
    evaluate = F.single if dtype == torch.float32 else F
    theta = net.initial(np.random.RandomState(0))
    return best_of(lambda: evaluate(theta), seconds)


def limits(seconds: float) -> list[dict[str, Any]]:
    """Measure everything, `seconds` a measurement; a row a number."""
    rows: list[dict[str, Any]] = []

    def record(kind: str, name: str, dtype: str, value: float, unit: str) -> None:
        rows.append({"kind": kind, "name": name, "dtype": dtype, "value": value, "unit": unit})

    for dtype_name, dtype in DTYPES.items():

        def rate(m: int, k: int, n: int) -> float:
            value = product_rate(m, k, n, dtype, seconds)  # noqa: B023 (called in this turn)
            record("product", f"({m},{k})({k},{n})", dtype_name, value, "GFLOP/s")  # noqa: B023
            return value

        rate(1024, 1024, 1024)  # for reference
        rate(20 * 16, 36, TILE)  # twenty networks that share their rows, in one product
        passes: dict[str, float] = {}
        for name in ("sigmoid", "add", "multiply"):
            for where, size in (("in cache", IN_CACHE), ("out of cache", OUT_OF_CACHE)):
                value = elementwise_time(name, size, dtype, seconds)
                record("elementwise", f"{name}, {where}", dtype_name, value, "ns")
                passes.setdefault(name, value)
        for name, (p, h, n) in NETS.items():
            least = 1e-9 * n * (passes["sigmoid"] * (h + 2) + passes["multiply"] * 2 * h)
            for flops, shapes in (
                (2 * n * h * p, [(h, p, r) for r in (TILE, n)]),
                (2 * n * h, [(1, h, r) for r in (TILE, n)]),
                (2 * n * h * p, [(p, r, h) for r in (TILE, n)]),
                (2 * n * h, [(h, r, 1) for r in (TILE, n)]),
            ):
                least += 1e-9 * flops / max(rate(*shape) for shape in shapes)
            shape = f"{name} {p}-{h}-1, {n} rows"
            record("least", shape, dtype_name, 1e3 * least, "ms")
            engine = engine_time(p, h, n, dtype, seconds)
            record("engine", shape, dtype_name, 1e3 * engine, "ms")
            record("share reached", shape, dtype_name, least / engine, "")
    return rows


def evaluation(X: Tensor, y: Tensor, V: Tensor, W: Tensor) -> Callable[[], Tensor]:
    """Lay out one loss and gradient of k networks (p, h, 1) on the same rows.

    The first layers are one wide product, the output layers a batched one; for k = 1 this is what
    the engine does.

    Parameters
    ----------
    X, y : Tensor of shape (p + 1, n) and (n,)
        Rows side by side, over a row of ones, and their labels.
    V, W : Tensor of shape (k, h, p + 1) and (k, 1, h + 1)
        Weights of the hidden neurons and of the outputs, each with its bias.

    Returns
    -------
    callable
        Computes the mean losses, and returns the gradients of V and of W side by side.
    """
    k, h, inputs = V.shape
    n = X.shape[1]
    f, delta = torch.ones(k, h + 1, n, dtype=X.dtype), torch.empty(k, h, n, dtype=X.dtype)
    a = torch.empty(k * h, n, dtype=X.dtype)

    def evaluate() -> Tensor:
        torch.sigmoid(torch.mm(V.view(-1, inputs), X, out=a).view(k, h, n), out=f[:, :-1])
        o = torch.bmm(W, f)
        CROSS_ENTROPY.value(o, y).mean(2)
        slope = (torch.sigmoid(o) - y) / n
        W_gradient = torch.bmm(slope, f.transpose(1, 2))
        torch.mul(W[:, 0, :-1, None], slope, out=delta)
        delta.mul_(torch.addcmul(f[:, :-1], f[:, :-1], f[:, :-1], value=-1, out=a.view(k, h, n)))
        V_gradient = torch.mm(delta.view(k * h, n), X.T)
        return torch.cat([V_gradient.view(k, -1), W_gradient.view(k, -1)], dim=1)

    return evaluate


def batching(seconds: float) -> list[dict[str, Any]]:
    """Time `evaluation` for 1 to 20 networks at once; milliseconds a network."""
    rows = []
    for name in ("satimage", "abalone", "coil_2000"):
        p, _, n = NETS[name]
        for h, k in product((4, 16), (1, 5, 20)):
            X = torch.cat([torch.randn(p, n), torch.ones(1, n)])
            arrays = X, (torch.rand(n) < 0.1), torch.randn(k, h, p + 1), torch.randn(k, 1, h + 1)
            for dtype_name, dtype in DTYPES.items():
                work = evaluation(*(a.to(dtype) for a in arrays))
                time = 1e3 * best_of(work, 4 * seconds) / k
                net = f"{name} {p}-{h}-1, {n} rows"
                rows.append(
                    {"net": net, "dtype": dtype_name, "networks": k, "ms_per_network": time}
                )
    return rows
