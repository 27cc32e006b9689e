"""Tests of crcen.study.joined: a file's classifier is fitted as any other, and judged as it is."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from driver.parameters import declared
from driver.plan import named_files
from sklearn.base import clone
from small import load, said, small_record

from crcen.study import __main__, protocol
from crcen.study import run as run_module
from crcen.study.joined import JoinedClassifier, JoinError, home, join, joined, score_joined
from crcen.study.methods import METHODS, SHORT_GRID
from crcen.study.protocol import PROTOCOLS, Protocol
from crcen.study.provenance import code
from crcen.study.record import Record, RecordError
from crcen.study.run import stale
from crcen.study.splits import splits

SMALL = Protocol(2, tune_every=1, scores=("log_loss",))
LOGISTIC = """
from sklearn.linear_model import LogisticRegression
title = "by hand"
estimator = LogisticRegression(max_iter=10_000)
grid = {"C": [0.01, 1.0]}
"""
FOREST = """
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline
from sklearn.ensemble import RandomForestClassifier
estimator = make_pipeline(SMOTE(), RandomForestClassifier(3, random_state=5))
"""
# What pickle cannot find by its name, with a dataclass, which looks for its module.
OWN = """
from __future__ import annotations
from dataclasses import dataclass
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

@dataclass
class Centres:
    apart: np.ndarray
    middle: float

class Nearest(ClassifierMixin, BaseEstimator):
    def __init__(self, shift=0.0):
        self.shift = shift

    def fit(self, X, y):
        one, zero = X[y == 1].mean(axis=0), X[y == 0].mean(axis=0)
        self.found_ = Centres(one - zero, (one + zero) @ (one - zero) / 2)
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X):
        return X @ self.found_.apart - self.found_.middle + self.shift

    def predict(self, X):
        return (self.decision_function(X) > 0).astype(int)

estimator = Nearest()
grid = {"shift": [-0.5, 0.5]}
"""


@pytest.fixture(autouse=True)
def _methods():
    """Let those who join leave again."""
    before = dict(METHODS)
    yield
    METHODS.clear()
    METHODS.update(before)


@pytest.fixture
def write(tmp_path):
    def write(source, name="mine"):
        path = tmp_path / f"{name}.py"
        path.write_text(source)
        return path

    return write


def filled(folder, name, **more):
    """Record a joined method on two splits of a small set."""
    of = {"hundred": joined(SMALL, name)}
    return small_record(folder, [name], of, ["one"], **more)


def test_a_file_is_fitted_as_the_same_method_of_the_package(write, tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "LR", replace(METHODS["LR"], grid={"C": [0.01, 1.0]}))
    name = join(write(LOGISTIC))
    assert (name, METHODS[name].title) == ("mine", "by hand")
    ours, theirs = filled(tmp_path / "a", name), filled(tmp_path / "b", "LR")
    scores = ["params", "split", "f1", "average_precision", "log_loss"]
    assert len(ours.searches) == 4
    np.testing.assert_allclose(ours.searches[scores[1:]], theirs.searches[scores[1:]], rtol=1e-9)
    for k in range(2):
        assert ours.fits.loc[k, "params"] == theirs.fits.loc[k, "params"]
        for mine, other in zip(ours.predictions(k), theirs.predictions(k), strict=True):
            np.testing.assert_allclose(mine, other, atol=1.1e-3)  # of two roundings
            assert ((mine > 0) == (other > 0)).all()


def test_a_file_runs_as_python_runs_it(write):
    join(write(f"{LOGISTIC}def f(x: int): pass\ntitle = f.__annotations__['x'].__name__"))
    assert METHODS["mine"].title == "int"


@pytest.mark.slow
def test_workers_fit_a_class_that_only_the_file_defines(write, tmp_path):
    name = join(write(OWN))
    assert said(filled(tmp_path / "two", name, n_jobs=2)) == said(filled(tmp_path / "one", name))


def test_a_decision_function_alone_decides_and_ranks(write):
    data = load("one")
    train, test = next(iter(splits(data.target, 1, 0)))
    method = METHODS[join(write(OWN))]
    model = method.classifier(0).set_params(shift=0.5).fit(data.data[train], data.target[train])
    o, p = model.model_.decision_function(data.data[test]), model.predict_proba(data.data[test])
    assert model.model_.shift == 0.5
    np.testing.assert_allclose(p[:, 1], 1 / (1 + np.exp(-o)))
    np.testing.assert_array_equal(model.predict(data.data[test]), (o > 0).astype(int))
    np.testing.assert_allclose(p.sum(axis=1), 1)


THRESHOLD = """
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.ensemble import RandomForestClassifier
"""


@pytest.mark.parametrize(
    "estimator",
    [
        "TunedThresholdClassifierCV(LogisticRegression(), random_state=0)",
        "TunedThresholdClassifierCV(RidgeClassifier(), random_state=0)",
        "FixedThresholdClassifier(LogisticRegression(), threshold=0.2)",
        "FixedThresholdClassifier(LogisticRegression())",
        # Shares of four trees: many rows are on the threshold itself.
        "FixedThresholdClassifier(RandomForestClassifier(4, random_state=0), threshold=0.25)",
        "FixedThresholdClassifier(RandomForestClassifier(4, random_state=0), threshold=0.0)",
    ],
)
def test_a_threshold_of_its_own_decides(write, estimator):
    data = load("one")
    join(write(f"{THRESHOLD}estimator = {estimator}"))
    model = METHODS["mine"].classifier(0).fit(data.data, data.target)
    np.testing.assert_array_equal(
        model.predict_proba(data.data)[:, 1] > 0.5, model.model_.predict(data.data) == 1
    )


def test_who_decides_otherwise_than_its_probabilities_fails_and_is_told_why(write, tmp_path):
    source = LOGISTIC + (
        "class Shy(LogisticRegression):\n    def predict(self, X): return 0 * X[:, 0]\n"
        "estimator, grid = Shy(), {}\n"
    )
    record = filled(tmp_path / "r", join(write(source)))
    assert record.fits["failed"].str.match("ValueError: mine decides otherwise .* on ").all()


@pytest.mark.parametrize("column", ["", "[:, :1]", " * 2", " * float('nan')"])
def test_probabilities_that_are_none_are_refused(write, column):
    body = f"        return super().predict_proba(X){column}\n"
    source = f"{LOGISTIC}class One(LogisticRegression):\n    def predict_proba(self, X):\n{body}"
    join(write(f"{source}estimator = One()"))
    model = METHODS["mine"].classifier(0).fit(load("one").data, load("one").target)
    if column:
        with pytest.raises(ValueError, match=r"mine: predict_proba gave .* two probabilities"):
            model.predict_proba(load("one").data)
    else:
        assert model.predict_proba(load("one").data).shape == (200, 2)


def test_every_step_gets_the_seed(write):
    join(write(FOREST))
    data, method = load("one"), METHODS["mine"]
    first, again, other = (
        method.classifier(seed).fit(data.data, data.target) for seed in (7, 7, 8)
    )
    assert [step.random_state for step in (first.model_[0], first.model_[1])] == [7, 7]
    p = [model.predict_proba(data.data) for model in (first, again, other)]
    np.testing.assert_array_equal(p[0], p[1])
    assert (p[0] != p[2]).any()


def test_it_can_be_cloned_and_pickled_though_its_class_cannot(write):
    join(write(OWN))
    model = METHODS["mine"].classifier(3).set_params(shift=0.5)
    for copy in (clone(model), pickle.loads(pickle.dumps(model))):
        assert copy.get_params() == model.get_params()
    assert pickle.loads(pickle.dumps(METHODS["mine"])).title == "mine"


# What cannot join


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("estimator = ", "cannot be run: SyntaxError: .*let `python` run it first"),
        ("import no_such_package", "cannot be run: ModuleNotFoundError: .*what is installed"),
        ("classifier = 1", "must define `estimator`, .*not None"),
        ("from sklearn.svm import SVC as estimator", "that is not fitted yet.*not <class"),
        ("estimator = 3", "must define `estimator`, .*not 3"),
        (
            "from sklearn.linear_model import Perceptron\nfrom sklearn.ensemble import "
            "VotingClassifier\nestimator = VotingClassifier([('a', Perceptron())])",
            "neither predict_proba nor decision_function: give it one, or wrap",
        ),
        (f"{LOGISTIC}grid = [1]", r"grid=\[1\] must be a dict of lists"),
        (f"{LOGISTIC}grid = {{'C': 1.0}}", "must be a dict of lists"),
        (f"{LOGISTIC}grid = {{'C': []}}", "must be a dict of lists"),
        (f"{LOGISTIC}grid = {{'D': [1]}}", "grid has D, of which .* choose of C, "),
        (f"{LOGISTIC}grid = {{'C': [1, 1]}}", r"grid\['C'\]=\[1, 1\] must be different"),
        (f"{LOGISTIC}grid = {{'C': [print]}}", "must be different numbers.* the record can keep"),
        (f"{LOGISTIC}title = 3", "title=3 must be text"),
        (f"{LOGISTIC}title = 'CRCEN'", "title='CRCEN' must be .* not another method's"),
    ],
)
def test_what_is_no_method_is_refused_with_the_file_and_the_remedy(write, source, message):
    path, before = write(source), dict(METHODS)
    with pytest.raises(ValueError, match=f"(?s){path}.*{message}"):
        join(path)
    assert before == METHODS


@pytest.mark.parametrize("name", ["CRCEN", "EE 2019", "MLP tuned"])
def test_a_name_that_is_taken_is_refused(write, name):
    with pytest.raises(JoinError, match=f"{name}.py: '{name}' is the name of another method"):
        join(write(LOGISTIC, name))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    for path in (tmp_path / "none.py", tmp_path):
        with pytest.raises(JoinError, match=r"cannot be read, seen from .*: give the path"):
            join(path)


def test_a_changed_file_takes_its_own_place(write):
    join(write(LOGISTIC))
    join(write(LOGISTIC.replace("by hand", "again")))
    assert METHODS["mine"].title == "again"


# What its rows rest on


def test_rows_are_stale_when_the_file_has_changed_and_those_of_others_never(write, tmp_path):
    before = {name: code(method.pipeline(0)) for name, method in METHODS.items()}
    path = write(LOGISTIC)
    record = filled(tmp_path / "r", join(path))
    assert stale(record, load) == []
    assert before == {name: code(METHODS[name].pipeline(0)) for name in before}
    first = home(path)
    join(write(LOGISTIC.replace("0.01", "0.1")))
    assert len(stale(record, load)) == 2  # of the fits and of the searches
    assert first != home(path)
    assert before == {name: code(METHODS[name].pipeline(0)) for name in before}


def test_a_grid_is_its_own_whatever_its_parameters_are_called(write):
    source = OWN.replace("shift", "l2")
    name = join(write(source))
    points = joined(PROTOCOLS["hundred"], name).points(METHODS[name])
    assert points == ['{"l2": -0.5}', '{"l2": 0.5}']
    assert len(PROTOCOLS["hundred"].points(METHODS["MLP"])) == np.prod(
        [len(values) for values in SHORT_GRID.values()]
    )


# From the command to the page


@pytest.fixture
def short(monkeypatch, tmp_path):
    """Two splits of a small set, and a folder to be in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(PROTOCOLS, "hundred", replace(PROTOCOLS["hundred"], n_splits=2))
    monkeypatch.setattr(__main__, "DATASETS", ["one"])
    monkeypatch.setattr(
        __main__, "fill", lambda *given, **more: run_module.fill(*given, **more, load=load)
    )


def test_one_command_computes_a_file_and_names_its_page(short, write, capsys, tmp_path):
    path = write(LOGISTIC)
    with pytest.raises(RecordError, match=r"no row of .*: run `python -m crcen.study --join"):
        score_joined("mine.py", ["one"])
    assert __main__.main(["--join", "mine.py", "--datasets", "one"]) == 0
    *_, told, page = capsys.readouterr().out.splitlines()
    folder = home("mine.py")
    assert told == f"2 of 2 cells are in {folder}"
    assert page == "its page: python notebooks/run.py hundred-sets method=mine.py"
    assert {*Record(folder).fits["method"]} == {"mine"}
    scored = score_joined(path, ["one"], runs=tmp_path / "runs")
    assert scored[["method", "split"]].to_numpy().tolist() == [["mine", 0], ["mine", 1]]
    assert scored["f1"].between(0, 1).all()
    # The same again computes nothing, and a changed file all.
    for source, lines in ((LOGISTIC, 2), (LOGISTIC.replace("0.01", "0.1"), 6)):
        write(source)
        assert __main__.main(["--join", "mine.py", "--datasets", "one"]) == 0
        assert len(capsys.readouterr().out.splitlines()) == lines


def test_several_files_and_a_folder_of_the_readers(short, write, capsys):
    write(LOGISTIC)
    write(OWN, "other")
    asked = ["--join", "mine.py", "other.py", "--datasets", "one", "--results", "both"]
    assert __main__.main(asked) == 0
    assert {*Record("both").fits["method"]} == {"mine", "other"}
    assert "page" not in capsys.readouterr().out


def test_the_main_sets_are_the_default(short, write, monkeypatch):
    asked = []
    write(LOGISTIC)
    monkeypatch.setattr(__main__, "fill", lambda record, wanted, **more: asked.extend(wanted))
    assert __main__.main(["--join", "mine.py"]) == 0
    own = {"hundred": joined(PROTOCOLS["hundred"], "mine")}
    assert asked == protocol.cells(__main__.GROUPS["main"], ["mine"], own)


def test_what_cannot_join_is_told_in_a_sentence(short, write, capsys):
    write("estimator = 3")
    assert __main__.main(["--join", "mine.py"]) == 1
    assert capsys.readouterr().err.startswith("crcen: mine.py must define `estimator`")
    with pytest.raises(SystemExit):
        __main__.main(["--join", "mine.py", "--methods", "MLP"])
    assert "--methods does not go with --join" in capsys.readouterr().err


def test_a_page_is_stale_when_more_is_recorded_of_its_file(write, tmp_path):
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    (notebooks / "a.md").write_text(
        '```{code-cell} python\n:tags: [parameters]\nmethod: str = ""  # file\n```\n'
    )
    known, path = declared(notebooks / "a.md"), write(LOGISTIC)
    before = named_files(notebooks, {"method": str(path)}, known)
    filled(home(path, tmp_path / "runs"), join(path))
    after = named_files(notebooks, {"method": str(path)}, known)
    assert {*before} == {"method"}
    assert len(after) == 3  # with the fits and the searches
    assert after["method"] == before["method"]


def test_its_parameters_are_its_own():
    model = JoinedClassifier("a", "b").set_params(name="theirs", source=3)
    assert (model.name, model.source, model.params) == ("a", "b", {"name": "theirs", "source": 3})
