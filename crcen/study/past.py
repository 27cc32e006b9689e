"""Put the ensembles of the paper's time into the record: run `make ensembles`, which has one.

Today's packages have lost them, and the packages that have them cannot import `crcen`. So it takes
two environments: this one writes rows, labels and splits into a file, the other one fits
(`crcen.study.samme_r`) and writes what it predicts, and this one puts that into the record, in an
environment that names the old versions.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from crcen.mishaps import told
from crcen.study.datasets import TABLE_2, load_available, load_dataset
from crcen.study.methods import PAST
from crcen.study.protocol import PROTOCOLS, Fit
from crcen.study.provenance import code_of, processor
from crcen.study.record import Record, RecordError, thousandths
from crcen.study.splits import Labels, splits
from crcen.study.tables import places

SCRIPT = Path(__file__).with_name("samme_r.py")
N_SPLITS = PROTOCOLS["paper"].n_splits

Answer = Callable[[str, Path, Path], Mapping[str, Any]]


class PastError(RuntimeError):
    """The other environment cannot fit; the text says why and what to do."""


def fill(
    record: Record,
    answer: Answer,
    *,
    datasets: Iterable[str] = TABLE_2,
    n_splits: int = N_SPLITS,
    seed: int = 0,
    load: Callable[[str], Bunch] = load_dataset,
    report: Callable[[str], object] = print,
) -> None:
    """Compute the fits of the `PAST` methods that a record lacks.

    Parameters
    ----------
    record : Record
        The record, which holds them afterwards.
    answer : callable
        Takes the name of a method, the file that is given and the one to be written, as
        `crcen.study.samme_r.answer` does; returns what is known of the environment that fitted.
    datasets : iterable of str
        The data sets; those that are not available are left out.
    n_splits, seed, load, report
        As in `crcen.study.run.fill`: splits and seeds are those of all methods.

    Raises
    ------
    PastError
        If the other environment cannot fit.
    """
    record.pack()
    record.read()
    for dataset, data in load_available(datasets, load, report).items():
        rows = list(splits(data.target, n_splits, seed))
        for name in PAST:
            done = places(record, seed)
            lacking = [k for k in range(n_splits) if Fit(dataset, name, "{}", k) not in done]
            if not lacking:
                continue
            train, test = (np.array(each) for each in zip(*(rows[k] for k in lacking), strict=True))
            with TemporaryDirectory() as folder:
                given, file = Path(folder, "given.npz"), Path(folder, "found.npz")
                X, y, seeds = data.data, data.target, np.array(lacking) + seed
                np.savez(given, X=X, y=y, train=train, test=test, seed=seeds)
                about = answer(name, given, file)
                with np.load(file, allow_pickle=False) as written:
                    found = {key: written[key] for key in written.files}
            origin = {"code": code_of(SCRIPT), "data": data.sha256[:12], "seed": seed}
            origin |= {"method": name, "params": "{}", "rows": "test"}
            made = [
                origin | {"split": split} | _row(y[test[k]], {n: v[k] for n, v in found.items()})
                for k, split in enumerate(lacking)
            ]
            record.add("fits", dataset, made, dict(about) | {"processor": processor()})
            report(f"{name} on {dataset}: {len(made)} splits in {found['seconds'].sum():.0f} s")
    record.pack()
    record.read()


def _row(y: Labels, found: Mapping[str, Any]) -> dict[str, Any]:
    """Put what was found of a split into the form of the record."""
    row = {"failed": str(found["failed"]), "seconds": round(float(found["seconds"]), 3)}
    logits = None if row["failed"] else found["logits"]
    parts = {"positives": y == 1, "negatives": y == 0}
    return row | {n: None if logits is None else thousandths(logits[of]) for n, of in parts.items()}


def elsewhere(python: str) -> Answer:
    """Let another Python fit, that of the environment with the old packages.

    It looks for modules among its own packages alone, not in this folder, where some have the names
    of Python's.
    """

    def answer(name: str, given: Path, found: Path) -> Mapping[str, Any]:
        command = [python, "-I", str(SCRIPT), name, str(given), str(found)]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise PastError(
                f"{python} does not start ({error.strerror}): run `make ensembles`, which has one."
            ) from None
        if ended.returncode:
            last = (ended.stderr.strip() or f"exit status {ended.returncode}").splitlines()[-1]
            raise PastError(f"{python} could not fit {name}: {last}")
        return json.loads(ended.stdout)

    return answer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m crcen.study.past", description=__doc__)
    parser.add_argument("python", help="the Python of the other environment")
    parser.add_argument(
        "--datasets", nargs="+", choices=[*TABLE_2], default=[*TABLE_2], metavar="NAME",
        help=f"of {', '.join(TABLE_2)}; default: all",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--results", default="results", help="folder; default: %(default)s")
    asked = parser.parse_args(arguments)

    def work() -> int:
        try:
            fill(
                Record(asked.results),
                elsewhere(asked.python),
                datasets=asked.datasets,
                seed=asked.seed,
                report=lambda line: print(line, flush=True),
            )
        except (PastError, RecordError) as error:
            print(f"crcen: {error}", file=sys.stderr)
            return 1
        return 0

    return told("crcen", work)


if __name__ == "__main__":
    sys.exit(main())
