import os
from dataclasses import replace

import contenders
import grids
import limits
import numpy as np
import pandas as pd
import parts
import pytest
import settings
import single
import torch
from conftest import SEED
from contenders import OURS, REFERENCE
from measure import fresh
from opponents import jax_optax, nnet, pytorch, scikit
from problem import Problem, judge
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import f1_score

from crcen import CRCENClassifier, key_equation
from crcen.losses import CROSS_ENTROPY
from crcen.mishaps import write_whole as write
from crcen.network import Network, Objective

HIDDEN, L2 = (3,), 0.02


@pytest.fixture
def rows(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(400, 2))
    return X, (X[:, 0] + rng.normal(size=400) > 1).astype(int)


@pytest.fixture
def problem(rows):
    return Problem(*rows, HIDDEN, L2, seed=SEED)


def judged(layers, problem):
    return judge(layers, problem.l2, problem.X, problem.y, problem.lam)


def test_ours_minimises_the_objective_of_the_judge(problem):
    X, y = problem.X, problem.y
    clf = CRCENClassifier(HIDDEN, l2=L2, max_iter=5, random_state=SEED)
    with pytest.warns(ConvergenceWarning):
        clf.fit(X, y)
    found = judged(list(zip(clf.coefs_, clf.intercepts_, strict=True)), problem)
    assert problem.lam == pytest.approx(clf.lam_)
    assert found["objective"] == pytest.approx(clf.loss_, rel=1e-9)
    assert found["f1"] == pytest.approx(f1_score(y, clf.predict(X)))
    equation = key_equation(y, clf.predict_proba(X)[:, 1], clf.lam_)
    assert found["residual"] == pytest.approx(abs(equation.residual))


def test_the_gradient_of_the_judge_is_that_of_the_engine(problem):
    layers = problem.start()
    F = Objective(
        Network((2, *HIDDEN, 1), "logistic"),
        CROSS_ENTROPY,
        problem.X,
        problem.y.astype(float),
        problem.weight,
        L2,
    )
    value, gradient = F(np.concatenate([a.ravel() for layer in layers for a in layer]))
    found = judged(layers, problem)
    assert found["objective"] == pytest.approx(value)
    assert found["gradient"] == pytest.approx(np.abs(gradient).max())


def test_scikit_learn_minimises_the_objective_of_the_judge(problem):
    clf = scikit.network(problem, max_iter=5)
    with pytest.warns(ConvergenceWarning):
        clf.fit(problem.X, problem.y, len(problem.y) * problem.weight)
    layers = list(zip(clf.coefs_, clf.intercepts_, strict=True))
    assert judged(layers, problem)["objective"] == pytest.approx(clf.loss_, rel=1e-9)


@pytest.mark.parametrize(("dtype", "rel"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_torch_minimises_the_objective_of_the_judge(problem, dtype, rel):
    module = pytorch.network(problem, dtype)
    value = pytorch.objective(problem, module, dtype)().item()
    found = judged(pytorch.layers(module), problem)["objective"]
    assert found == pytest.approx(value, rel=rel)


def test_skorch_minimises_the_objective_of_the_judge(problem):
    pytest.importorskip("skorch")
    X, y = (torch.tensor(a, dtype=torch.float32) for a in (problem.X, problem.y))
    net = pytorch.skorch_net(problem, epochs=1).initialize()
    loss = net.get_loss(net.infer(X), y, training=True).item()
    found = judged(pytorch.layers(net.module_), problem)["objective"]
    assert found == pytest.approx(loss, rel=1e-5)


def test_jax_minimises_the_objective_of_the_judge(problem):
    jax = pytest.importorskip("jax")
    data = problem.X, 1 - 2 * problem.y, problem.weight
    value = jax_optax.loss(jax.numpy, jax.nn, problem.start(), data, L2)
    found = judged(problem.start(), problem)["objective"]
    assert found == pytest.approx(float(value), rel=1e-5)


def reached(name, problem):
    contender = contenders.contenders()[name]
    if lack := contender.missing():
        pytest.skip(f"no {lack}")
    return judged(contender.fit(problem).layers, problem)


TIGHT = 1e-6


@pytest.mark.parametrize("hidden", [HIDDEN, ()])
@pytest.mark.parametrize("name", ["c", "c-mixed"])
def test_the_compiled_loop_ends_where_the_gradient_is_small(name, hidden, problem):
    found = reached(name, replace(problem, hidden=hidden, tol=TIGHT, max_iter=5000))
    assert found["gradient"] <= TIGHT


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nnet", "jax", "jax-float64"])
def test_others_end_where_the_gradient_is_small(name, problem):
    pytest.importorskip("jax") if name.startswith("jax") else None
    assert reached(name, replace(problem, max_iter=5000))["gradient"] <= problem.tol


@pytest.mark.slow
def test_nnet_with_all_parameters_penalised_violates_the_key_equation(problem):
    uneven = replace(problem, alpha=0.1, max_iter=5000)  # needs an output bias far from 0
    found = reached("nnet-all-decay", uneven)
    assert found["residual"] > 10 * reached("nnet", uneven)["residual"]
    assert found["gradient"] > 10 * uneven.tol


@pytest.mark.parametrize("name", ["c", "jax", "jax-vmap"])
def test_many_fits_at_once_are_the_single_ones(name, problem):
    contender = contenders.contenders()[name]
    if lack := contender.missing():
        pytest.skip(f"no {lack}")
    many = [replace(problem, l2=l2, hidden=(h,)) for h in (2, 3) for l2 in (0.01, 0.1)]
    for own, together in zip(many, contender.fit_all(many, 1), strict=True):
        alone = judged(contender.fit(own).layers, own)["objective"]
        assert judged(together.layers, own)["objective"] == pytest.approx(alone, rel=1e-2)


def test_nnet_keeps_the_order_of_its_parameters(problem):
    layers = problem.start()
    packed = nnet._packed(layers)
    for (W, b), (V, c) in zip(layers, nnet._unpacked(packed, 2, *HIDDEN), strict=True):
        np.testing.assert_array_equal(W, V)
        np.testing.assert_array_equal(b, c)


TINY = replace(
    settings.QUICK,
    hidden=(2,),
    l2=(1e-2,),
    folds=2,
    processes=(1,),
    epochs=1,
    runs=1,
    rows=(1_000, 2_000),
    networks=(1, 2),
    seconds=0.0,
    large=1_000,
    repeats=1,
)
TIMES = {"seconds", "cpu_seconds", "others_cpu", "base_mb", "peak_mb"}
FEW = [OURS, REFERENCE, "c", "torch-lbfgs"]


@pytest.fixture
def here(monkeypatch, rows):
    """The parts in this process, on the small set."""
    for module in (grids, single, parts):
        monkeypatch.setattr(module, "fresh", lambda work, *args: (work(*args), 1.0))
    for module in (grids, single):
        monkeypatch.setattr(module, "load", lambda name, share: rows)
    monkeypatch.setattr(parts, "cpu_count", lambda: 1)
    monkeypatch.setattr(limits, "NETS", {"small": (2, 3, 600)})


@pytest.mark.slow
def test_grids_have_a_row_a_search_and_a_row_a_fit(here):
    names = list(contenders.able(FEW, "grids"))
    (tables,) = grids.grids(TINY, names)
    table, fits = tables["grids"], tables["fits"]
    assert table["contender"].tolist() == names
    assert TIMES | {"mean_ratio", "worst_ratio", "certified", "within_one_se"} <= set(table)
    assert (table["fits"] == 2).all()
    assert len(fits) == 2 * len(names)
    assert {"objective", "gradient", "residual", "held_out", "fold", "hidden"} <= set(fits)
    assert (fits[fits["contender"] == OURS]["gradient"] <= TINY.tol).all()
    assert fits.groupby("fold")["objective"].agg(np.ptp).max() < 1e-2


@pytest.mark.slow
def test_single_fits_and_table_1_have_a_row_a_contender(here):
    (tables,) = single.single(TINY, FEW)
    found = tables["single"]
    assert found["problem"].nunique() == 4
    assert {"seconds", "objective", "gradient", "residual", "iterations"} <= set(found)
    assert found[found["contender"] == OURS]["certified"].all()
    (tables,) = single.table1(TINY, FEW)
    found = tables["table1"]
    assert {"simulation", "fits", "gradient_max", "residual_max"} | TIMES <= set(found)
    assert (found[found["contender"] == OURS]["residual_max"] < 1e-5).all()


@pytest.mark.slow
def test_the_other_parts_have_their_columns(here):
    (tables,) = parts.scaling(TINY, [])
    assert {"axis", "size", "iterations", "ms_per_iteration", "slope"} <= set(tables["scaling"])
    assert set(tables["scaling"]["axis"]) == {"rows", "networks", "processes"}
    (tables,) = parts.machine_limits(TINY, [])
    assert set(tables["limits"]) == {"kind", "name", "dtype", "value", "unit"}
    assert (tables["limits"]["value"] > 0).all()
    (tables,) = parts.reports(TINY, [])
    assert (tables["reports"]["answer_seconds"] < tables["reports"]["seconds"]).all()


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
    point = {"set": "a", "processes": 1, "l2": 0.1, "gradient": 0.0, "residual": 0.0, "f1": 0.5}
    point |= {"n_iter": 1, "scoring_seconds": 0.0}
    objectives = {REFERENCE: [1.0, 2.0], OURS: [1.005, 2.1]}
    fits = pd.DataFrame(
        point
        | {"contender": name, "fold": fold, "objective": value, "hidden": hidden}
        | {"held_out": hidden + fold + (name == OURS)}
        for name, values in objectives.items()
        for hidden in (2, 4)
        for fold, value in enumerate(values)
    )
    ours = grids.summary(pd.DataFrame({"contender": list(objectives)}), fits, 1e-4).iloc[1]
    assert ours["mean_ratio"] == pytest.approx(3.105 / 3)
    assert ours["worst_ratio"] == pytest.approx(1.05)
    assert ours["within_1_percent"] == 0.5
    assert (ours["winner_hidden"], ours["winner_log_loss"], ours["winner_se"]) == (2, 3.5, 0.5)
    assert not ours["within_one_se"]


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
