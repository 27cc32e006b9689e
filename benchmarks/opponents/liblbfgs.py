"""C, compiled here: `liblbfgs.c` beside this file, with OpenBLAS and liblbfgs."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from problem import Array, Fit, Problem

SOURCE = Path(__file__).with_suffix(".c")
FLAGS = ["-O3", "-march=native", "-mprefer-vector-width=512", "-ffast-math", "-fopenmp-simd"]
MEMORY = 50  # pairs of steps: fewer iterations than with liblbfgs's default of 6


@cache
def library(single: bool = False) -> ctypes.CDLL:
    """Compile the fit for this processor, in a folder that is gone once it is loaded."""
    with tempfile.TemporaryDirectory() as folder:
        made, file = f"{folder}/fit.o", f"{folder}/fit.so"
        compiled = [*FLAGS, "-c", "-fPIC", f"-DSINGLE={single:d}", str(SOURCE), "-o", made]
        # Linked with -ffast-math, it would round subnormal numbers to 0 in all of this process.
        linked = ["-shared", made, "-o", file, "-llbfgs", "-lopenblas", "-lm"]
        for arguments in (compiled, linked):
            subprocess.run(["gcc", *arguments], check=True, capture_output=True, text=True)
        return ctypes.CDLL(file)


@cache
def missing() -> str:
    """Say what the machine lacks; an empty text if nothing."""
    if shutil.which("gcc") is None:
        return "gcc"
    try:
        library()
    except (subprocess.CalledProcessError, OSError):
        return "liblbfgs or OpenBLAS for C"
    return ""


def fit(problem: Problem, single: bool = False, memory: int = MEMORY) -> Fit:
    """Fit from our starting values.

    With `single`, evaluations are in single precision, and in double from where rounding stops
    that short of the tolerance.
    """
    p, start = problem.X.shape[1], problem.start()
    h = problem.hidden[0] if problem.hidden else 0
    theta = np.concatenate([np.vstack([W, b]).T.ravel() for W, b in start])  # a neuron a row
    norm, n_iter = ctypes.c_double(np.inf), 0
    X, y, weight = map(_doubles, (problem.X, problem.y, problem.weight))
    for in_single in (True, False) if single else (False,):
        if norm.value > problem.tol and n_iter < problem.max_iter:
            n_iter += library(in_single).fit(
                len(y),
                p,
                h,
                *(ctypes.c_void_p(array.ctypes.data) for array in (X, y, weight)),
                ctypes.c_double(problem.l2),
                ctypes.c_double(problem.tol),
                problem.max_iter - n_iter,
                memory,
                ctypes.c_void_p(theta.ctypes.data),
                ctypes.byref(norm),
            )
    hidden = [theta[: h * (p + 1)].reshape(h, p + 1)] if h else []
    matrices = [*hidden, theta[None, h * (p + 1) :]]
    return Fit([(m[:, :-1].T, m[:, -1]) for m in matrices], n_iter)


def fit_all(problems: list[Problem], n_jobs: int, single: bool = False) -> list[Fit]:
    """Fit many, by joblib."""
    if n_jobs == 1:
        return [fit(problem, single) for problem in problems]
    return Parallel(n_jobs)(delayed(fit)(problem, single) for problem in problems)


def _doubles(array: Array) -> Array:
    return np.ascontiguousarray(array, dtype=np.float64)
