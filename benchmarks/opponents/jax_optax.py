"""JAX: a whole fit compiled, by the L-BFGS of optax.

Of optimistix 0.1 both LBFGS and BFGS took 1.5 to 10 times as long on the single fits.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import groupby
from typing import Any

import numpy as np
from problem import Array, Fit, Layers, Problem

MEMORY = 50  # pairs of steps; with optax's default of 10 one and a half times as long, or more


def loss(jnp: Any, nn: Any, layers: Any, rows: Any, l2: Any) -> Any:
    """Compute the objective; `rows` are X, 1 - 2y and weights of sum 1."""
    h, sign, weight = rows
    for W, b in layers[:-1]:
        h = nn.sigmoid(h @ W + b)
    o = (h @ layers[-1][0] + layers[-1][1])[:, 0]
    return weight @ nn.softplus(sign * o) + l2 * sum((W**2).sum() for W, _ in layers)


@cache
def compiled(batched: bool) -> Any:
    """Make the fit: of one problem, or of folds (outer) by strengths of the penalty (inner)."""
    import jax
    import jax.numpy as jnp
    import optax

    search = optax.scale_by_zoom_linesearch(20, initial_guess_strategy="one")
    optimizer = optax.lbfgs(memory_size=MEMORY, linesearch=search)

    def fit(layers: Any, rows: Any, l2: Any, tol: Any, max_iter: Any) -> Any:
        def objective(q: Any) -> Any:
            return loss(jnp, jax.nn, q, rows, l2)

        value_and_grad = optax.value_and_grad_from_state(objective)

        def goes_on(carry: Any) -> Any:
            k, _, _, norm = carry
            return (norm > tol) & (k < max_iter)

        def step(carry: Any) -> Any:
            k, q, state, _ = carry
            value, grad = value_and_grad(q, state=state)
            update, state = optimizer.update(
                grad, state, q, value=value, grad=grad, value_fn=objective
            )
            leaves = jax.tree.leaves(optax.tree.get(state, "grad"))  # where the search ended
            norm = jnp.stack([jnp.abs(leaf).max() for leaf in leaves]).max()
            return k + 1, optax.apply_updates(q, update), state, norm

        norm = jnp.full((), jnp.inf, rows[0].dtype)
        k, q, *_ = jax.lax.while_loop(goes_on, step, (0, layers, optimizer.init(layers), norm))
        return q, k

    if batched:
        by_l2 = jax.vmap(fit, in_axes=(None, None, 0, None, None))
        return jax.jit(jax.vmap(by_l2, in_axes=(0, 0, None, None, None)))
    return jax.jit(fit)


def configured(dtype: str, n_threads: int) -> Any:
    """Import JAX, and set its precision; its threads are those of the first call."""
    if "jax" in sys.modules or not hasattr(os, "sched_setaffinity"):
        import jax
    else:  # it makes as many threads as there are processors for it
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, sorted(before)[:n_threads])
        import jax

        jax.config.update("jax_platforms", "cpu")
        jax.devices()
        os.sched_setaffinity(0, before)
    jax.config.update("jax_enable_x64", dtype == "float64")
    return jax


def fit(problem: Problem, dtype: str = "float32", n: int = 0) -> Fit:
    """Fit one network, from our starting values, on rows that are filled up to `n`."""
    jax = configured(dtype, 1)
    rows = _padded(problem, max(n, len(problem.y)))
    arguments = jax.tree.map(lambda a: np.asarray(a, dtype), (problem.start(), rows, problem.l2))
    layers, n_iter = jax.device_get(compiled(False)(*arguments, problem.tol, problem.max_iter))
    return Fit(_double(layers), int(n_iter))


def fit_cold(problem: Problem, dtype: str = "float32") -> Fit:
    """Fit one network that is compiled anew."""
    configured(dtype, 1).clear_caches()
    compiled.cache_clear()
    return fit(problem, dtype)


def fit_all(problems: list[Problem], n_jobs: int, dtype: str = "float32") -> list[Fit]:
    """Fit many one by one, from as many threads as processors.

    Folds are filled up to the same number of rows: one compilation for each hidden size.
    """
    configured(dtype, n_jobs)
    most = max(len(problem.y) for problem in problems)

    def one(problem: Problem) -> Fit:
        return fit(problem, dtype, most)

    with ThreadPoolExecutor(n_jobs) as pool:
        return list(pool.map(one, problems))


def fit_together(problems: list[Problem], n_jobs: int, dtype: str = "float32") -> list[Fit]:
    """Fit the networks of one hidden size at once, folds by penalties; in the order given.

    JAX has one process, and as many threads as it was given processors.
    """
    jax = configured(dtype, n_jobs)
    fits: dict[int, Fit] = {}
    numbered = sorted(enumerate(problems), key=lambda item: item[1].hidden)
    for _, group in groupby(numbered, key=lambda item: item[1].hidden):
        members = list(group)
        folds: dict[int, list[tuple[int, Problem]]] = {}
        for number, problem in members:
            folds.setdefault(id(problem.X), []).append((number, problem))
        first = [same_rows[0][1] for same_rows in folds.values()]
        most = max(len(problem.y) for problem in first)
        rows = [_padded(problem, most) for problem in first]
        l2 = [problem.l2 for _, problem in next(iter(folds.values()))]
        stacked = jax.tree.map(
            lambda *arrays: np.stack(arrays).astype(dtype),
            *((problem.start(), own) for problem, own in zip(first, rows, strict=True)),
        )
        layers, n_iter = jax.device_get(
            compiled(True)(*stacked, np.asarray(l2, dtype), first[0].tol, first[0].max_iter)
        )
        for i, same_rows in enumerate(folds.values()):
            for j, (number, _) in enumerate(same_rows):
                own = jax.tree.map(lambda a: a[i, j], layers)  # noqa: B023 (called in this turn)
                fits[number] = Fit(_double(own), int(n_iter[i, j]))
    return [fits[number] for number in range(len(problems))]


def _padded(problem: Problem, n: int) -> tuple[Array, Array, Array]:
    """Fill up with rows of weight zero, so that folds can be stacked."""
    more = n - len(problem.y)
    weight = np.pad(problem.weight, (0, more))
    return np.pad(problem.X, ((0, more), (0, 0))), np.pad(1 - 2 * problem.y, (0, more)), weight


def _double(layers: Any) -> Layers:
    return [(np.asarray(W, float), np.asarray(b, float)) for W, b in layers]
