"""Run the benchmark: compute what a store of results lacks, and say how far it is.

Stop it whenever you like, and start it again: it goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from joblib import parallel_config

from crcen import heldout
from crcen.benchmark import fill, settings
from crcen.datasets import DATASETS, DataError
from crcen.methods import METHODS, WIDE, Method
from crcen.mishaps import told
from crcen.protocol import PROTOCOLS, Cell, cells
from crcen.results import Store, StoreError

TIME_LIMIT = 10  # seconds to wait for a cluster's answer


class ClusterError(RuntimeError):
    """The Dask cluster cannot be used; the text says why and what to do."""


@contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """Send the jobs to the Dask cluster with this address, or keep them here if there is none."""
    if address is None:
        yield
        return
    try:
        from distributed import Client
    except ImportError:
        raise ClusterError(
            "--scheduler needs Dask: run `pip install 'dask[distributed]'`, or leave it out."
        ) from None
    try:
        client = Client(address, timeout=TIME_LIMIT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"--scheduler {address} does not answer ({error}): start one with `dask scheduler`, "
            "and on each machine `dask worker ADDRESS --nthreads 1`."
        ) from None
    with client, parallel_config("dask", client=client):
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m crcen", description=__doc__)
    for option, known, default in (
        ("--datasets", DATASETS, list(DATASETS)),
        ("--methods", METHODS, list(METHODS)),
        ("--protocols", PROTOCOLS, ["paper"]),
    ):
        parser.add_argument(
            option, nargs="+", choices=[*known], default=default, metavar="NAME",
            help=f"of {', '.join(known)}; default: {'all' if len(default) > 1 else default[0]}",
        )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument(
        "--n-jobs", type=int, default=1, help="processes, -1 for one on each core; default: 1"
    )
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster to run on")
    parser.add_argument("--results", default="results", help="folder; default: %(default)s")
    other = parser.add_mutually_exclusive_group()
    other.add_argument(
        "--wide",
        action="store_true",
        help="tune the networks over a wider grid, in the folder's subfolder wide, instead",
    )
    other.add_argument(
        "--logits",
        action="store_true",
        help="record held-out logits of MLP and CRCEN in the folder's subfolder logits, instead",
    )
    asked = parser.parse_args(arguments)
    methods = WIDE if asked.wide else METHODS
    names = [name for name in asked.methods if name in methods]
    if not names:
        parser.error(f"--wide is for methods with a grid ({', '.join(methods)}), name one of them")
    return told("crcen", lambda: _fill(asked, methods, names))


def _fill(asked: argparse.Namespace, methods: Mapping[str, Method], names: Sequence[str]) -> int:
    """Fill the store that the command line asks for, and return the exit status."""
    options = {"n_jobs": asked.n_jobs, "report": lambda line: print(line, flush=True)}
    wanted: Sequence[Cell | heldout.Run]
    folder = Path(asked.results) / ("wide" if asked.wide else "")
    try:
        store = Store(folder, settings(methods, seed=asked.seed))
        with cluster(asked.scheduler):
            if asked.logits:
                tuned, wanted = store, heldout.runs(asked.datasets)
                store = Store(tuned.folder / "logits", heldout.settings(asked.seed))
                heldout.fill(store, wanted, tuned, **options)
            else:
                protocols = {name: PROTOCOLS[name] for name in asked.protocols}
                wanted = cells(asked.datasets, names, protocols)
                fill(store, wanted, methods=methods, **options)
        there = sum(cell.key in store for cell in wanted)
    except (ClusterError, DataError, StoreError) as error:
        print(f"crcen: {error}", file=sys.stderr)
        return 1
    print(f"{there} of {len(wanted)} {'runs' if asked.logits else 'cells'} are in {store.folder}")
    return 0


if __name__ == "__main__":
    # What stops the run is told; joblib's advice on it would only hide that.
    warnings.filterwarnings("ignore", r"\d+ tasks which were still being processed", UserWarning)
    sys.exit(main())
