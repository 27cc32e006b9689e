import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "notebooks"))  # where run.py is
sys.path.append(str(ROOT / "benchmarks"))


def build(root, *options):
    """Build the book in ``root`` as a reader does, with the smallest settings."""
    return subprocess.run(
        [Path(sys.executable).with_name("jupyter-book"), "build", ".", *options],
        cwd=root,
        env=os.environ | {"CRCEN_PROFILE": "smoke", "CRCEN_DOWNLOAD": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="session")
def book(tmp_path_factory):
    """A copy of what git keeps, with the book built in it."""
    root = tmp_path_factory.mktemp("checkout")
    kept = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    for name in filter(None, kept.split("\0")):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    built = build(root, "-W", "--keep-going", "-n")
    assert built.returncode == 0, built.stdout
    return root


@pytest.fixture(scope="session")
def executed(tmp_path_factory):
    """A project of three notebooks, all fresh."""
    import run
    import tiny

    root = tmp_path_factory.mktemp("project")
    tiny.make(root)
    with pytest.MonkeyPatch.context() as patch:
        tiny.use_data(patch, root)
        assert run.run_stale("smoke", root=root, report=id) == ["tiny", "other", "claims"]
    return root


@pytest.fixture
def project(executed, tmp_path, monkeypatch):
    """The same project, to be changed."""
    import tiny

    root = shutil.copytree(executed, tmp_path / "project")
    tiny.use_data(monkeypatch, root)
    return root
