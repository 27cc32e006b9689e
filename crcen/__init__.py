"""CRCEN: class-wise reweighted cross entropy for imbalanced classification, and its key equation.

Reproduces Li & Zhu (2019), arXiv 1906.04026. Read the files in this order: validation, weights,
key_equation, losses, network, threads, solver, weighted_mlp, classifiers, simulations, datasets,
methods, protocol, expense, evaluation, mishaps, results, benchmark, laws, choice, heldout,
deviations, multiclass, own_data, plots.
"""

from crcen.choice import choose_lam
from crcen.classifiers import CRCENClassifier, CSMLPClassifier
from crcen.datasets import DATASETS, load_dataset
from crcen.key_equation import key_equation
from crcen.losses import CRCENLoss
from crcen.methods import METHODS
from crcen.weights import alpha_from_lam, imbalance_ratio, lam_from_alpha, prior_shift

__version__ = "0.1.0"

__all__ = [
    "DATASETS",
    "METHODS",
    "CRCENClassifier",
    "CRCENLoss",
    "CSMLPClassifier",
    "alpha_from_lam",
    "choose_lam",
    "imbalance_ratio",
    "key_equation",
    "lam_from_alpha",
    "load_dataset",
    "prior_shift",
]
