"""The methods of section 4, each a pipeline and the grid it is tuned over.

Scaling is part of the pipeline, so it is fitted on the training fold only. The networks share one
grid, one budget and one stopping rule. The paper states neither its grid nor its scaling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from imblearn.ensemble import RUSBoostClassifier
from sklearn.base import ClassifierMixin
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from crcen.classifiers import CRCENClassifier, CSMLPClassifier

# A gradient of 1e-4 leaves the held-out decisions where they are, at a third of the iterations.
TOL = 1e-4

NETWORK_GRID: dict[str, list[Any]] = {
    "classifier__hidden_layer_sizes": [(5,), (10,), (20,)],
    "classifier__l2": [1e-4, 1e-3, 1e-2],
}


@dataclass(frozen=True)
class Method:
    """One method of the comparison.

    Attributes
    ----------
    title : str
        Its name in the paper's Table 3.
    classifier : callable
        Takes a seed, returns the untrained classifier.
    grid : dict
        Parameters of the pipeline to tune and their values; empty if the paper keeps the defaults.
    """

    title: str
    classifier: Callable[[int], ClassifierMixin]
    grid: dict[str, list[Any]]

    def pipeline(self, seed: int) -> Pipeline:
        """Build the untrained pipeline: scale the columns, then classify."""
        return Pipeline([("scaler", StandardScaler()), ("classifier", self.classifier(seed))])


METHODS: dict[str, Method] = {
    "MLP": Method(
        "MLP", lambda seed: CRCENClassifier(lam=0.5, tol=TOL, random_state=seed), NETWORK_GRID
    ),
    "CSMLP": Method(
        "CSMLP", lambda seed: CSMLPClassifier(tol=TOL, random_state=seed), NETWORK_GRID
    ),
    "CRCEN": Method(
        "CRCEN", lambda seed: CRCENClassifier(tol=TOL, random_state=seed), NETWORK_GRID
    ),
    "RUSB": Method("RUSBoost", lambda seed: RUSBoostClassifier(random_state=seed), {}),
}
