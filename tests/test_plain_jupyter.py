"""The notebooks without run.py: what a page's download button gives, in papermill and Jupyter."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT

QUIET = ["--log-level=40"]  # or the kernel warns of TCP at its start
PATIENT = 3600  # seconds for that start, of which a busy machine may need more than the usual 60


@pytest.fixture
def downloaded(book):
    """The notebook behind the download button, saved where the guide says."""
    page = book / "_build/html/book/chapters/datasets.html"
    (link,) = BeautifulSoup(page.read_text(), "html.parser").select("a[href$='.ipynb'][title]")
    path = book / "notebooks/downloaded.ipynb"
    shutil.copy(page.parent / link["href"], path)
    yield path
    path.unlink()


def test_the_downloaded_notebook_runs_in_jupyter(downloaded):
    notebook = nbformat.read(downloaded, as_version=4)
    before = [cell.get("outputs") for cell in notebook.cells]
    client = nbclient.NotebookClient(
        notebook,
        resources={"metadata": {"path": str(downloaded.parent)}},
        extra_arguments=QUIET,
        startup_timeout=PATIENT,
    )
    client.execute()
    after = [cell.get("outputs") for cell in notebook.cells]
    assert [bool(outputs) for outputs in after] == [bool(outputs) for outputs in before]


def test_the_downloaded_notebook_takes_parameters_from_papermill(downloaded):
    command = [Path(sys.executable).with_name("papermill"), "-y", "names: [us_crime]"]
    ran = subprocess.run(
        [*command, downloaded.name, "-", "--no-progress-bar", f"--start-timeout={PATIENT}"],
        cwd=downloaded.parent,
        env=os.environ | {"PYTHONPATH": str(downloaded.parents[1])},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    notebook = nbformat.reads(ran.stdout, as_version=4)
    outputs = [str(output) for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("UScrime" in output for output in outputs)
    assert notebook.metadata["papermill"]["parameters"] == {"names": ["us_crime"]}


def test_elsewhere_its_first_failure_names_what_is_missing(downloaded, tmp_path):
    notebook = nbformat.read(downloaded, as_version=4)
    client = nbclient.NotebookClient(
        notebook,
        resources={"metadata": {"path": str(tmp_path)}},
        extra_arguments=QUIET,
        startup_timeout=PATIENT,
    )
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="No module named 'plots'"):
        client.execute()
    assert "No module\nnamed 'plots'" in (ROOT / "book/how-to-rerun.md").read_text()
