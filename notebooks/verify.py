"""Recompute what is recorded, in as many minutes as you give, and say what comes out the same.

Fits of the record ``results/`` are drawn at random and made again; then chapters, executed apart
from the book, whose numbers and verdicts are compared with those in ``recorded.json``. What differs
is computed again with the kernels of other processors: only if that moves it, too, does it "differ
because of the processor". The last lines can be pasted into ``elsewhere.yml``.

    python notebooks/verify.py                ten minutes, another sample each time
    python notebooks/verify.py --seed 7       the sample of seed 7
    python notebooks/verify.py --record       write recorded.json, from the book as it is built
"""

import argparse
import json
import os
import platform
import re
import secrets
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import nbformat
import yaml
from driver import ROOT
from driver.agreement import (
    Found,
    Outcome,
    Values,
    count,
    same_fit,
    settle_chapter,
    settle_fit,
    values,
)
from driver.execution import execute_all, fetch_data, follow_parent, scratch_folder
from driver.pages import glued
from driver.parameters import RunError
from driver.plan import AFTER, Job, basis, plan
from joblib import parallel_config
from threadpoolctl import threadpool_limits

from crcen import imbalance_ratio, lam_from_alpha
from crcen.mishaps import told, write_whole
from crcen.study import provenance
from crcen.study.datasets import TABLE_2, load_dataset, locate_dataset
from crcen.study.fit import fit
from crcen.study.methods import METHODS
from crcen.study.record import KEYS, Record
from crcen.study.run import FAILURES
from crcen.study.splits import splits

PROFILE = "quick"
RECORD = "notebooks/recorded.json"

# Variables that choose kernels which newer x86-64 processors have, too. PyTorch's matrix products
# are MKL's, which has a variable of its own.
KERNELS: dict[str, dict[str, str]] = {
    "its own kernels": {},
    "AVX2 kernels": {
        "OPENBLAS_CORETYPE": "Haswell",
        "ATEN_CPU_CAPABILITY": "avx2",
        "NUMBA_CPU_NAME": "haswell",
    },
    "SSE kernels": {
        "OPENBLAS_CORETYPE": "Nehalem",
        "ATEN_CPU_CAPABILITY": "default",
        "NUMBA_CPU_NAME": "nehalem",
        "MKL_CBWR": "COMPATIBLE",
    },
}

Clock = Callable[[], float]


# Fits


def draw(record: Record, names: set[str], seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Tell of the fits of some data sets in random order what is recorded, each with its name.

    They are those of the test rows in the record's first environment. Of a wish that no weight
    fulfils there is no fit to be made again.
    """
    fits = record.fits
    asked = fits["environment"].isin([*record.environments][:1]) & fits["dataset"].isin(names)
    no_fit = fits["params"].map(wished) & fits["lam"].isna()
    places = fits.index[asked & (fits["rows"] == "test") & ~no_fit].tolist()
    Random(seed).shuffle(places)
    for place in places:
        found = recorded_fit(record, place)
        name = "fit of {method} on {dataset}, split {split} of seed {seed}, {params}"
        yield name.format_map(found), found


def wished(params: str) -> bool:
    """Whether the weight is the answer to a wish, which takes other fits to find."""
    weight = str(json.loads(params).get("lam", ""))
    return bool(weight) and not weight.startswith("alpha")


def recorded_fit(record: Record, place: int) -> dict[str, Any]:
    """Tell all that is recorded of a fit."""
    found = {str(name): value for name, value in record.fits.loc[place].items()}
    counts = {} if found["failed"] else record.predictions(place).counts._asdict()
    return found | counts


def known_elsewhere(results: Path, fits: Mapping[str, Outcome]) -> dict[str, list[Outcome]]:
    """Tell what other environments of the record than its first have of some fits."""
    known: dict[str, list[Outcome]] = {name: [] for name in fits}
    key = ["dataset", *KEYS["fits"]]
    for environment in [*Record(results).environments][1:] if fits else ():
        record = Record(results, environment, alone=True)
        place = {tuple(row): place for place, *row in record.fits[key].itertuples()}
        for name, found in fits.items():
            if (row := tuple(found[part] for part in key)) in place:
                known[name].append(recorded_fit(record, place[row]))
    return known


_data = cache(load_dataset)


def recompute(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Make a recorded fit again, in one thread, as it was made then."""
    data, split, seed = _data(recorded["dataset"]), int(recorded["split"]), int(recorded["seed"])
    *_, (train, test) = splits(data.target, split + 1, seed)
    params = json.loads(recorded["params"])
    if wished(recorded["params"]):
        params["lam"] = recorded["lam"]
    elif "lam" in params:
        alpha = float(params["lam"].split()[1])
        params["lam"] = lam_from_alpha(alpha, imbalance_ratio(data.target[train]))
    found: dict[str, Any] = {"failed": "", "data": data.sha256[:12]}
    start = time.perf_counter()
    with threadpool_limits(1), parallel_config("sequential"):
        try:
            rows = data.data, data.target, train, test
            now = fit(METHODS[recorded["method"]], params, *rows, seed=seed + split)
            found |= {"lam": now.lam} | now.predictions.counts._asdict()
        except FAILURES as error:
            found["failed"] = f"{type(error).__name__}: {error}"
    return found | {"seconds": time.perf_counter() - start}


@contextmanager
def kernels(variables: Mapping[str, str]) -> Iterator[None]:
    """Let processes that start inside have other kernels."""
    names = {name for each in KERNELS.values() for name in each}
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    os.environ |= variables
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]
        os.environ |= before


def other_kernels() -> dict[str, dict[str, str]]:
    """Tell which kernels there are for this machine but those of this process."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return {}
    ours = provenance.kernels()["torch"].lower()
    chosen = any(name in os.environ for name in KERNELS["SSE kernels"])
    return {
        name: variables
        for name, variables in KERNELS.items()
        if (variables["ATEN_CPU_CAPABILITY"] != ours if variables else chosen)
    }


@contextmanager
def pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Start processes with the variables of now, which end with this one and at once when told."""
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=follow_parent) as made:
        try:
            yield made
        except BaseException:
            made.shutdown(wait=False, cancel_futures=True)
            raise


def in_time(
    fits: Iterator[tuple[str, Any]], workers: Executor, queued: int, end: float, clock: Clock
) -> Iterator[tuple[str, Any, Any]]:
    """Make one fit after the other again until the time is over, and at least one."""
    waiting: deque[tuple[str, Any, Any]] = deque()
    for name, recorded in fits:
        waiting.append((name, recorded, workers.submit(recompute, recorded)))
        if len(waiting) > queued:
            name, recorded, future = waiting.popleft()
            yield name, recorded, future.result()
        if clock() >= end:
            break
    yield from ((name, recorded, future.result()) for name, recorded, future in waiting)


def check_fits(
    results: Path, names: set[str], seed: int, end: float, n: int, others: Mapping[str, Any]
) -> tuple[dict[str, Found], float]:
    """Make fits again until the time is over, and what differs with the other kernels, too.

    Returns
    -------
    found : dict
        What became of each.
    pace : float
        How long they took, as a multiple of the recorded seconds.
    """
    with pool(n) as workers:
        fits = draw(Record(results), names, seed)
        done = list(in_time(fits, workers, 2 * n, end, time.monotonic))
    took = sum(now["seconds"] for *_, now in done)
    takes = sum(recorded["seconds"] for _, recorded, _ in done)
    differ = {name: recorded for name, recorded, now in done if not same_fit(recorded, now)}
    print(f"{len(done)} fits made again, of which {len(differ)} differ", flush=True)
    elsewhere: dict[str, dict[str, Outcome]] = {name: {} for name, *_ in done}
    known = known_elsewhere(results, differ)

    def settled() -> dict[str, Found]:
        return {
            name: settle_fit(recorded, now, elsewhere[name], known.get(name, ()))
            for name, recorded, now in done
        }

    for title, variables in others.items():
        found = settled()
        open_ones = {name: each for name, each in differ.items() if found[name].kind == "otherwise"}
        if not open_ones:
            break
        with kernels(variables), pool(n) as workers:
            again = workers.map(recompute, open_ones.values())
            for name, outcome in zip(open_ones, again, strict=True):
                elsewhere[name][title] = outcome
    return settled(), took / takes if takes else 1.0


# Chapters


def read(notebook: Path) -> dict[str, Any]:
    """Gather from an executed chapter what it says: glued texts, and claims with verdicts."""
    chapter = nbformat.read(notebook, as_version=4)
    outputs = [output for cell in chapter.cells for output in cell.get("outputs", [])]
    entries = [output.get("metadata", {}).get("crcen_claim") for output in outputs]
    claims = [entry for entry in entries if entry]
    texts = {f"claim {entry['number']}": entry["ours"] for entry in claims}
    return {
        "seconds": chapter.metadata["crcen"]["seconds"],
        "texts": glued(chapter) | texts,
        "verdicts": {entry["number"]: entry["verdict"] for entry in claims},
    }


def said(chapter: Mapping[str, Any]) -> Values:
    """Take apart what a chapter says, its verdicts among it."""
    verdicts = {(number, "verdict"): text for number, text in chapter["verdicts"].items()}
    return values(chapter["texts"]) | verdicts


def fitting(names: list[str], cost: Mapping[str, float], left: float, workers: int) -> list[str]:
    """Choose, in their order, the chapters that can be executed twice in the time left."""
    chosen: list[str] = []
    for name in names:
        total = sum(cost[each] for each in [*chosen, name])
        if 2 * max(cost[name], total / workers) <= left:
            chosen.append(name)
    return chosen


def execute(jobs: list[Job], root: Path, workers: int) -> dict[str, Any]:
    """Execute chapters apart from the book; return what each says, or why it failed."""
    with scratch_folder(root / "runs") as folder:
        apart = [replace(job, target=folder / job.target.name) for job in jobs]
        failures = execute_all(apart, root, workers, print)
        return {
            job.source.stem: failures[job.key] if job.key in failures else read(job.target)
            for job in apart
        }


def at_hand() -> list[str]:
    """List the data sets that are here."""
    return [name for name in TABLE_2 if locate_dataset(name)]


def check_chapters(
    root: Path,
    recorded: Mapping[str, Any],
    seed: int,
    end: float,
    workers: int,
    pace: float,
    others: Mapping[str, Mapping[str, str]],
    run: Callable[[list[Job], Path, int], dict[str, Any]] = execute,
    clock: Clock = time.monotonic,
) -> dict[str, dict[tuple[str, str], Found]]:
    """Execute chapters until the time is over, those that differ with other kernels, too."""
    jobs = {job.source.stem: job for job in plan(root, PROFILE) if job.source.stem not in AFTER}
    todo = sorted(jobs.keys() & recorded["chapters"].keys())
    if at_hand() != recorded["data"]:
        loads = {n for n in todo if re.search(r"\bload_(available|sets?)\(", _text(jobs[n]))}
        todo = [name for name in todo if name not in loads]
        print(f"not compared, for they rest on other data sets here: {', '.join(sorted(loads))}")
    Random(seed).shuffle(todo)
    cost = {name: recorded["chapters"][name]["seconds"] for name in todo}
    found: dict[str, dict[tuple[str, str], Found]] = {}
    while todo:
        left = (end - clock()) / max(pace, 0.1)
        # Half of it first: only then is it known how long they take on this machine.
        chosen = fitting(todo, cost, left / 2, workers) or fitting(todo, cost, left, workers)
        if not chosen:
            break
        start = clock()
        now = run([jobs[name] for name in chosen], root, workers)
        pace = (clock() - start) / max(*(cost[n] for n in chosen), _load(cost, chosen) / workers)
        todo = [name for name in todo if name not in chosen]
        then = {name: said(recorded["chapters"][name]["said"]) for name in chosen}
        here = {name: _said(now[name]) for name in chosen}
        differ = [name for name in chosen if then[name] != here[name]]
        again: dict[str, Any] = {}
        for variables in list(others.values())[:1] if differ else ():
            with kernels(variables):
                again = run([jobs[name] for name in differ], root, workers)
        for name in chosen:
            old, new = recorded["chapters"][name]["basis"], basis(root, jobs[name].source)
            changed = sorted(file for file in old | new if old.get(file) != new.get(file))
            other = _said(again[name]) if name in again else None
            found[name] = settle_chapter(then[name], here[name], other, ", ".join(changed[:3]))
    return found


def _load(cost: Mapping[str, float], names: list[str]) -> float:
    return sum(cost[name] for name in names)


def _text(job: Job) -> str:
    return job.source.read_text("utf8")


def _said(chapter: Any) -> Values:
    return {("chapter", "failed"): chapter} if isinstance(chapter, str) else said(chapter)


def record(root: Path) -> None:
    """Write down what the chapters of the built book say."""
    jobs = [job for job in plan(root, PROFILE) if job.source.stem not in AFTER]
    if old := [job.source.stem for job in jobs if not job.fresh]:
        raise RunError(f"{', '.join(old)} must be executed first: `make book`.", status=2)
    chapters = {}
    for job in jobs:
        said = read(job.target)
        seconds = said.pop("seconds")
        chapters[job.source.stem] = {
            "basis": basis(root, job.source),
            "said": said,
            "seconds": seconds,
        }
    about = {
        "kernels": provenance.kernels(),
        "versions": provenance.versions(),
        "data": at_hand(),
    }
    text = json.dumps(about | {"chapters": chapters}, indent=1, sort_keys=True, ensure_ascii=False)
    write_whole(root / RECORD, text + "\n")


# The answer


def verify(root: Path, minutes: float, seed: int, workers: int) -> int:
    """Compare for so many minutes; print what differs and the answer; return the exit status."""
    end = time.monotonic() + 60 * minutes
    recorded = json.loads((root / RECORD).read_text("utf8"))
    fetch_data(plan(root, PROFILE), print)
    others = other_kernels()
    print(f"seed {seed}; recomputing for {minutes:g} minutes; also tried: {', '.join(others)}")
    quarter = time.monotonic() + 60 * minutes / 4
    names = {*at_hand()}
    fits, pace = check_fits(root / "results", names, seed, quarter, workers, others)
    chapters = check_chapters(root, recorded, seed, end, workers, pace, others)
    lines = fits | {
        f"{chapter}: {name} ({part})": found
        for chapter, places in chapters.items()
        for (name, part), found in places.items()
    }
    for name, found in lines.items():
        if found.kind != "same":
            print(f"{found.kind:<10} {name}: {found.line}")
    places = [pair for chapter in chapters.values() for pair in chapter.items()]
    verdicts = [found for (_, part), found in places if part == "verdict"]
    numbers = [found for (_, part), found in places if part.isdecimal()]
    texts = [found for (_, part), found in places if part in ("words", "failed")]
    answer: dict[str, Any] = {
        "date": date.today(),
        "processor": provenance.processor(),
        "kernels": provenance.kernels(),
        "versions": provenance.versions(),
        "data": at_hand(),
        "seed": seed,
        "minutes": minutes,
        "fits": count([*fits.values()]),
        "chapters": sorted(chapters),
        "numbers": count(numbers) | {"digits": min((n.digits for n in numbers), default=16)},
        "texts": count(texts),
        "verdicts": count(verdicts),
    }
    for name in ("fits", "numbers", "texts", "verdicts"):
        told = ", ".join(f"{number} {kind}" for kind, number in answer[name].items())
        print(f"{name:<10} {told}")
    print("\nTo be pasted into notebooks/elsewhere.yml:\n")
    print(yaml.safe_dump([answer], sort_keys=False, default_flow_style=None, width=100), end="")
    return int(any(found.kind == "otherwise" for found in lines.values()))


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10, help="default: %(default)s")
    parser.add_argument("--seed", type=int, help="of the sample; default: another each time")
    parser.add_argument("--record", action="store_true", help=f"write {RECORD} and stop")
    asked = parser.parse_args(arguments)
    seed = secrets.randbelow(10**6) if asked.seed is None else asked.seed

    def work() -> int:
        try:
            if asked.record:
                record(root)
                return 0
            return verify(root, asked.minutes, seed, os.cpu_count() or 1)
        except RunError as error:
            print(f"verify.py: {error}", file=sys.stderr)
            return error.status

    return told("verify.py", work)


if __name__ == "__main__":
    sys.exit(main())
