"""Run the benchmark, or parts of it: ``python benchmarks/run.py [--quick] [--only PARTS]``."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
from contenders import contenders
from measure import machine
from parts import PARTS
from settings import QUICK, Settings

from crcen.mishaps import write_whole

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Read the options, run the parts; write each table as it is finished, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to try it")
    parser.add_argument("--only", type=_names(PARTS), default=list(PARTS), help=", ".join(PARTS))
    names = list(contenders())
    parser.add_argument("--contenders", type=_names(names), default=names, help=", ".join(names))
    parser.add_argument("--max-iter", type=int, help="most iterations in the grids")
    parser.add_argument("--out", type=Path, help="folder of the tables")
    options = parser.parse_args()
    settings = QUICK if options.quick else Settings()
    if options.max_iter:
        settings = replace(settings, max_iter=options.max_iter)
    out = options.out or (RESULTS / "quick" if options.quick else RESULTS)

    # One thread a process, in every child: more of them cost time on small matrices.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    start = time.perf_counter()
    for part in options.only:
        print(f"{part} (at {time.perf_counter() - start:.0f} s)", flush=True)
        tables: dict[str, pd.DataFrame] = {}
        for tables in PARTS[part](settings, options.contenders):
            for name, table in tables.items():
                write_whole(out / f"{name}.csv", table.to_csv(index=False, float_format="%.6g"))
        for name in tables.keys() - {"fits"}:
            print(f"\n{tables[name].to_string(index=False, float_format='{:.4g}'.format)}\n")
        # By part, because the tables in a folder may come from several runs.
        known = json.loads(record.read_text()) if (record := out / "machine.json").exists() else {}
        facts = machine() | {"arguments": sys.argv[1:], "settings": asdict(settings)}
        write_whole(record, json.dumps(known | {part: facts}, indent=1) + "\n")
    print(f"{out}: done in {time.perf_counter() - start:.0f} s")


def _names(known: Iterable[str]) -> Callable[[str], list[str]]:
    def names(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := set(chosen) - set(known):
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}")
        return chosen

    return names


if __name__ == "__main__":
    main()
