"""Fill the record of the study: compute what it lacks, and say how far it is.

Stop it whenever you like, and start it again: it goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from joblib import parallel_config

from crcen.mishaps import told
from crcen.study.admission import GROUPS
from crcen.study.datasets import DATASETS, TABLE_2, DataError
from crcen.study.joined import JoinError, home, join, joined
from crcen.study.methods import METHODS
from crcen.study.protocol import PROTOCOLS, Protocol, cells
from crcen.study.record import Record, RecordError, here
from crcen.study.run import fill, missing, stale

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
    parser = argparse.ArgumentParser(prog="python -m crcen.study", description=__doc__)
    parser.add_argument(
        "--join", nargs="+", metavar="FILE",
        help="compute classifiers of your own: each file defines `estimator`, and `grid` if it is "
        "to be tuned (see crcen.study.joined)",
    )  # fmt: skip
    sets = f"{', '.join([*GROUPS, *TABLE_2])} or another key of crcen.DATASETS"
    for option, known, of, shown in (
        ("--datasets", [*GROUPS, *DATASETS], sets, "the paper's six; with --join main"),
        ("--methods", METHODS, ", ".join(METHODS), "all; not with --join"),
        ("--protocols", PROTOCOLS, ", ".join(PROTOCOLS), "paper; with --join hundred"),
    ):
        parser.add_argument(
            option, nargs="+", choices=[*known], metavar="NAME",
            help=f"of {of}; default: {shown}",
        )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument(
        "--n-jobs", type=int, default=1, help="processes, -1 for one on each core; default: 1"
    )
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster to run on")
    parser.add_argument(
        "--results", help="folder; default: results; with --join one in runs/ for each file"
    )
    parser.add_argument(
        "--here",
        action="store_true",
        help="compute all that was not computed with these very versions and kernels",
    )
    parser.add_argument(
        "--stale", action="store_true", help="list what other code or data has made, and stop"
    )
    asked = parser.parse_args(arguments)
    if asked.join and asked.methods:
        parser.error("--methods does not go with --join: run the command once for each")
    return told("crcen", lambda: _answer(asked))


def _answer(asked: argparse.Namespace) -> int:
    """Do what the command line asks, and return the exit status."""
    names = asked.datasets or (["main"] if asked.join else TABLE_2)
    sets = dict.fromkeys(name for group in names for name in GROUPS.get(group, [group]))
    protocols = {
        name: PROTOCOLS[name]
        for name in asked.protocols or (["hundred"] if asked.join else ["paper"])
    }
    try:
        if not asked.join:
            methods = asked.methods or [*METHODS]
            _fill(asked, asked.results or "results", sets, methods, protocols)
        for file in asked.join or ():
            name, own = join(file), home(file)
            its = {key: joined(protocol, name) for key, protocol in protocols.items()}
            _fill(asked, asked.results or own, sets, [name], its)
            if not (asked.results or asked.stale):
                print(f"its page: python notebooks/run.py hundred-sets method={file}")
    except (ClusterError, DataError, JoinError, RecordError) as error:
        print(f"crcen: {error}", file=sys.stderr)
        return 1
    return 0


def _fill(
    asked: argparse.Namespace,
    folder: str | os.PathLike[str],
    sets: Iterable[str],
    methods: Iterable[str],
    protocols: Mapping[str, Protocol],
) -> None:
    """Fill a record as the command line asks."""
    wanted, known = cells(sets, methods, protocols), PROTOCOLS | dict(protocols)
    record = Record(folder, here() if asked.here else "", alone=asked.here)
    if asked.stale:
        print("\n".join(stale(record)) or "all rows were made by this code")
        return
    with cluster(asked.scheduler):
        fill(
            record,
            wanted,
            seed=asked.seed,
            protocols=known,
            n_jobs=asked.n_jobs,
            report=lambda line: print(line, flush=True),
        )
    there = len(wanted) - len(missing(record, wanted, asked.seed, known))
    print(f"{there} of {len(wanted)} cells are in {record.folder}")


if __name__ == "__main__":
    # What stops the run is told; joblib's advice on it would only hide that.
    unread = r"\d+ tasks (have been successfully executed|which were still being processed)"
    warnings.filterwarnings("ignore", unread, UserWarning)
    sys.exit(main())
