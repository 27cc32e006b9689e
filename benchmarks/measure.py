"""Measure a piece of work in a fresh process: its wall time, its CPU time and its memory."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, wait
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from typing import Any

import psutil
import torch
from joblib import Parallel, cpu_count, delayed
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.backend import resource_tracker

INTERVAL = 0.1  # seconds between two looks at the memory; a look takes about 2 ms of CPU


def fresh(work: Callable[..., Any], *args: Any) -> tuple[Any, float]:
    """Call `work` in a new process; return its result and the peak memory of its process tree.

    The peak is in MB, the largest sum of the resident sets of the new process and its own workers,
    looked at every `INTERVAL` seconds. Pages that they share, such as libraries, count for each.
    """
    with ProcessPoolExecutor(1, mp_context=_context()) as pool:
        process = psutil.Process(pool.submit(os.getpid).result())
        peak = _memory([process])
        future = pool.submit(_alone, work, *args)
        while wait([future], timeout=INTERVAL).not_done:
            peak = max(peak, _memory([process, *process.children(recursive=True)]))
        return future.result(), peak / 1e6


@cache
def _context() -> Any:
    """Fork from a process that has imported what takes seconds, where there is such a thing."""
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    folder = str(Path(__file__).parent)
    paths = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
    # A forked process ends without its exit handlers: joblib's tracker tidies up, and says so.
    os.environ["PYTHONWARNINGS"] = f"ignore::UserWarning:{resource_tracker.__name__}"
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)  # of the preloading process
    context = get_context("forkserver")
    context.set_forkserver_preload(["single"])
    return context


def _alone(work: Callable[..., Any], *args: Any) -> Any:
    torch.set_num_threads(1)
    try:
        return work(*args)
    finally:
        get_reusable_executor().shutdown(wait=True)  # joblib's workers would outlive the task


def clock(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Call `work`; return its result, and the wall and CPU seconds of this process and its workers.

    ``others_cpu`` is the CPU seconds of everything else on the machine in the meantime, to be near
    zero; ``base_mb`` is the memory before, with data and libraries loaded.
    """
    before, machine_before = {p: _cpu(p) for p in _tree()}, _cpu(psutil)
    base, start = _memory(list(before)), time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    cpu = sum(_cpu(p) - before.get(p, 0.0) for p in _tree())
    others = max(0.0, _cpu(psutil) - machine_before - cpu)
    times = {"seconds": seconds, "cpu_seconds": cpu, "others_cpu": others, "base_mb": base / 1e6}
    return result, times


def warm_up(n_jobs: int, work: Callable[[], Any]) -> None:
    """Start joblib's processes and let each do `work`, so that no import is timed later."""
    tasks = [delayed(_warm)(work, 0.0 if n_jobs == 1 else 1.0)] * n_jobs
    Parallel(n_jobs, batch_size=1, pre_dispatch="all")(tasks)


def _warm(work: Callable[[], Any], pause: float) -> None:
    torch.set_num_threads(1)
    work()
    time.sleep(pause)  # until every other process has a task of its own


def best_of(work: Callable[[], Any], seconds: float) -> float:
    """Return the least wall time of one call, among three calls or as many as fit in `seconds`."""
    times: list[float] = []
    while len(times) < 3 or sum(times) < seconds:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def _tree() -> list[psutil.Process]:
    me = psutil.Process()
    return [me, *me.children(recursive=True)]


def _cpu(of: Any) -> float:
    times = of.cpu_times()  # of a process; of the machine, if it is psutil itself
    return float(times.user + times.system)


def _memory(processes: list[psutil.Process]) -> int:
    total = 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue  # it ended since it was listed
    return total


def machine() -> dict[str, Any]:
    """Describe the machine and the versions that a table was made with."""
    names = ("numpy", "scipy", "numba", "scikit-learn", "torch", "skorch", "jax", "optax", "joblib")
    return (
        {
            "date": time.strftime("%Y-%m-%d"),
            "cpu": _cpu_model(),
            "cores": cpu_count(),
            "ram_gb": round(psutil.virtual_memory().total / 1e9, 1),
            "os": platform.platform(),
            "python": platform.python_version(),
        }
        | {name: _version(name) for name in names}
        | {name: _first_line(name) for name in ("gcc", "R")}
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _first_line(program: str) -> str | None:
    if shutil.which(program) is None:
        return None
    said = subprocess.run([program, "--version"], capture_output=True, text=True)
    return said.stdout.partition("\n")[0]


def _cpu_model() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
