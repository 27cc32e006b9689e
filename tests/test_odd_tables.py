"""Whole reports on odd tables: an answer and a page, or one sentence; never a traceback."""

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from crcen.command import main

N = 80
SCRIPT = "<script>alert('x')</script>"


@pytest.fixture
def frame(seed):
    """A table whose column x knows of the outcome."""
    y = np.arange(N) % 3 == 0
    x = np.random.default_rng(seed).normal(size=N) + 3 * y
    return pd.DataFrame({"x": x, "y": np.where(y, "bad", "good")})


@pytest.fixture
def report(tmp_path, capsys, monkeypatch):
    """Run the command; give what it returns, what it says and its page."""
    monkeypatch.chdir(tmp_path)

    def run(frame, *options, target="y", name="table.csv"):
        if name.endswith(".parquet"):
            frame.to_parquet(name)
        else:
            frame.to_csv(name, index=False)
        code = main(["report", name, "--target", target, *options])
        said = capsys.readouterr()
        page = tmp_path / f"{name}.html"
        return code, said.out if code == 0 else said.err, page.read_text() if not code else ""

    return run


@pytest.mark.slow
@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_names_and_labels_that_are_html_are_text(frame, report, name):
    frame["<b>bold</b> & \"quoted' 😀\nbelow"] = frame["x"] ** 2
    frame["$x_1$ {0} %s"] = np.resize([SCRIPT, "<i>", "&amp;"], N)
    frame[SCRIPT] = np.where(frame.pop("y") == "bad", SCRIPT, "$\\frac{a}{b}$ & {0} %")
    code, said, page = report(frame, target=SCRIPT, name=name)
    assert code == 0
    assert SCRIPT in said
    read = BeautifulSoup(page, "html.parser")
    assert read.find_all(["script", "b", "i"]) == []
    assert SCRIPT in read.h1.get_text()
    cells = [cell.get_text() for cell in read.find_all("td")]
    assert {SCRIPT, "$\\frac{a}{b}$ & {0} %", "$x_1$ {0} %s"} <= {*cells}


ODD = {
    "gaps": {"a": np.nan, "b": "", "c": np.where(np.arange(N) % 5, 1.5, np.nan)},
    "one row apart": {"a": np.arange(N) == 3, "b": ["u"] * (N - 1) + ["v"], "c": [1.0] + [2] * 79},
    "a level in one part only": {"a": np.resize(["u", "v"], N), "b": ["w"] * 2 + ["u"] * 78},
    "infinite": {"a": np.resize([np.inf, 1, 2], N), "b": np.resize([1e308, -1e308, 3], N)},
    "tiny": {"a": 5e-324 * np.arange(N), "b": 1e-300},
    "dates with gaps": {"a": [None, *pd.date_range("2024", periods=N - 1).astype(str)[::-1]]},
    "text": {"a": [f"row {k % 45} is long " * 9 for k in range(N)]},
    "mixed": {"a": np.resize(["1", "one", "2024-01-01", "", "3,5"], N)},
}


@pytest.mark.slow
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_odd_columns_do_no_harm(frame, report, odd):
    code, said, page = report(frame.assign(**odd))
    assert code == 0
    assert "finds " in said.splitlines()[1]
    assert all(f"<td>{name}</td>" in page for name in odd)


@pytest.mark.slow
def test_classes_that_lie_apart(frame, report):
    frame["x"] = np.where(frame["y"] == "bad", 9.0, 0) + frame["x"]
    code, said, page = report(frame)
    assert code == 0
    assert "of which 100% are right" in said
    assert "First ask of 'x' whether it is known before the outcome" in said
    assert "all by itself" in page


@pytest.mark.slow
def test_copies_are_told(frame, report):
    _, _, page = report(pd.concat([frame, frame]))
    assert f"{N} rows are as others in all that is learnt from and in class" in page


@pytest.mark.slow
@pytest.mark.parametrize("options", [("--time", "t"), ("--time", "t", "--groups", "g")])
def test_times_of_several_zones_and_groups(frame, report, options):
    frame["t"] = [f"2024-01-{k % 27 + 1:02d}T12:00:00+0{k % 3}:00" for k in range(N)]
    frame["g"] = np.arange(N) % 27 // 2
    code, _, page = report(frame, *options)
    assert code == 0
    assert "<td>t</td>" not in page


@pytest.mark.slow
def test_weights_of_a_huge_range_are_used(frame, report):
    frame["w"] = 10.0 ** np.resize(np.arange(-12, 12), N)
    code, _, page = report(frame, "--weights", "w")
    assert code == 0
    assert "Rows count in training as their weights say" in page


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"t": "2024-01-01"}, ("--time", "t"), "time='t' has 1 different times, fewer than six"),
        ({"t": np.r_[0, np.full(N - 1, np.nan)]}, ("--time", "t"), "time='t' must hold"),
        ({"g": [f"{k % 2}" for k in range(N)]}, ("--groups", "g"), "groups='g' has 2 groups"),
        (
            {"g": np.where(np.arange(N) % 3 == 0, "all", [f"g{k % 17}" for k in range(N)])},
            ("--groups", "g"),
            "part 1 of 5 by the groups has too few rows of a class",
        ),
        ({"w": 0.0}, ("--weights", "w"), "weights='w' must hold a positive number"),
        ({"y": ["bad"] * 15 + ["good"] * 65}, (), "target='y' has 15 rows of 'bad', fewer than"),
        ({"y": ""}, (), "target='y' has no labels"),
        ({"y": np.arange(N) / 7}, (), "target='y' holds 80 different numbers"),
        ({}, ("--drop", "x"), "the table has no column to learn from: none is left."),
        ({"x": 1}, (), "the table has no column to learn from: 'x' is constant."),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(frame, report, change, options, message):
    code, said, _ = report(frame.assign(**change), *options)
    assert code == 2
    assert said.startswith(f"crcen: {message}")
    assert said.count("\n") == 1
