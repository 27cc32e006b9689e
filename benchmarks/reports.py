"""How long a report on a table takes: the command, in a process of its own, until it answers."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit
from settings import Settings


def made(rows: int, columns: int) -> pd.DataFrame:
    """Draw a table with an imbalance of about 12: numbers with gaps, levels, text, a date."""
    rng = np.random.default_rng(0)
    numbers = columns - 6
    Z = rng.normal(size=(rows, numbers))
    y = rng.random(rows) < expit(-3 + Z[:, :3].sum(axis=1) + Z[:, 0] * Z[:, 1] / 2)
    words = np.array(
        ["red", "blue", "fast", "slow", "car", "house", "loan", "tool", "farm", "ship"]
    )
    gap = rng.random(Z.shape) < 0.05
    table: dict[str, object] = {f"x{k}": np.where(gap, np.nan, Z)[:, k] for k in range(numbers)}
    table |= {f"level{k}": rng.choice(list("abcdefgh"), rows) for k in range(3)}
    chosen, numbered = rng.choice(words, (rows, 3)), rng.integers(300, size=rows)
    table["text"] = [f"{' '.join(row)} {k}" for row, k in zip(chosen, numbered, strict=True)]
    days = rng.integers(0, 1000, rows)
    table["day"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D")
    table["flag"] = rng.random(rows) < 0.3
    return pd.DataFrame(table | {"outcome": np.where(y, "yes", "no")})


def reports(settings: Settings, _: list[str]) -> Iterator[dict[str, pd.DataFrame]]:
    """Measure the seconds from the start of `crcen report` to its answer, and to its end."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for rows, columns in settings.reports:
            path = Path(folder, f"{rows}.csv")
            made(rows, columns).to_csv(path, index=False)
            command = [sys.executable, "-m", "crcen", "report", str(path), "--target", "outcome"]
            start = time.perf_counter()
            answered = np.nan
            with subprocess.Popen(
                [*command, "--page", f"{path}.html"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            ) as ran:
                for line in ran.stdout or ():
                    if line.startswith("Use "):
                        answered = time.perf_counter() - start
            if ran.returncode:
                raise RuntimeError(f"{' '.join(command)} ended with {ran.returncode}")
            row = {"rows": rows, "columns": columns, "answer_seconds": answered}
            found.append(row | {"seconds": time.perf_counter() - start})
            print(f"  report on {rows} rows: {found[-1]['seconds']:.1f} s", flush=True)
    yield {"reports": pd.DataFrame(found)}
