import ast

import jupytext
import pytest
import yaml
from conftest import ROOT
from driver.parameters import RunError, check, conform, declared, read_grid, within

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.md"))
PROFILES = yaml.safe_load((ROOT / "notebooks/parameters.yml").read_text())


@pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_parameter_says_what_it_means_and_every_number_its_range(source):
    for name, parameter in declared(source).items():
        assert parameter.meaning, name
        if {"int", "float"} & {node.id for node in ast.walk(parameter.kind) if hasattr(node, "id")}:
            assert parameter.range, name
        assert within(conform(parameter.default, parameter.kind), parameter.range), name


@pytest.mark.parametrize("profile", PROFILES)
def test_the_values_of_the_profiles_are_accepted(profile):
    for name, values in PROFILES[profile].items():
        check(ROOT / f"notebooks/{name}.md", values, profile)


@pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda path: path.stem)
def test_papermill_reads_the_same_parameters(source, tmp_path):
    import papermill

    jupytext.write(jupytext.read(source), tmp_path / "notebook.ipynb")
    inspected = papermill.inspect_notebook(tmp_path / "notebook.ipynb")
    parameters = declared(source)
    assert list(inspected) == list(parameters)
    for name, parameter in parameters.items():
        assert ast.literal_eval(inspected[name]["default"]) == parameter.default
        assert parameter.meaning in inspected[name]["help"]


@pytest.fixture
def source(tmp_path):
    """A notebook with one parameter of each kind."""
    lines = """
rows: int = 3  # [1, 9] how many
rate: float = 0.5  # (0, 1) how fast
l2: list[float] = [0.1, 1]  # [0, inf) penalties
below: float = -1.0  # (-inf, 0] how low
score: str = "f1"  # {f1, gmean} which
names: list[str] = ["a", "b"]  # {...} of what
place: str = "#"  # (optional) where
"""
    path = tmp_path / "notebook.md"
    path.write_text("```{code-cell} python\n:tags: [parameters]\n" + lines + "```\n")
    return path


def test_a_range_and_a_meaning_are_read_from_the_comment(source):
    assert {name: (p.range, p.meaning) for name, p in declared(source).items()} == {
        "rows": ("[1, 9]", "how many"),
        "rate": ("(0, 1)", "how fast"),
        "l2": ("[0, inf)", "penalties"),
        "below": ("(-inf, 0]", "how low"),
        "score": ("{f1, gmean}", "which"),
        "names": ("{a, b}", "of what"),
        "place": ("", "(optional) where"),
    }


@pytest.mark.parametrize(
    "text",
    ["rows=1", "rows=9", "rate=.01", "l2=[0]", "below=0", "score=gmean", "names=[b]", "place=any"],
)
def test_a_value_in_its_range_is_accepted(source, text):
    assert len(read_grid(source, [text])) == 1


@pytest.mark.parametrize(
    "text",
    ["rows=0", "rows=10", "rate=0", "rate=1", "rate=.nan", "l2=[1, -1]", "l2=[.inf]", "below=1"],
)
def test_a_value_outside_its_range_is_refused(source, text):
    with pytest.raises(RunError, match=r"notebook \(command line\): \w+=.* is outside [\[({].*;"):
        read_grid(source, [text])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("score=auc", r"score='auc' is outside {f1, gmean}; an example is score='f1'"),
        ("names=[b, c]", r"names=\['b', 'c'\] is outside {a, b}"),
        ("l2=[]", r"l2=\[\] is empty"),
    ],
)
def test_the_error_says_what_would_do(source, text, message):
    with pytest.raises(RunError, match=message):
        read_grid(source, [text])


def test_a_parameter_named_twice_takes_each_value_with_each_of_the_others(source):
    grid = read_grid(source, ["rows=1", "l2=[0.1, 1]", "rows=2", "l2=[0]", "score=f1"])
    assert grid == [
        {"rows": rows, "l2": l2, "score": "f1"} for rows in (1, 2) for l2 in ([0.1, 1.0], [0.0])
    ]


def test_a_path_starts_where_the_reader_is(source, tmp_path, monkeypatch):
    (tmp_path / "mine.csv").touch()
    (tmp_path / "f1").touch()
    monkeypatch.chdir(tmp_path)
    (values,) = read_grid(source, ["place=mine.csv", "score=f1"])
    assert values == {"place": str(tmp_path / "mine.csv"), "score": "f1"}


@pytest.mark.parametrize(
    ("value", "kind", "conformed"),
    [
        (1, "float", 1.0),
        (0.5, "float", 0.5),
        (True, "bool", True),
        ((5, 10), "list[int]", [5, 10]),
        ([1], "tuple[float, ...]", [1.0]),
        ([[1], [2, 3]], "list[list[int]]", [[1], [2, 3]]),
        (("a", 1), "list", ["a", 1]),
    ],
)
def test_a_value_takes_the_declared_type(value, kind, conformed):
    result = conform(value, ast.parse(kind, mode="eval").body)
    assert repr(result) == repr(conformed)


@pytest.mark.parametrize(
    ("value", "kind"),
    [(True, "int"), (True, "float"), (1, "bool"), (1, "str"), ("ab", "list"), ("1", "float")],
)
def test_a_value_of_another_type_is_refused(value, kind):
    with pytest.raises(TypeError):
        conform(value, ast.parse(kind, mode="eval").body)


@pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_network_of_a_notebook_starts_by_chance(source):
    """A build gives the same bytes again only if every estimator has a seed."""
    cells = [cell.source for cell in jupytext.read(source).cells if cell.cell_type == "code"]
    calls = [
        node for cell in cells for node in ast.walk(ast.parse(cell)) if isinstance(node, ast.Call)
    ]
    for call in calls:
        if getattr(call.func, "id", "") in ("CRCENClassifier", "CSMLPClassifier"):
            names = {keyword.arg for keyword in call.keywords}  # None of what is unpacked
            assert names & {"random_state", None}, ast.unparse(call)
