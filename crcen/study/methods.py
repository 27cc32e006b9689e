"""The methods of the comparison: the eight of Table 3, and what they are to be measured against.

A method is a pipeline and the grid that its classifier is tuned over: it scales the columns,
balances the classes if it has a sampler, and classifies; all of it is fitted on training rows only.
The five networks share one network, one grid and one stopping rule. The paper states neither its
grid nor its scaling. A new method is one entry of `METHODS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
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
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from crcen.classifiers import CRCENClassifier, CSMLPClassifier
from crcen.study.stopped import StoppedMLP
from crcen.study.trees import WeightedBoosting, WeightedForest

Grid = dict[str, list[Any]]

# A residual of the key equation of 1e-4 leaves the held-out decisions where they are, but for a
# row in a hundred under the weakest penalties.
TOL = 1e-4

NETWORK_GRID: Grid = {
    "hidden_layer_sizes": [[1], [2], [5], [10], [20], [40]],
    "l2": [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0],
}
# Four times the work: to see what lies beyond the edges of the grid above.
WIDE_GRID: Grid = {
    "hidden_layer_sizes": [[1], [2], [5], [10], [20], [40], [80], [160]],
    "l2": [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0],
}
# A fifth of the work, for many sets: on the six of the paper its best point has a held-out log loss
# that is less than a hundredth above that of the best of all.
SHORT_GRID: Grid = {"hidden_layer_sizes": [[5], [20]], "l2": [1e-4, 1e-3, 1e-2, 1e-1]}
LINEAR_GRID: Grid = {"C": [1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0]}
# As many points as the short grid of the networks.
BOOSTING_GRID: Grid = {
    "learning_rate": [0.03, 0.1],
    "max_leaf_nodes": [3, 15],
    "min_samples_leaf": [5, 20],
}
FOREST_GRID: Grid = {"max_features": ["sqrt", 0.5], "min_samples_leaf": [1, 3, 10, 30]}


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
        Parameters of the classifier to tune, and their values; empty if it keeps its own.
    sampler : callable, optional
        Takes a seed, returns what balances the scaled training rows.
    like : str
        The method whose fits it uses and decides otherwise with; empty if it has its own.
    moved : bool
        Whether it decides at threshold 1 - lambda, with the balanced lambda, and not at 1/2.
    """

    title: str
    classifier: Callable[[int], ClassifierMixin]
    grid: Grid = field(default_factory=dict)
    sampler: Callable[[int], BaseSampler] | None = None
    like: str = ""
    moved: bool = False

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


def _stopped_mlp(seed: int) -> StoppedMLP:
    return StoppedMLP(random_state=seed)


def _stopped_crcen(seed: int) -> StoppedMLP:
    return StoppedMLP(weighted=True, random_state=seed)


def _logistic(seed: int) -> LogisticRegression:
    return LogisticRegression(max_iter=10_000)


def _weighted_logistic(seed: int) -> LogisticRegression:
    return LogisticRegression(max_iter=10_000, class_weight="balanced")


def _forest(seed: int) -> BalancedRandomForestClassifier:
    return BalancedRandomForestClassifier(random_state=seed)


def _plain_forest(seed: int) -> RandomForestClassifier:
    return RandomForestClassifier(random_state=seed)


def _weighted_forest(seed: int) -> WeightedForest:
    return WeightedForest(random_state=seed)


def _boosting(seed: int) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(early_stopping=False, random_state=seed)


def _weighted_boosting(seed: int) -> WeightedBoosting:
    return WeightedBoosting(early_stopping=False, random_state=seed)


def _forest_of_2019(seed: int) -> BalancedRandomForestClassifier:
    """Balance by drawing rows without replacement, each tree from its own bootstrap sample."""
    return BalancedRandomForestClassifier(
        bootstrap=True, sampling_strategy="auto", replacement=False, random_state=seed
    )


#: The methods by name: the eight of the paper's Table 3 in its order, and those beside them. The
#: weighted trees keep plain probabilities, so that they decide at 1 - lambda, as at 1/2 before.
METHODS: dict[str, Method] = {
    "MLP": Method("MLP", _mlp, NETWORK_GRID),
    "CSMLP": Method("CSMLP", _csmlp, NETWORK_GRID),
    "CRCEN": Method("CRCEN", _crcen, NETWORK_GRID),
    "ADASYN": Method("ADASYN + MLP", _mlp, NETWORK_GRID, lambda seed: ADASYN(random_state=seed)),
    "SMOTE": Method("SMOTE + MLP", _mlp, NETWORK_GRID, lambda seed: SMOTE(random_state=seed)),
    "RUSB": Method("RUSBoost", lambda seed: RUSBoostClassifier(random_state=seed)),
    "EE": Method("EasyEnsemble", lambda seed: EasyEnsembleClassifier(random_state=seed)),
    "BRF": Method("balanced random forest", _forest),
    "BRF 2019": Method("balanced random forest, defaults of 2019", _forest_of_2019),
    "MLP moved": Method("MLP at 1 − λ", _mlp, NETWORK_GRID, like="MLP", moved=True),
    "LR": Method("logistic regression", _logistic, LINEAR_GRID),
    "LR weighted": Method("logistic regression, weighted", _weighted_logistic, LINEAR_GRID),
    "MLP stopped": Method("MLP, stopped early", _stopped_mlp, NETWORK_GRID),
    "CRCEN stopped": Method("CRCEN, stopped early", _stopped_crcen, NETWORK_GRID),
    "LR moved": Method("logistic regression at 1 − λ", _logistic, LINEAR_GRID, None, "LR", True),
    "HGB": Method("boosting", _boosting, BOOSTING_GRID),
    "HGB moved": Method("boosting at 1 − λ", _boosting, BOOSTING_GRID, None, "HGB", True),
    "HGB weighted": Method("boosting, weighted", _weighted_boosting, BOOSTING_GRID, moved=True),
    "RF": Method("random forest", _plain_forest, FOREST_GRID),
    "RF moved": Method("random forest at 1 − λ", _plain_forest, FOREST_GRID, None, "RF", True),
    "RF weighted": Method("random forest, weighted", _weighted_forest, FOREST_GRID, moved=True),
}

#: What today's packages have lost, fitted by packages of the paper's time and recorded with them
#: (`crcen.study.past`); no entries of `METHODS`, for nothing here can fit them. Their titles.
PAST = {
    "RUSB 2019": "RUSBoost by SAMME.R",
    "EE 2019": "EasyEnsemble by SAMME.R",
}

#: Those of Table 3.
TABLE_3 = ("MLP", "CSMLP", "CRCEN", "ADASYN", "SMOTE", "RUSB", "EE", "BRF")

#: Networks whose training stops early, tuned once: a choice of its own, no method of Table 3.
STOPPED = ("MLP stopped", "CRCEN stopped")

#: Those that stand beside each other in the benchmark: Table 3, and what it is measured against.
COMPARED = (*TABLE_3, "BRF 2019", "MLP moved", "LR", "LR weighted")

#: Those that stand beside each other on the hundred sets.
HUNDRED = (
    *TABLE_3,
    *(f"{name}{how}" for name in ("LR", "HGB", "RF") for how in ("", " moved", " weighted")),
    "MLP moved",
)

#: The networks of Table 3, which have a grid to tune over.
NETWORKS = ("MLP", "CSMLP", "CRCEN", "ADASYN", "SMOTE")
