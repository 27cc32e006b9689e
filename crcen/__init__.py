"""CRCEN: class-wise reweighted cross entropy for imbalanced classification, and its key equation.

Reproduces Li & Zhu (2019), arXiv 1906.04026. Three floors:

- here, what people import: weights and key_equation, which stand on NumPy alone; losses, network,
  kernels, solver, weighted_mlp, classifiers, path; choice, wishes, row_costs, undecided, auditing,
  slip, prevalence; reading and the command;
- `crcen.theory`, what the propositions say: simulations, laws, expense, deviations, multiclass;
- `crcen.study`, the experiment behind the book: datasets, methods, protocol, scores, fit, record,
  tables, run.

What takes PyTorch, SciPy or imbalanced-learn is imported when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from crcen.key_equation import key_equation
from crcen.weights import alpha_from_lam, imbalance_ratio, lam_from_alpha, prior_shift

if TYPE_CHECKING:
    from crcen.auditing import audit
    from crcen.choice import choose_lam
    from crcen.classifiers import CRCENClassifier, CSMLPClassifier
    from crcen.losses import CRCENLoss
    from crcen.study.datasets import DATASETS, load_dataset
    from crcen.study.methods import METHODS

__version__ = "0.1.0"

__all__ = [
    "DATASETS",
    "METHODS",
    "CRCENClassifier",
    "CRCENLoss",
    "CSMLPClassifier",
    "alpha_from_lam",
    "audit",
    "choose_lam",
    "imbalance_ratio",
    "key_equation",
    "lam_from_alpha",
    "load_dataset",
    "prior_shift",
]

_LATER = {
    "DATASETS": "crcen.study.datasets",
    "METHODS": "crcen.study.methods",
    "CRCENClassifier": "crcen.classifiers",
    "CRCENLoss": "crcen.losses",
    "CSMLPClassifier": "crcen.classifiers",
    "audit": "crcen.auditing",
    "choose_lam": "crcen.choice",
    "load_dataset": "crcen.study.datasets",
}


def __getattr__(name: str) -> Any:
    """Import what is first asked for (PEP 562)."""
    if name not in _LATER:
        raise AttributeError(f"module 'crcen' has no attribute {name!r}")
    try:
        module = import_module(_LATER[name])
    except ModuleNotFoundError as error:
        raise ImportError(
            f"crcen.{name} needs {error.name}, which is not installed: pip install "
            "'crcen[networks]' for the estimators and the loss, 'crcen[study]' for the rest."
        ) from error
    globals()[name] = found = getattr(module, name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
