"""Tests of crcen.mishaps: what is told, what is raised, and which files are left."""

import errno
import os
import shutil
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext

import pytest
from conftest import ROOT

from crcen.mishaps import CAUSES, explain, naming, replacing, told


def raising(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize("number", CAUSES)
def test_each_cause_is_told_with_the_file_and_what_to_do(number, capsys):
    error = OSError(number, os.strerror(number), "results/a.json")
    cause, remedy = CAUSES[number]
    assert told("crcen", raising(error)) == 1
    assert capsys.readouterr().err == f"crcen: results/a.json: {cause}. {remedy}\n"


def test_the_machine_is_found_behind_other_errors():
    full = OSError(errno.ENOSPC, "No space left on device", "a")
    caused = RuntimeError("the build failed")
    caused.__cause__ = full
    assert explain(caused) == explain(full)
    wrapped = ValueError("Handler threw an exception")
    wrapped.orig_exc = full  # as Sphinx's ExtensionError
    assert explain(wrapped) == explain(full)
    again = OSError(errno.ENOSPC, "No space left on device", "from", None, "a")
    assert explain(again) == explain(full)


def test_a_failed_copy_of_a_tree_is_told_by_what_it_met():
    met = [("from", "to/a", f"[Errno 28] {os.strerror(errno.ENOSPC)}: 'from' -> 'to/a'")]
    assert explain(shutil.Error(met)).startswith("to/a: no space left on the disk. Free")
    assert explain(shutil.Error([("from", "to/a", "[Errno 2] No such file")])) == ""


@pytest.mark.parametrize("error", [KeyError("a"), FileNotFoundError(2, "No such file", "a")])
def test_what_the_program_is_to_blame_for_is_raised(error):
    assert explain(error) == ""
    with pytest.raises(type(error)):
        told("crcen", raising(error))


def test_a_killed_worker_and_a_lack_of_scratch_space_are_told(capsys):
    assert told("crcen", raising(BrokenProcessPool("terminated abruptly"))) == 1
    assert "a worker process was killed" in capsys.readouterr().err
    lack = FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")
    assert told("crcen", raising(lack)) == 1
    assert "set TMPDIR to a folder" in capsys.readouterr().err


def test_an_interruption_is_told_and_has_its_status(capsys):
    assert told("crcen", raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "\ncrcen: stopped; the same command goes on from here\n"


PRINTS = """
from crcen.mishaps import told
def work():
    for _ in range(100_000):
        print("a line")
    return 0
raise SystemExit(told("crcen", work))
"""


def run(stdout):
    command = [sys.executable, "-c", PRINTS]
    return subprocess.run(command, cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, text=True)


def test_a_reader_who_goes_is_not_told():
    read, write = os.pipe()
    os.close(read)
    ended = run(write)
    os.close(write)
    assert (ended.returncode, ended.stderr) == (1, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_output_that_finds_no_space_is_told_once():
    with open("/dev/full", "w") as full:
        ended = run(full)
    assert ended.returncode == 1
    assert ended.stderr.startswith("crcen: the output: no space left on the disk. Free some")
    assert ended.stderr.count("\n") == 1


def test_an_error_gets_the_name_of_what_is_written_unless_it_has_one():
    for has, expected in ((None, "a.csv"), ("b.csv", "b.csv")):
        with pytest.raises(OSError, match=expected) as found, naming("a.csv"):
            raise OSError(errno.ENOSPC, "No space left on device", has)
        assert found.value.filename == expected


@pytest.mark.parametrize("error", [None, OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("before")
    expected = pytest.raises(type(error)) if error else nullcontext()
    with expected, replacing(path) as scratch:
        scratch.write_text("half" if error else "after")
        assert path.read_text() == "before"
        if error:
            raise error
    assert path.read_text() == ("before" if error else "after")
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]
