"""The sizes of a run, its data, and a line of progress."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from problem import Array, Row

from crcen.study.datasets import load_dataset
from crcen.study.splits import splits


@dataclass(frozen=True)
class Settings:
    """The sizes of a run; those of `QUICK` serve to try the benchmark, not to quote it."""

    sets: tuple[str, ...] = ("satimage", "abalone", "coil_2000")
    share: float = 1.0  # of the rows of each set
    hidden: tuple[int, ...] = (4, 8, 16, 32)
    l2: tuple[float, ...] = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
    folds: int = 4
    processes: tuple[int, ...] = (1, 2)
    epochs: int = 50  # of skorch
    tol: float = 1e-4  # largest entry of the gradient that every contender is asked for
    max_iter: int = 300  # in the grids
    single_iter: int = 5000  # in single fits and Table 1
    large: int = 100_000  # rows of the largest single fit
    repeats: int = 5  # of a single fit, while they take a second together
    runs: int = 100  # of each simulation, in Table 1
    minority: int = 1000  # training rows in Table 1; ten times as many of the majority
    rows: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    networks: tuple[int, ...] = (1, 10, 100, 1000)
    seconds: float = 0.05  # a measurement of the machine's limits
    reports: tuple[tuple[int, int], ...] = ((5_000, 20), (200_000, 20))  # rows and columns
    pages: int | None = None  # of the book, all if None
    visits: int = 5  # of each page


QUICK = Settings(
    sets=("satimage",),
    share=0.1,
    hidden=(2, 16),
    l2=(1e-4, 1e-2),
    processes=(2,),
    epochs=5,
    large=5_000,
    repeats=2,
    runs=4,
    minority=100,
    rows=(1_000, 10_000),
    networks=(1, 10),
    seconds=0.002,
    reports=((500, 10),),
    pages=2,
    visits=1,
)


def report(what: str, times: Row) -> None:
    """Print a line of progress: wall seconds, and the CPU seconds of other programs."""
    print(f"  {what}: {times['seconds']:.2f} s, others {times['others_cpu']:.2f} s", flush=True)


def load(name: str, share: float) -> tuple[Array, Array]:
    """Load the training rows of the report's first split, which is what it tunes on."""
    data = load_dataset(name)
    train, _ = next(splits(data.target, 1, seed=0))
    X, y = data.data[train], data.target[train]
    if share < 1:
        keep = np.random.default_rng(0).permutation(len(y))[: int(share * len(y))]
        X, y = X[keep], y[keep]
    return X, y
