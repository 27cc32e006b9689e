"""A small study: two data sets, a few methods with small grids, and the record of it."""

from dataclasses import replace
from multiprocessing import get_context

import numpy as np
from sklearn.utils import Bunch

from crcen.study.methods import METHODS
from crcen.study.protocol import APPLIED, Protocol, cells
from crcen.study.record import Record
from crcen.study.run import fill

GRID = {"hidden_layer_sizes": [[2]], "l2": [1e-3, 1e-2]}
WHICH = ("MLP", "MLP moved", "CRCEN", "SMOTE", "RUSB")
PROTOCOLS = {
    "paper": Protocol(2),
    "nested": Protocol(2, tune_every=1),
    "repeated": Protocol(4, tune_every=2, scores=("f1",), methods=("SMOTE", "MLP moved")),
    "lambda": Protocol(
        2, scores=("f1",), methods=("CRCEN",), weights=("plain", "alpha 0.5", "alpha 1")
    ),
    "plain": Protocol(2, scores=("log_loss",), methods=("MLP",), also=APPLIED),
    "wished": Protocol(
        2, scores=("log_loss",), methods=("CRCEN",), weights=("recall 0.7", "expense 5")
    ),
}
SETS = ("one", "two")


def load(name):
    """Two overlapping normal classes; the first column is the number of the row.

    The samples are fixed ones, on which F1 and the G-mean choose different parameters: on others
    nobody could see that a cell has those of its own score.
    """
    rng = np.random.default_rng(3 + [*SETS, "three"].index(name))
    y = rng.permutation(np.repeat([1, 0], [40, 160]))
    X = np.column_stack([np.arange(200.0), rng.normal(size=(200, 2)) + y[:, None]])
    return Bunch(data=X, target=y, sha256=f"digest of {name}")


def use_grids(patch):
    """Put the small grid in the place of those of the networks."""
    for name in WHICH:
        if METHODS[name].grid:
            patch.setitem(METHODS, name, replace(METHODS[name], grid=GRID))


def small_record(folder, which=WHICH, protocols=PROTOCOLS, sets=SETS, **more):
    """Fill a record with all small cells, quietly."""
    record = Record(folder)
    more = {"report": lambda line: None, "load": load} | more
    fill(record, cells(sets, which, protocols), protocols=PROTOCOLS | protocols, **more)
    return record


def said(record):
    """All that a record says, without the times.

    However a run went, the next one ends with the same: a fit has one thread, so that one machine
    computes the same twice.
    """
    tables = [t.drop(columns="seconds", errors="ignore") for t in (record.fits, record.searches)]
    logits = [[part.tolist() for part in record.predictions(k)] for k in record.fits.index]
    return *(table[sorted(table)].to_csv() for table in tables), str(logits)


def start(work, *arguments):
    """Start a process that does some work; one that has the imports already makes it."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["crcen.study.run"])
    process = context.Process(target=work, args=arguments)
    process.start()
    return process
