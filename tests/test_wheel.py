"""Tests of the package as it is installed: what is in it, and that it works away from here."""

import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import EntryPoint

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, SEED
from scipy.special import expit

pytestmark = pytest.mark.slow
# What the plain install does not bring.
ABSENT = ("torch", "numba", "imblearn", "pyarrow", "statsmodels")
WITHOUT = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in {ABSENT!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    to = tmp_path_factory.mktemp("wheel")
    source = tmp_path_factory.mktemp("source") / "crcen"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(source)], check=True)
    # The source archive first, and the wheel from it.
    command = [sys.executable, "-m", "build", "-o", str(to), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    [archive] = to.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        assert any(name.endswith("crcen/own/table.py") for name in files.getnames())
    return next(to.glob("*.whl"))


@pytest.fixture(scope="module")
def run(wheel, tmp_path_factory):
    """Run Python code with nothing of this repository but the wheel."""
    home = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(home / "site")

    def of(code, *arguments):
        first = f"{WITHOUT}\nsys.path.insert(0, {str(home / 'site')!r})\n"
        command = [sys.executable, "-I", "-c", first + code, *arguments]
        return subprocess.run(command, cwd=home, capture_output=True, text=True)

    of.home = home
    return of


def test_the_wheel_holds_the_module_its_data_and_the_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [entries] = [name for name in names if name.endswith("entry_points.txt")]
        text = archive.read(entries).decode()
    assert {"crcen/py.typed", "crcen/study/sets.csv", "crcen/theory/laws.py"} <= {*names}
    assert "crcen/own/page.py" in names
    assert not [name for name in names if name.startswith(("tests", "notebooks", "results"))]
    assert "crcen = crcen.command:main" in text
    assert callable(EntryPoint("crcen", "crcen.command:main", "console_scripts").load())


def test_the_commands_work_without_the_heavy_packages(run):
    rng = np.random.default_rng(SEED)
    y = (rng.random(3000) < 0.1).astype(int)
    x = rng.normal(2.0 * y)
    table = pd.DataFrame({"x": x, "p": expit(2 * x - 2), "y": y})
    table.to_csv(run.home / "t.csv", index=False)
    code = "from crcen.command import main\nsys.exit(main(sys.argv[1:]))"
    columns = ["--target", "y", "--score", "p"]
    for arguments, said in (
        (["audit", "t.csv", *columns], "lambda 0."),
        (["choose", "t.csv", *columns, "--recall", "0.8", "--slip", "s.json"], "is written to"),
        (["check", "s.json", "t.csv", *columns], "stands"),
    ):
        ran = run(code, *arguments)
        assert ran.returncode == 0, ran.stderr
        assert said in ran.stdout
    # Whether PyTorch is there is asked, and not tried, so that it must not raise here.
    ran = run(f"sys.meta_path.pop(0)\n{code}", "report", "t.csv", "--target", "y", "--drop", "p")
    assert ran.returncode == 0, ran.stderr
    assert "Use " in ran.stdout
    assert (run.home / "t.csv.html").read_text("utf-8").startswith("<!DOCTYPE html>")


def test_what_needs_more_says_so(run):
    said = run("from crcen import CRCENClassifier").stderr
    assert "which is not installed: pip install 'crcen[networks]'" in said


def test_the_estimators_come_with_the_networks(run):
    code = "sys.meta_path.pop(0)\nfrom crcen import CRCENClassifier\nprint(CRCENClassifier())"
    assert "CRCENClassifier()" in run(code).stdout
