"""Mutants: ways to break the science on purpose, to see which verdicts notice.

A verdict that comes out the same whatever is broken says nothing. Each mutant here breaks one
thing: what is trained, what it is evaluated on, a formula, or the paper's numbers. It patches
modules of a process before a chapter imports from them, in a cell of its own at the top:

    import mutants
    mutants.apply("exchanged")

so that neither `crcen` nor a chapter knows of it. `run.py --mutants` runs the chapters that have
claims under each mutant that can reach them, and writes the verdicts down (`driver.controls`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

# What the source of a chapter says that trains in this build, or shows the record.
NETWORKS = r"CRCENClassifier\(|Objective\("
TRAINS = rf"{NETWORKS}|CRCENLoss\(|class_weight="
RECORD = r"Record\("
EVALUATED = rf"mean_probabilities\(|fresh_key_equation\(|confusion_counts\(|sample_point\(|{RECORD}"

# Chapters that train something in passing, whose verdicts are those of the record.
IN_PASSING = ("which-lambda",)


class Mutant(NamedTuple):
    """A way to break the science.

    Attributes
    ----------
    what : str
        What it does, in a sentence.
    touches : str
        Pattern of what the source of a chapter says that it can reach.
    apply : callable
        Patches the modules of this process.
    """

    what: str
    touches: str
    apply: Callable[[], None]


#: The mutants by name.
MUTANTS: dict[str, Mutant] = {}


def mutant(
    name: str, what: str, touches: str
) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Enter a function that patches modules among the mutants."""

    def enter(patch: Callable[[], None]) -> Callable[[], None]:
        MUTANTS[name] = Mutant(what, touches, patch)
        return patch

    return enter


def apply(name: str) -> None:
    """Break what a mutant breaks, in this process; a chapter imports from it afterwards."""
    MUTANTS[name].apply()


def reaches(name: str, chapter: str, source: str) -> bool:
    """Whether a mutant can reach a chapter's verdicts, by the text of it."""
    touches = MUTANTS[name].touches
    if chapter in IN_PASSING and touches in (NETWORKS, TRAINS):
        return False
    return re.search(touches, source) is not None


def replace(owner: str, name: str, change: Callable[[Any], Any]) -> None:
    """Put another function in the place of one, in its module and wherever it is imported already.

    Parameters
    ----------
    owner : str
        Its module, or a class in it after a colon.
    name : str
        Its name there.
    change : callable
        Takes the function that was there, returns the one to put in its place.
    """
    module, _, cls = owner.partition(":")
    home: Any = import_module(module)
    home = getattr(home, cls) if cls else home
    old = vars(home)[name]
    new = change(old)
    setattr(home, name, new)
    if not cls:
        for each in [*sys.modules.values()]:
            if each is not None and getattr(each, "__dict__", {}).get(name) is old:
                setattr(each, name, new)


def around(change: Callable[..., Any]) -> Callable[[Any], Any]:
    """Make of ``change(old, *arguments)`` what `replace` takes."""

    def make(old: Any) -> Any:
        @wraps(old)
        def new(*arguments: Any, **options: Any) -> Any:
            return change(old, *arguments, **options)

        return new

    return make


def shuffled(values: Any) -> Any:
    """Permute along the first axis, the same way for the same length."""
    values = np.asarray(values)
    return values[np.random.default_rng(len(values)).permutation(len(values))]


def shuffled_apart(first: Any, second: Any) -> tuple[Any, Any]:
    """Permute the labels of two classes, given by their values."""
    pooled = shuffled(np.concatenate([np.asarray(first), np.asarray(second)]))
    return pooled[: len(first)], pooled[len(first) :]


def on_record(change: Callable[..., tuple[Any, Any]]) -> None:
    """Change the logits of the two classes that the record has of a fit."""

    def predictions(old: Any, self: Any, row: int) -> Any:
        found = old(self, row)
        return type(found)(*change(*found))

    replace("crcen.study.record:Record", "predictions", around(predictions))


def on_logits(change: Callable[[Any], Any]) -> None:
    """Change the logits of networks after training, and those of the record."""
    replace("crcen.network:Network", "logits", around(lambda old, *given: change(old(*given))))
    on_record(lambda positives, negatives: (change(positives), change(negatives)))


def on_objective(change: Callable[..., Any]) -> None:
    """Change what an objective is made of: ``change(old, self, ...)`` is its `__init__`."""
    replace("crcen.network:Objective", "__init__", around(change))


def on_softmax(change: Callable[[Any], object]) -> None:
    """Change a weighted softmax regression of scikit-learn before it is fitted."""

    def fit(old: Any, self: Any, *given: Any, **options: Any) -> Any:
        if isinstance(self.class_weight, dict):
            change(self)
        return old(self, *given, **options)

    replace("sklearn.linear_model._logistic:LogisticRegression", "fit", around(fit))


# What is trained


@mutant(
    "exchanged",
    "λ and 1 − λ change places in the loss, not in what is expected of it.",
    TRAINS,
)
def _exchanged() -> None:

    def init(
        old: Any, self: Any, network: Any, loss: Any, X: Any, y: Any, weight: Any, l2: Any
    ) -> None:
        minority, majority = (np.mean(weight[y == k]) for k in (1, 0))
        factor = np.where(y == 1, majority / minority, minority / majority)
        old(self, network, loss, X, y, weight * factor, l2)

    on_objective(init)

    def loss(old: Any, self: Any, lam: float, *rest: Any, **options: Any) -> None:
        old(self, lam, *rest, **options)
        self.lam = 1 - self.lam

    replace("crcen.losses:CRCENLoss", "__init__", around(loss))

    def softmax(regression: Any) -> None:
        keys, values = [*regression.class_weight], reversed(regression.class_weight.values())
        regression.class_weight = dict(zip(keys, values, strict=True))

    on_softmax(softmax)


@mutant(
    "penalised bias",
    "The output bias is penalised by 0.01 b², in softmax regressions left out.",
    TRAINS,
)
def _penalised_bias() -> None:

    def init(old: Any, self: Any, *given: Any, **options: Any) -> None:
        old(self, *given, **options)
        self._penalty[-1] += 0.01

    on_objective(init)

    on_softmax(lambda regression: regression.set_params(fit_intercept=False))


@mutant(
    "a tenth of the steps",
    "Training stops after a tenth of the steps that it takes; so do flows and descents.",
    TRAINS,
)
def _a_tenth_of_the_steps() -> None:

    def minimize(old: Any, *given: Any, **options: Any) -> Any:
        whole = old(*given, **options)
        return old(*given, **options | {"max_iter": max(1, whole.n_iter // 10)})

    replace("crcen.solver", "minimize", around(minimize))

    def flow(old: Any, f: Any, span: Any, y0: Any, method: str, t_eval: Any, **options: Any) -> Any:
        short = np.asarray(t_eval) / 10
        return old(f, (span[0], short[-1]), y0, method, short, **options)

    replace("scipy.integrate", "solve_ivp", around(flow))

    def lbfgs(old: Any, self: Any, *given: Any, **options: Any) -> None:
        old(self, *given, **options | {"max_iter": max(1, options.get("max_iter", 20) // 100)})

    replace("torch.optim.lbfgs:LBFGS", "__init__", around(lbfgs))

    on_softmax(lambda regression: regression.set_params(max_iter=2))


@mutant(
    "heavy penalty",
    "The penalty on the weights is ten thousand times the one asked for.",
    NETWORKS,
)
def _heavy_penalty() -> None:

    def init(old: Any, self: Any, *given: Any, **options: Any) -> None:
        old(self, *given, **options)
        self._penalty *= 1e4

    on_objective(init)


@mutant(
    "steep loss",
    "The loss for PyTorch takes the logits twice as large.",
    r"CRCENLoss\(",
)
def _steep_loss() -> None:
    replace("crcen.losses", "cross_entropy", around(lambda old, o, y: old(2 * o, y)))


# What is trained on, and evaluated on


@mutant(
    "leaking scaler",
    "Columns are scaled by all rows of a data set, the test rows among them.",
    r"\.fit\(data\.data\[train\]",
)
def _leaking_scaler() -> None:
    whole: dict[int, Any] = {}

    def load(old: Any, *given: Any, **options: Any) -> Any:
        data = old(*given, **options)
        whole[data.data.shape[1]] = data.data
        return data

    replace("crcen.study.datasets", "load_dataset", around(load))

    def fit(old: Any, self: Any, X: Any, *given: Any, **options: Any) -> Any:
        everything = whole.get(np.shape(X)[1])
        if everything is not None and len(everything) > len(X):
            return old(self, everything)
        return old(self, X, *given, **options)

    replace("sklearn.preprocessing._data:StandardScaler", "fit", around(fit))


@mutant(
    "a class without stratum",
    "Splits hold out half of the minority, beside a quarter of the majority.",
    r"\bsplits\(data",
)
def _a_class_without_stratum() -> None:

    def splits(old: Any, y: Any, n_splits: int, seed: int) -> Any:
        for train, test in old(y, n_splits, seed):
            rows = train[y[train] == 1]
            moved = rows[: len(rows) // 3]
            yield np.setdiff1d(train, moved), np.r_[test, moved]

    replace("crcen.study.splits", "splits", around(splits))


@mutant(
    "permuted labels",
    "The labels of fresh rows, and of the test rows of the record, are permuted.",
    EVALUATED,
)
def _permuted_labels() -> None:
    replace(
        "crcen.key_equation", "mean_probabilities", around(lambda old, y, p: old(shuffled(y), p))
    )
    replace(
        "crcen.theory.expense", "confusion_counts", around(lambda old, y, p: old(shuffled(y), p))
    )
    replace(
        "crcen.theory.laws",
        "sample_point",
        around(lambda old, r1, r0, alpha: old(*shuffled_apart(r1, r0), alpha)),
    )
    on_record(shuffled_apart)


@mutant(
    "permuted training labels",
    "The labels are permuted where an equation is evaluated on the training rows.",
    r"\b(key_equation|balance|class_balance)\(",
)
def _permuted_training_labels() -> None:
    for module, name in (
        ("crcen.key_equation", "key_equation"),
        ("crcen.theory.deviations", "balance"),
        ("crcen.theory.multiclass", "class_balance"),
    ):
        replace(module, name, around(lambda old, y, *rest: old(shuffled(y), *rest)))


@mutant(
    "shifted logits",
    "All logits are 1 too high, after training and in the record.",
    rf"{NETWORKS}|{RECORD}",
)
def _shifted_logits() -> None:
    on_logits(lambda o: o + 1)


@mutant(
    "doubled logits",
    "All logits are twice as large, after training and in the record.",
    rf"{NETWORKS}|{RECORD}",
)
def _doubled_logits() -> None:
    on_logits(lambda o: 2 * o)


# The record's views, and the paper


@mutant(
    "rotated methods",
    "A method shows the fits of the one before it in Table 3, or CRCEN and the MLP each other's.",
    RECORD,
)
def _rotated_methods() -> None:

    def score_cells(old: Any, *given: Any, **options: Any) -> Any:
        from crcen.study.methods import TABLE_3

        rotated = dict(zip(TABLE_3, (*TABLE_3[1:], TABLE_3[0]), strict=True))
        return old(*given, **options).replace({"method": rotated})

    replace("crcen.study.tables", "score_cells", around(score_cells))
    replace("crcen.study.hundred", "score_sets", around(score_cells))

    def compared(old: Any, *given: Any, **options: Any) -> Any:
        other = {"MLP": "CRCEN", "CRCEN": "MLP"}
        return [
            each._replace(
                test={
                    name: each.test[other[name.partition(",")[0]] + name[name.index(",") :]]
                    for name in each.test
                }
            )
            for each in old(*given, **options)
        ]

    replace("crcen.study.comparison", "compared", around(compared))


@mutant(
    "rotated alphas",
    "The fits of Figure 1 stand at another weight, and its steps at another step.",
    r"figure_1(_steps)?\(",
)
def _rotated_alphas() -> None:
    order = ["0.5", "1", "1.5", "2"]
    rotated = dict(zip(order, [*order[1:], order[0]], strict=True))
    for name, column in (("figure_1", "alpha"), ("figure_1_steps", "step")):
        replace(
            "crcen.study.tables",
            name,
            around(lambda old, *given, of=column: old(*given).replace({of: rotated})),
        )


@mutant(
    "promises from seen rows",
    "Logits that cross-validation held out are those of rows that the network was trained on.",
    r"\.held_out|\.seen\b",
)
def _promises_from_seen_rows() -> None:
    replace("crcen.study.comparison:Compared", "held_out", lambda old: property(lambda c: c.seen))


@mutant(
    "promises of the population",
    "What is promised of some fresh rows is what is promised of all, as if they were no sample.",
    r"\.fresh\(|\bkeeping\(",
)
def _promises_of_the_population() -> None:
    replace(
        "crcen.choice:Share",
        "fresh",
        around(lambda old, self, rows, level=0.95: self.interval(level)),
    )


@mutant(
    "shift the wrong way",
    "The weight is put into the logits once more where it should be taken out.",
    r"\.log_ratio\b|log_ratio\(",
)
def _shift_the_wrong_way() -> None:
    replace(
        "crcen.study.comparison:Compared",
        "log_ratio",
        lambda old: property(lambda self: -old.fget(self)),
    )


@mutant(
    "independent splits",
    "Tests take the splits of a set as independent.",
    r"corrected_t\(",
)
def _independent_splits() -> None:
    replace(
        "crcen.study.statistics",
        "corrected_t",
        around(lambda old, d, *_, **options: old(d, **options | {"test_size": 0.0})),
    )


@mutant(
    "another line of the paper",
    "The paper's numbers are another method's (Table 3), another λ's (1) or another set's (2).",
    r"paper_table\(",
)
def _another_line_of_the_paper() -> None:

    def paper_table(old: Any, number: int) -> Any:
        found = old(number)
        keys = {1: ["simulation", "lam", "rhs"], 2: ["dataset", "imblearn_name"]}
        keys |= {3: ["dataset", "method"]}
        values = [name for name in found if name not in keys[number]]
        groups = found.groupby(keys[number][0], sort=False) if number != 2 else [("", found)]
        for _, rows in groups:
            found.loc[rows.index, values] = np.roll(rows[values].to_numpy(), 1, axis=0)
        return found.astype(old(number).dtypes)

    replace("report", "paper_table", around(paper_table))


# Formulas


@mutant(
    "band without ir",
    "The band of an expense (Proposition 4) forgets IR.",
    r"expense_band\(",
)
def _band_without_ir() -> None:
    replace(
        "crcen.theory.laws",
        "expense_band",
        around(lambda old, before, after, imbalance_ratio: old(before, after, 1.0)),
    )


@mutant(
    "loose bounds",
    "What a mean guarantees (Proposition 13) is at threshold 0.3, or of the root of the variance.",
    r"share_above\(",
)
def _loose_bounds() -> None:
    def bounds(old: Any, mean: Any, variance: Any = None, **_: Any) -> Any:
        if variance is None:
            return old(mean, threshold=0.3)
        mean = np.asarray(mean)
        return old(mean, np.minimum(np.sqrt(variance), mean * (1 - mean)))

    replace("crcen.theory.guarantees", "share_above", around(bounds))


@mutant(
    "forgotten root",
    "The spread of Table 1 (Proposition 3) is predicted without its square root.",
    r"fresh_ratio_spread\(",
)
def _forgotten_root() -> None:
    replace(
        "crcen.theory.laws",
        "fresh_ratio_spread",
        around(lambda old, *given, **options: old(*given, **options) ** 2),
    )


@mutant(
    "alpha squared",
    "The laws of λ (Propositions 1 and 2) shift by log α twice.",
    r"gaussian_point|sample_point",
)
def _alpha_squared() -> None:
    squared = around(lambda old, *given: old(*given[:-1], np.square(given[-1])))
    for name in ("gaussian_point", "sample_point"):
        replace("crcen.theory.laws", name, squared)


@mutant(
    "no batches",
    "The effective weight and the spread of mini-batches (Proposition 9) know of no batches.",
    r"effective_lam\(|sgd_spread\(",
)
def _no_batches() -> None:
    replace(
        "crcen.theory.deviations",
        "effective_lam",
        around(lambda old, lam, imbalance_ratio, **_: float(lam)),
    )
    replace("crcen.theory.deviations", "sgd_spread", around(lambda old, *given: 2 * old(*given)))


@mutant(
    "nothing left out",
    "The logit of a row left out (Proposition 14) is that of the row trained on.",
    r"left_out_logits\(",
)
def _nothing_left_out() -> None:
    replace(
        "crcen.theory.left_out",
        "left_out_logits",
        around(lambda old, clf, X, *_: clf.decision_function(X)),
    )


@mutant(
    "inverted price",
    "The price of a weight (Proposition 15) is that of the threshold, and the reverse.",
    r"gaussian_price\(|price_of_fit\(",
)
def _inverted_price() -> None:
    def price(old: Any, *given: Any, **options: Any) -> Any:
        found = old(*given, **options)
        return found._replace(plain=found.weighted, weighted=found.plain)

    for name in ("gaussian_price", "price_of_fit"):
        replace("crcen.theory.price", name, around(price))


@mutant(
    "exchanged factors",
    "Calibration and ranking (Proposition 16) change places among the factors of an expense.",
    r"\bfactors\(",
)
def _exchanged_factors() -> None:
    def factors(old: Any, *given: Any, **options: Any) -> Any:
        found = old(*given, **options)
        return found._replace(calibration=found.ranking, ranking=found.calibration)

    replace("crcen.theory.bargains", "factors", around(factors))


@mutant(
    "limit one",
    "The limit on separable data (Proposition 10) is that of the key equation, 1.",
    r"separable_limit\(",
)
def _limit_one() -> None:
    replace("crcen.theory.deviations", "separable_limit", around(lambda old, *_, **__: 1.0))


@mutant(
    "one balance for all",
    "Every loss is held to the balance of cross entropy (Proposition 11).",
    r"\bbalance\(",
)
def _one_balance_for_all() -> None:

    def balance(old: Any, y: Any, o: Any, lam: float, loss: Any) -> Any:
        from crcen.losses import CROSS_ENTROPY

        return old(y, o, lam, CROSS_ENTROPY)

    replace("crcen.theory.deviations", "balance", around(balance))


@mutant(
    "flows without weights",
    "The flows between classes (Proposition 12) forget the weights of the classes.",
    r"class_balance\(",
)
def _flows_without_weights() -> None:
    replace(
        "crcen.theory.multiclass",
        "class_balance",
        around(lambda old, y, P, class_weight: old(y, P, np.ones(len(class_weight)))),
    )
