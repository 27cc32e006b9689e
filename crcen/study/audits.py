"""Audits of recorded models, which show whether the key equation finds weights that are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import expit

from crcen.auditing import audit
from crcen.study.datasets import DATASETS
from crcen.study.hundred import BALANCED
from crcen.study.protocol import PROTOCOLS, Protocol
from crcen.study.record import Record
from crcen.study.tables import log_ratio, on_test_rows
from crcen.threads import one_thread

#: Methods whose rows or loss are weighted by inverse class frequency.
WEIGHTED = ("CRCEN", "LR weighted", "HGB weighted", "RF weighted")
#: Those of them whose recorded logits are shifted back.
SHIFTED_BACK = ("HGB weighted", "RF weighted")


@one_thread()
def audits(
    record: Record,
    datasets: Iterable[str],
    methods: Iterable[str],
    seed: int = 0,
    protocols: Mapping[str, Protocol] = PROTOCOLS,
) -> pd.DataFrame:
    """Audit methods on the test rows of the first split of each set.

    Parameters
    ----------
    record : Record
        The record; what it lacks is left out, as is what no rows can be audited by.
    datasets, methods : iterable of str
        Their names. A method is plain, of `WEIGHTED`, or of `crcen.study.hundred.BALANCED`.
    seed : int, default=0
        Seed of the splits.
    protocols : mapping
        What ``"hundred"`` means.

    Returns
    -------
    DataFrame
        dataset, method, split; `given` and `found`, the logs of the odds lambda/(1 - lambda);
        `held`, whether the 95% interval holds the given weight; `spread`; and Platt's `slope`.
    """
    first = {"hundred": replace(protocols["hundred"], n_splits=1)}
    rows = []
    for cell, _, found in on_test_rows(record, datasets, methods, seed, first):
        ratio, log_odds = log_ratio(found), 0.0
        if cell.method in (*WEIGHTED, *BALANCED):
            log_odds = ratio
        if cell.method in SHIFTED_BACK:
            found = found.moved(-ratio)
        n1 = DATASETS[cell.dataset].n_minority - found.positives.size
        n0 = DATASETS[cell.dataset].n_samples - DATASETS[cell.dataset].n_minority
        p = expit(found.logits)
        if not ((1 - p[found.labels == 1]).sum() and p[found.labels == 0].sum()):
            continue
        it = audit(found.labels, p, train=(n1, n0 - found.negatives.size))
        low, high = it.interval()
        truth = expit(log_odds)
        rows.append(
            {"dataset": cell.dataset, "method": cell.method, "split": cell.split}
            | {"given": log_odds, "found": float(np.log(it.weight)), "spread": it.spread}
            | {"held": low <= truth <= high, "slope": it.line.slope}
        )
    columns = ["dataset", "method", "split", "given", "found", "spread", "held", "slope"]
    return pd.DataFrame(rows, columns=columns)
