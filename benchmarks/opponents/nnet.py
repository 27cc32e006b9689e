"""R's nnet, by dense BFGS: one Rscript for a whole list of fits, or as many as processes."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from problem import Array, Fit, Layers, Problem, judge

SCRIPT = Path(__file__).with_suffix(".R")

# nnet stops by the fall of its value alone, never by the gradient. Where a gradient is to be
# certified, each of these is tried until it is small enough, and the last one is what counts.
RELTOL = (1e-6, 1e-7, 1e-8, 1e-10, 1e-12, 0.0)
DEFAULT = 1e-8


@cache
def missing() -> str:
    """Say what the machine lacks; an empty text if nothing."""
    if shutil.which("Rscript") is None:
        return "R"
    has_nnet = subprocess.run(["Rscript", "-e", "library(nnet)"], capture_output=True)
    return "R's nnet" if has_nnet.returncode else ""


def fit(problem: Problem, free: bool = True) -> Fit:
    """Fit one network; with the largest of `RELTOL` that leaves a small enough gradient.

    With biases that are penalised none does: then by the default.
    """
    for reltol in RELTOL if free else (DEFAULT,):
        (found,) = fit_all([problem], 1, free, reltol)
        judged = judge(found.layers, problem.l2, problem.X, problem.y, problem.lam)
        if judged["gradient"] <= problem.tol:
            break
    return found


def fit_all(
    problems: list[Problem], n_jobs: int, free: bool = True, reltol: float = DEFAULT
) -> list[Fit]:
    """Fit many. Biases are free, or penalised like weights, as the help page of nnet has it."""
    with tempfile.TemporaryDirectory() as name:
        folder, tasks = Path(name), []
        numbers: dict[int, int] = {}  # of the folds
        for number, problem in enumerate(problems):
            X, h = problem.X, problem.hidden[0]
            if id(X) not in numbers:
                k = numbers[id(X)] = len(numbers)
                rows = np.column_stack([X, problem.y, problem.weight])
                rows.T.astype("<f8").tofile(folder / f"rows{k}.bin")
            _packed(problem.start()).tofile(folder / f"start{number}.bin")
            tasks.append(
                {
                    "number": number,
                    "process": number % n_jobs,
                    "rows": numbers[id(X)],
                    "p": X.shape[1],
                    "h": h,
                    "decay": problem.l2,  # weights of sum 1
                    "free": int(free),
                    "max_iter": problem.max_iter,
                    "reltol": reltol,
                }
            )
        pd.DataFrame(tasks).to_csv(folder / "tasks.csv", index=False)
        commands = [["Rscript", "--vanilla", str(SCRIPT), name, str(k)] for k in range(n_jobs)]
        running = [subprocess.Popen(command) for command in commands]
        codes = [process.wait() for process in running]  # of all, so that none is left behind
        if any(codes):
            raise RuntimeError(f"Rscript {SCRIPT.name} failed: see what it printed above.")
        fits = []
        for task in tasks:
            seconds, *wts = np.fromfile(folder / f"fit{task['number']}.bin")
            layers = _unpacked(np.array(wts), task["p"], task["h"])
            fits.append(Fit(layers, -1, float(seconds)))
        return fits


def _packed(layers: Layers) -> Array:  # nnet's order: each neuron, its bias first
    return np.concatenate([np.vstack([b, W]).T.ravel() for W, b in layers]).astype("<f8")


def _unpacked(wts: Array, p: int, h: int) -> Layers:
    first, last = wts[: h * (p + 1)].reshape(h, p + 1), wts[None, h * (p + 1) :]
    return [(m[:, 1:].T, m[:, 0]) for m in (first, last)]
