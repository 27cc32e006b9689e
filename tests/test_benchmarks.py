import os
from dataclasses import replace
from importlib.util import find_spec

import contenders
import limits
import numpy as np
import pandas as pd
import parts
import pytest
import torch
from conftest import SEED
from contenders import OURS, REFERENCE, judge
from measure import fresh
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import f1_score
from torch.nn.functional import binary_cross_entropy_with_logits

from crcen import CRCENClassifier
from crcen.losses import CROSS_ENTROPY
from crcen.network import Network, Objective
from crcen.results import write_whole as write

HIDDEN, L2 = (3,), 0.02


@pytest.fixture
def rows(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(400, 2))
    return X, (X[:, 0] + rng.normal(size=400) > 1).astype(int)


def objective(layers, rows):
    return judge(layers, 0, L2, *rows)["objective"]


@pytest.mark.parametrize(
    ("solver", "options"),
    [
        ("lbfgs", {"max_iter": 5}),
        # A rate of almost nothing: the loss of the epoch is then that of one parameter vector.
        ("adam", {"max_iter": 1, "learning_rate_init": 1e-14}),
    ],
)
def test_scikit_learn_minimises_the_objective_of_the_judge(rows, solver, options):
    clf = contenders.scikit(solver, 400, HIDDEN, L2, seed=SEED, **options)
    with pytest.warns(ConvergenceWarning):
        clf.fit(*rows)
    layers = zip(clf.coefs_, clf.intercepts_, strict=True)
    assert objective(list(layers), rows) == pytest.approx(clf.loss_, rel=1e-9)


def test_ours_minimises_the_objective_of_the_judge(rows):
    clf = CRCENClassifier(HIDDEN, lam=0.5, l2=L2, max_iter=5, random_state=SEED)
    with pytest.warns(ConvergenceWarning):
        clf.fit(*rows)
    judged = judge(list(zip(clf.coefs_, clf.intercepts_, strict=True)), 0, L2, *rows)
    assert judged["objective"] == pytest.approx(clf.loss_, rel=1e-9)
    assert judged["gradient"] == pytest.approx(clf.grad_norm_, rel=1e-6)
    assert judged["f1"] == pytest.approx(f1_score(rows[1], clf.predict(rows[0])))


def test_the_torch_loop_minimises_the_objective_of_the_judge(rows):
    X, y = (torch.tensor(a, dtype=torch.float32) for a in rows)
    module = contenders.network(2, HIDDEN, seed=SEED)
    loss = binary_cross_entropy_with_logits(module(X), y) + contenders.penalty(module, L2)
    layers = contenders.module_layers(module)
    assert objective(layers, rows) == pytest.approx(loss.item(), rel=1e-6)


def test_skorch_minimises_the_objective_of_the_judge(rows):
    pytest.importorskip("skorch")
    X, y = (torch.tensor(a, dtype=torch.float32) for a in rows)
    module = contenders.network(2, HIDDEN, seed=SEED)
    net = contenders.skorch_net(module, L2, epochs=1).initialize()
    loss = net.get_loss(net.infer(X), y, training=True).item()
    assert objective(contenders.module_layers(net.module_), rows) == pytest.approx(loss, rel=1e-6)


TINY = replace(
    parts.QUICK,
    hidden=(2,),
    l2=(1e-2,),
    folds=2,
    processes=(1,),
    epochs=1,
    runs=1,
    rows=(1_000, 2_000),
    networks=(1, 2),
    seconds=0.0,
)
TIMES = {"seconds", "cpu_seconds", "others_cpu", "base_mb", "peak_mb"}


@pytest.fixture
def here(monkeypatch, rows):
    """The parts in this process, on the small set."""
    monkeypatch.setattr(parts, "fresh", lambda work, *args: (work(*args), 1.0))
    monkeypatch.setattr(parts, "load", lambda name, share: rows)
    monkeypatch.setattr(parts, "cpu_count", lambda: 1)
    monkeypatch.setattr(limits, "NETS", {"small": (2, 3, 600)})


@pytest.mark.slow
def test_grids_have_a_row_a_search_and_a_row_a_fit(here):
    names = list(contenders.contenders())
    if find_spec("skorch") is None:
        names.remove("skorch-adam")
    (tables,) = parts.grids(TINY, names)
    grids, fits = tables["grids"], tables["fits"]
    assert grids["contender"].tolist() == names
    assert TIMES | {"mean_ratio", "worst_ratio", "within_1_percent"} <= set(grids)
    assert (grids["fits"] == 2).all()
    assert len(fits) == 2 * len(names)
    assert {"objective", "gradient", "n_iter", "f1", "fold", "hidden", "l2"} <= set(fits)
    ours = fits[fits["contender"] == OURS]
    assert (ours["gradient"] <= contenders.TOL).all()
    full_batch = fits[~fits["contender"].str.contains("adam")]
    assert full_batch.groupby("fold")["objective"].agg(np.ptp).max() < 1e-2


@pytest.mark.slow
def test_the_other_parts_have_their_columns(here):
    (tables,) = parts.table1(TINY, [])
    assert {"simulation", "fits", "gradient_max", "residual_max"} | TIMES <= set(tables["table1"])
    assert (tables["table1"]["residual_max"] < 1e-5).all()
    (tables,) = parts.scaling(TINY, [])
    assert {"axis", "size", "iterations", "ms_per_iteration", "slope"} <= set(tables["scaling"])
    assert set(tables["scaling"]["axis"]) == {"rows", "networks", "processes"}
    (tables,) = parts.machine_limits(TINY, [])
    assert set(tables["limits"]) == {"kind", "name", "dtype", "value", "unit"}
    assert (tables["limits"]["value"] > 0).all()


def test_an_evaluation_of_several_networks_is_the_engines_of_each(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(50, 2)), rng.integers(0, 2, 50).astype(float)
    V, W = rng.normal(size=(4, 3, 3)), rng.normal(size=(4, 1, 4))
    rows = np.vstack([X.T, np.ones(50)])
    found = limits.evaluation(*(torch.from_numpy(a) for a in (rows, y, V, W)))().numpy()
    F = Objective(Network((2, 3, 1), "logistic"), CROSS_ENTROPY, X, y, np.ones(50), l2=0.0)
    for own_V, own_W, gradient in zip(V, W, found, strict=True):
        _, expected = F(np.concatenate([own_V.T.ravel(), own_W.ravel()]))
        np.testing.assert_allclose(gradient[:9].reshape(3, 3).T.ravel(), expected[:9], atol=1e-12)
        np.testing.assert_allclose(gradient[9:], expected[9:], atol=1e-12)


def test_the_summary_compares_fit_by_fit():
    point = {"set": "a", "processes": 1, "hidden": 2, "l2": 0.1, "gradient": 0.0, "f1": 0.5}
    point |= {"n_iter": 1, "scoring_seconds": 0.0}
    objectives = {REFERENCE: [1.0, 2.0], OURS: [1.005, 2.1]}
    fits = pd.DataFrame(
        point | {"contender": name, "fold": fold, "objective": value}
        for name, values in objectives.items()
        for fold, value in enumerate(values)
    )
    ours = parts.summary(pd.DataFrame({"contender": list(objectives)}), fits).iloc[1]
    assert ours["mean_ratio"] == pytest.approx(3.105 / 3)
    assert ours["worst_ratio"] == pytest.approx(1.05)
    assert ours["within_1_percent"] == 0.5


@pytest.mark.slow
def test_work_is_measured_in_a_process_of_its_own():
    pid, peak_mb = fresh(os.getpid)
    assert pid != os.getpid()
    assert peak_mb > 10


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    file = tmp_path / "new" / "table.csv"
    write(file, "before")
    with pytest.raises(UnicodeEncodeError):
        write(file, "\ud800")
    assert file.read_text() == "before"
    assert list(file.parent.iterdir()) == [file]
