"""The eight methods of Table 3, each a pipeline and the grid it is tuned over.

A pipeline scales the columns, balances the classes if it has a sampler, and classifies; all of it
is fitted on training rows only. The five networks share one network, one grid and one stopping
rule. The paper states neither its grid nor its scaling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from imblearn.base import BaseSampler
from imblearn.ensemble import (
    BalancedRandomForestClassifier,
    EasyEnsembleClassifier,
    RUSBoostClassifier,
)
from imblearn.over_sampling import ADASYN, SMOTE
from imblearn.pipeline import Pipeline
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import StandardScaler

from crcen.classifiers import CRCENClassifier, CSMLPClassifier

# A gradient of 1e-4 leaves the held-out decisions where they are, at a third of the iterations.
TOL = 1e-4

NETWORK_GRID: dict[str, list[Any]] = {
    "classifier__hidden_layer_sizes": [(1,), (2,), (5,), (10,), (20,), (40,)],
    "classifier__l2": [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0],
}
# Six times the work: to see what lies beyond the edges of the grid above.
WIDE_GRID: dict[str, list[Any]] = {
    "classifier__hidden_layer_sizes": [(1,), (2,), (5,), (10,), (20,), (40,), (80,), (160,)],
    "classifier__l2": [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0],
}


@dataclass(frozen=True)
class Method:
    """One method of the comparison.

    Attributes
    ----------
    title : str
        Its name in the report.
    classifier : callable
        Takes a seed, returns the untrained classifier.
    grid : dict
        Parameters of the pipeline to tune and their values; empty if the paper keeps the defaults.
    sampler : callable, optional
        Takes a seed, returns what balances the scaled training rows.
    """

    title: str
    classifier: Callable[[int], ClassifierMixin]
    grid: dict[str, list[Any]]
    sampler: Callable[[int], BaseSampler] | None = None

    def pipeline(self, seed: int) -> Pipeline:
        """Build the untrained pipeline: scale the columns, balance the classes, classify.

        Examples
        --------
        >>> list(METHODS["SMOTE"].pipeline(seed=0).named_steps)
        ['scaler', 'sampler', 'classifier']
        """
        sampler = [("sampler", self.sampler(seed))] if self.sampler else []
        return Pipeline(
            [("scaler", StandardScaler()), *sampler, ("classifier", self.classifier(seed))]
        )


def _mlp(seed: int) -> CRCENClassifier:
    return CRCENClassifier(lam=0.5, tol=TOL, random_state=seed)


def _csmlp(seed: int) -> CSMLPClassifier:
    return CSMLPClassifier(tol=TOL, random_state=seed)


def _crcen(seed: int) -> CRCENClassifier:
    return CRCENClassifier(tol=TOL, random_state=seed)


#: The methods by their name in the paper's Table 3, in its order.
METHODS: dict[str, Method] = {
    "MLP": Method("MLP", _mlp, NETWORK_GRID),
    "CSMLP": Method("CSMLP", _csmlp, NETWORK_GRID),
    "CRCEN": Method("CRCEN", _crcen, NETWORK_GRID),
    "ADASYN": Method("ADASYN + MLP", _mlp, NETWORK_GRID, lambda seed: ADASYN(random_state=seed)),
    "SMOTE": Method("SMOTE + MLP", _mlp, NETWORK_GRID, lambda seed: SMOTE(random_state=seed)),
    "RUSB": Method("RUSBoost", lambda seed: RUSBoostClassifier(random_state=seed), {}),
    "EE": Method("EasyEnsemble", lambda seed: EasyEnsembleClassifier(random_state=seed), {}),
    "BRF": Method(
        "balanced random forest", lambda seed: BalancedRandomForestClassifier(random_state=seed), {}
    ),
}

#: Those with a grid to tune over: the five networks.
NETWORKS = tuple(name for name, method in METHODS.items() if method.grid)

#: The networks again, each with the wider grid.
WIDE: dict[str, Method] = {name: replace(METHODS[name], grid=WIDE_GRID) for name in NETWORKS}
