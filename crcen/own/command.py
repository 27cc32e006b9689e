"""The command `crcen report`: its options, and what it does with them.

What a report needs is imported when one is asked for: the other commands need none of it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from crcen.mishaps import write_whole

WISH = {"recall": 0.9}  # if there is no other
MANY = 20_000  # rows, from which on processes are worth the seconds that they take to start


def add_options(command: argparse.ArgumentParser) -> None:
    """Say what a report can be given, but for the wishes."""
    command.add_argument("table", type=Path, metavar="TABLE")
    command.add_argument("--target", required=True, help="column of the labels")
    which = command.add_mutually_exclusive_group()
    which.add_argument("--positive", help="label to be found; default: the rarer of two")
    which.add_argument("--above", type=float, help="for a target of numbers: what lies above")
    for name, meaning in {
        "groups": "column that says which rows belong together",
        "time": "column that orders the rows: models learn from the past",
        "weights": "column that says how much a row counts in training",
    }.items():
        command.add_argument(f"--{name}", metavar="COLUMN", help=meaning)
    command.add_argument("--drop", nargs="+", default=[], metavar="COLUMN", help="to leave out")
    command.add_argument("--seed", type=int, default=0, help="of parts and networks; default: 0")
    command.add_argument("--jobs", type=int, help="processes; default: of many rows, one a core")
    command.add_argument("--page", type=Path, help="file to write; default: TABLE.html, here")
    command.add_argument("--slip", type=Path, help="file to write the promise to (JSON)")
    command.add_argument("--scores", type=Path, help="file for scores of rows held out (CSV)")


def run(asked: argparse.Namespace, wish: dict[str, float]) -> int:
    """Read the table, compare models, answer, and write what is asked for."""
    from crcen.own.findings import find
    from crcen.own.models import hold_out
    from crcen.own.page import write_page
    from crcen.own.table import read_table
    from crcen.own.words import answer

    page = asked.page or Path(f"{asked.table.name}.html")
    for name, path in {"page": page, "slip": asked.slip, "scores": asked.scores}.items():
        if path and not path.parent.is_dir():  # told before minutes of work
            raise ValueError(f"{name}={str(path)!r}: there is no folder {str(path.parent)!r}.")
    table = read_table(
        asked.table,
        asked.target,
        asked.positive,
        above=asked.above,
        drop=asked.drop,
        groups=asked.groups,
        time=asked.time,
        weights=asked.weights,
    )
    n1, n0 = int(table.y.sum()), int((1 - table.y).sum())
    print(f"{table.name}: {n1} rows of {table.labels[1]!r}, {n0} of {table.labels[0]!r}")
    jobs = asked.jobs or (-1 if len(table.y) > MANY else 1)
    held = hold_out(
        table, seed=asked.seed, n_jobs=jobs, tell=lambda line: print(line, file=sys.stderr)
    )
    found = find(table, held, **(wish if {*wish} - {"confidence"} else WISH | wish))
    for line in answer(found):
        print(line)
    write_page(found, page)
    print(f"the page: {page}")
    if asked.slip and found.slip:
        found.slip.write(asked.slip)
    if asked.scores:
        _write_scores(asked.scores, table, held, found.best)
    return 0


def _write_scores(path: Path, table: Any, held: Any, best: str) -> None:
    """Write the best model's probabilities of rows held out, as the other commands read them."""
    seen = held.part >= 0
    y = np.where(table.y[seen] == 1, table.labels[1], table.labels[0])
    scores = {"row": np.flatnonzero(seen) + 1, "label": y, "score": expit(held.logits[best][seen])}
    write_whole(path, pd.DataFrame(scores).to_csv(index=False))
