"""Tests of the workflow that publishes the book, against what it calls."""

import re
import tomllib

import pytest
import yaml
from conftest import ROOT

PATH = ROOT / ".github/workflows/pages.yml"


@pytest.fixture
def jobs():
    return yaml.safe_load(PATH.read_text())["jobs"]


def steps(job, key):
    return [step[key] for step in job["steps"] if key in step]


def inputs(job, action):
    (step,) = (step for step in job["steps"] if action in step.get("uses", ""))
    return step["with"]


def test_each_command_is_a_target_of_the_makefile(jobs):
    makefile = (ROOT / "Makefile").read_text()
    commands = [command for job in jobs.values() for command in steps(job, "run")]
    assert commands == ["make book"]
    for command in commands:
        assert re.search(rf"^{command.split()[1]}:", makefile, re.MULTILINE)


def test_what_it_publishes_is_what_make_book_builds(jobs):
    (opened,) = re.findall(r"file://\$\(CURDIR\)/(\S+)/index.html", (ROOT / "Makefile").read_text())
    assert inputs(jobs["build"], "pages-artifact")["path"] == opened


def test_python_is_one_that_the_project_runs_on(jobs):
    setup = inputs(jobs["build"], "setup-python")
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert needed == f">={setup['python-version']}"
    assert ROOT / "requirements.txt" in ROOT.glob(setup["cache-dependency-path"])


def test_it_needs_no_secret_and_only_the_deployment_may_write(jobs):
    assert "secrets." not in PATH.read_text()
    assert yaml.safe_load(PATH.read_text())["permissions"] == {"contents": "read"}
    assert "permissions" not in jobs["build"]
    assert jobs["deploy"]["permissions"] == {"pages": "write", "id-token": "write"}
    assert jobs["deploy"]["needs"] == "build"


def test_every_action_has_a_version(jobs):
    used = [action for job in jobs.values() for action in steps(job, "uses")]
    assert used
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", action) for action in used)
