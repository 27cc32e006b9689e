"""Tests of `python -m crcen.study`: what it fills, and what it says where it cannot."""

import subprocess
import sys
from dataclasses import replace

import pytest
from small import GRID, load

from crcen.study import __main__, protocol
from crcen.study import run as run_module
from crcen.study.admission import GROUPS, MAIN
from crcen.study.datasets import TABLE_2, DataError, DatasetUnavailable
from crcen.study.methods import METHODS
from crcen.study.protocol import PROTOCOLS
from crcen.study.record import Record


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Two splits each, and small grids."""
    for name in ("paper", "wide"):
        monkeypatch.setitem(PROTOCOLS, name, replace(PROTOCOLS[name], n_splits=2))
    monkeypatch.setitem(METHODS, "CRCEN", replace(METHODS["CRCEN"], grid=GRID))


def run(*arguments, methods=("RUSB",)):
    return __main__.main([*arguments, "--datasets", "abalone", "--methods", *methods])


def test_it_fills_a_record_and_then_finds_nothing_to_do(tmp_path, capsys):
    assert run("--results", str(tmp_path)) == 0
    assert len(Record(tmp_path).fits) == 2  # splits, which both scores show
    first = capsys.readouterr().out.splitlines()
    assert len(first) == 3
    assert first[-1] == f"4 of 4 cells are in {tmp_path}"
    assert run("--results", str(tmp_path)) == 0
    assert capsys.readouterr().out.splitlines() == first[-1:]


def test_it_fills_the_folder_results_with_the_paper_s_protocol_by_default(
    tmp_path, monkeypatch, capsys
):
    asked = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(__main__, "fill", lambda *given, **options: asked.append((given, options)))
    assert __main__.main([]) == 0
    [((record, wanted), options)] = asked
    assert (record.folder.name, options["seed"], options["n_jobs"]) == ("results", 0, 1)
    assert wanted == protocol.cells(TABLE_2, METHODS, {"paper": PROTOCOLS["paper"]})
    assert capsys.readouterr().out == f"0 of {len(wanted)} cells are in results\n"


def test_a_group_of_sets_is_asked_for_by_its_name(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(__main__, "fill", lambda record, wanted, **_: asked.append(wanted))
    options = ["--methods", "RUSB", "--results", str(tmp_path)]
    assert __main__.main(["--datasets", "zoo-3", "main", "scene", *options]) == 0
    assert list(dict.fromkeys(cell.dataset for cell in asked[0])) == ["zoo-3", *MAIN]


def test_another_seed_is_put_beside_the_first(tmp_path, capsys):
    for seed in ("0", "1"):
        assert run("--results", str(tmp_path), "--seed", seed) == 0
        assert capsys.readouterr().out.endswith(f"4 of 4 cells are in {tmp_path}\n")
    assert sorted(Record(tmp_path).fits["seed"]) == [0, 0, 1, 1]


def test_the_wider_grid_is_searched_beside_the_narrow_one(tmp_path, capsys, monkeypatch):
    wider = {"hidden_layer_sizes": [[1], [2]], "l2": [1e-3, 1e-2, 1e-1]}
    monkeypatch.setitem(PROTOCOLS, "wide", replace(PROTOCOLS["wide"], networks=wider))
    monkeypatch.setattr(run_module, "load_dataset", load)
    for name, points in (("paper", 2), ("wide", 6)):
        options = ["--protocols", name, "--methods", "CRCEN", "RUSB", "--results", str(tmp_path)]
        monkeypatch.setattr(__main__, "DATASETS", ["one"])
        monkeypatch.setattr(__main__, "fill", small_fill)
        assert __main__.main([*options, "--datasets", "one"]) == 0
        record = Record(tmp_path)
        assert len(record.searches) == points
    # Of the wider grid there are networks only.
    assert capsys.readouterr().out.endswith(f"4 of 4 cells are in {tmp_path}\n")


def small_fill(*given, **options):
    return run_module.fill(*given, **options, load=load)


@pytest.mark.parametrize("option", ["--datasets", "--methods", "--protocols"])
def test_a_name_that_is_unknown_is_refused_with_those_that_are_known(option, tmp_path, capsys):
    known = {"--datasets": "us_crime", "--methods": "RUSB", "--protocols": "wished"}[option]
    with pytest.raises(SystemExit) as ended:
        __main__.main([option, "unknown", "--results", str(tmp_path)])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "unknown" in error
    assert known in error
    assert not [*tmp_path.iterdir()]


def test_the_help_names_all_that_can_be_asked_for(capsys):
    with pytest.raises(SystemExit):
        __main__.main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.startswith("usage: python -m crcen.study ")
    for name in (*GROUPS, *TABLE_2, *METHODS, *PROTOCOLS):
        assert name in shown


def test_a_damaged_record_is_told(tmp_path, capsys):
    run("--results", str(tmp_path))
    [path] = tmp_path.glob("*/fits/abalone.parquet")
    path.write_bytes(b"PAR1")
    capsys.readouterr()
    assert run("--results", str(tmp_path)) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"crcen: {path} is damaged")
    assert error.count("\n") == 1


@pytest.mark.parametrize("error", [DataError, DatasetUnavailable])
def test_data_that_are_damaged_are_told_and_such_as_lack_are_left_out(
    error, tmp_path, monkeypatch, capsys
):
    def fails(name):
        raise error(f"no {name} here")

    def fill(*given, **options):
        return run_module.fill(*given, **options, load=fails)

    monkeypatch.setattr(__main__, "fill", fill)
    damaged = error is DataError
    assert run("--results", str(tmp_path)) == int(damaged)
    out, err = capsys.readouterr()
    if damaged:
        assert (out, err) == ("", "crcen: no abalone here\n")
    else:
        expected = f"left out: no abalone here\n0 of 4 cells are in {tmp_path}\n"
        assert (out, err) == (expected, "")


def test_a_file_where_the_folder_should_be_is_told(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run("--results", str(tmp_path / "file")) == 1
    error = capsys.readouterr().err
    assert f"{tmp_path / 'file'}" in error
    assert error.count("\n") == 1


def test_stale_lists_what_other_code_has_made_and_computes_nothing(tmp_path, monkeypatch, capsys):
    assert run("--results", str(tmp_path), "--stale") == 0  # of nothing, nothing is stale
    assert run("--results", str(tmp_path)) == 0
    capsys.readouterr()
    before = sorted(tmp_path.rglob("*"))
    assert run("--results", str(tmp_path), "--stale") == 0
    assert capsys.readouterr().out == "all rows were made by this code\n"
    old = run_module.code(METHODS["RUSB"].pipeline(0))
    monkeypatch.setattr(run_module, "code", lambda pipeline: "0" * 12)
    assert run("--results", str(tmp_path), "--stale", methods=("MLP",)) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("2 fits of ")
    assert f" abalone RUSB {old} " in line
    assert sorted(tmp_path.rglob("*")) == before


def test_a_cluster_that_does_not_answer_is_told(tmp_path, capsys, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(__main__, "TIME_LIMIT", 0.5)
    assert run("--results", str(tmp_path), "--scheduler", "tcp://127.0.0.1:1") == 1
    assert "tcp://127.0.0.1:1 does not answer" in capsys.readouterr().err


def test_a_lack_of_dask_is_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert run("--results", str(tmp_path), "--scheduler", "tcp://127.0.0.1:1") == 1
    assert "--scheduler needs Dask" in capsys.readouterr().err


def test_it_can_be_stopped(tmp_path, capsys, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(__main__, "fill", stop)
    assert run("--results", str(tmp_path)) == 130
    assert "goes on from here" in capsys.readouterr().err


@pytest.mark.slow
def test_it_runs_as_a_module(tmp_path):
    command = [sys.executable, "-m", "crcen.study", "--datasets", "abalone", "--methods", "RUSB"]
    done = subprocess.run([*command, "--results", tmp_path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f"40 of 40 cells are in {tmp_path}\n")
