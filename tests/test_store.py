"""Tests of crcen.study.record: what is written whole, which answer counts, what packing keeps."""

import json
import os
import random
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import SEED
from hypothesis import given
from hypothesis import strategies as st
from small import start

from crcen.study import record as module
from crcen.study.provenance import kernels, processor, versions
from crcen.study.record import ENVIRONMENT, KEYS, Record, RecordError, thousandths

POINT = {"method": "MLP", "params": "{}", "split": 0, "seed": 0}
ROW = POINT | {"rows": "test", "failed": "", "code": "c0de", "data": "da7a"}


def fit(lam=0.5, positives=(-1, 20), **more):
    return ROW | {"lam": lam, "positives": list(positives), "negatives": [-300]} | more


def found(record, *columns):
    """What the record says, by its keys."""
    record.read()
    frame = record.fits
    return {
        (row.dataset, row.method, row.split, row.rows): (
            row.lam, *record.predictions(row.Index).positives, *(getattr(row, c) for c in columns)
        )
        for row in frame.itertuples()
    }  # fmt: skip


def files(folder):
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def lists(folder, kind="fits"):
    return sorted(path.name for path in Path(folder).glob(f"*/{kind}/*"))


@pytest.fixture
def record(tmp_path):
    return Record(tmp_path / "new" / "record")


# Logits


@given(st.lists(st.floats(-1e12, 1e12)))
def test_a_logit_keeps_its_sign_and_is_off_by_half_a_thousandth_at_most(logits):
    whole = thousandths(np.array(logits))
    logits = np.sort(logits)
    assert np.sign(whole).tolist() == np.sign(logits).tolist()
    near = abs(logits) < (2**30 - 1) / 1000
    off = abs(np.array(whole)[near] / 1000 - logits[near])
    # A whole one only where it may not be zero.
    assert (off <= np.where(abs(logits[near]) < 0.0005, 0.001, 0.0005) + 1e-9).all()


def test_logits_that_are_not_finite_end_at_the_largest_number():
    assert thousandths(np.array([np.inf, -np.inf])) == [-(2**30 - 1), 2**30 - 1]
    assert thousandths(np.array([])) == []


# Writing and reading


@pytest.mark.parametrize("pack", [False, True])
def test_rows_are_read_as_they_were_written(record, pack):
    record.add("fits", "abalone", [fit(0.1 + 0.2), fit(split=1, positives=[]), ROW | {"split": 2}])
    record.add("searches", "abalone", [POINT | {"f1": 0.1 + 0.2, "failed": "“no”\n"}])
    if pack:
        record.pack()
    again = Record(record.folder)
    assert again.fits["lam"].tolist()[:2] == [0.1 + 0.2, 0.5]
    predictions = [again.predictions(k) for k in again.fits.index]
    assert [p.positives.tolist() for p in predictions] == [[-0.001, 0.02], [], []]
    assert [p.negatives.tolist() for p in predictions] == [[-0.3], [-0.3], []]
    assert again.searches.loc[0, ["dataset", "failed"]].to_list() == ["abalone", "“no”\n"]
    assert again.searches.loc[0, "f1"] == 0.1 + 0.2


def test_an_empty_record_has_empty_tables_with_their_names_and_makes_no_folder(record):
    assert record.fits.empty
    assert record.searches.empty
    assert {"dataset", *KEYS["fits"], "failed", "environment"} <= {*record.fits}
    assert {"dataset", *KEYS["searches"], "failed", "environment"} <= {*record.searches}
    assert not record.folder.exists()


def test_tables_are_sorted_by_their_keys_however_they_were_written(record, tmp_path):
    rows = [fit(split=split, method=method) for split in (10, 9, 0) for method in ("MLP", "CRCEN")]
    other = Record(tmp_path / "other")
    for each, order in ((record, rows), (other, rows[::-1])):
        for row in order:
            each.add("fits", "two", [row])
        each.add("fits", "one", rows)
        each.read()
    other.pack()
    other.read()
    assert record.fits.to_csv() == other.fits.to_csv()
    assert record.fits["split"].tolist() == [0, 9, 10] * 4
    assert record.fits["dataset"].tolist() == ["one"] * 6 + ["two"] * 6


@pytest.mark.parametrize("failing", ["replace", "write_table"])
def test_an_interrupted_write_leaves_what_was_there(record, failing, monkeypatch):
    record.add("fits", "one", [fit()])
    record.pack()
    before = files(record.folder)

    def interrupted(table, path, **_):
        if failing == "write_table":
            Path(path).write_bytes(b"PAR1 half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(os if failing == "replace" else pq, failing, interrupted)
    with pytest.raises(KeyboardInterrupt):
        record.add("fits", "one", [fit(0.7)])
    assert files(record.folder) == before


def test_what_a_killed_write_leaves_is_read_by_nobody(record):
    record.add("fits", "one", [fit()])
    [folder] = record.folder.glob("*/fits")
    (folder / f"{module.SCRATCH}0123.one.parquet.part").write_bytes(b"PAR1 half of it")
    record.pack()
    assert len(found(record)) == 1


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1 half of it", b"{}"])
def test_a_damaged_file_is_named_with_what_to_do(record, content):
    record.add("fits", "one", [fit()])
    record.pack()
    [path] = record.folder.glob("*/fits/one.parquet")
    for damaged in (content, path.read_bytes()[:-20]):
        path.write_bytes(damaged)
        with pytest.raises(RecordError, match=r"fits/one\.parquet is damaged.*checkout.*delete it"):
            Record(record.folder)


@pytest.mark.parametrize("content", [b"", b"\xff", b'{"versions"', b"[1]"])
def test_a_damaged_environment_is_named(record, content):
    record.add("fits", "one", [fit()])
    [path] = record.folder.glob(f"*/{ENVIRONMENT}")
    path.write_bytes(content)
    with pytest.raises(RecordError, match=r"environment\.json is damaged"):
        Record(record.folder)


# Later rows and columns


@pytest.mark.parametrize("pack", ["never", "between", "after"])
def test_the_latest_row_of_a_key_counts(record, pack):
    for number, lam in enumerate((0.9, 0.1, 0.7, 0.3)):  # not in the order of the numbers
        record.add("fits", "one", [fit(lam), fit(lam, split=1)] if number < 3 else [fit(lam)])
        if pack == "between":
            record.pack()
    if pack == "after":
        record.pack()
    assert [lam for lam, *_ in found(record).values()] == [0.3, 0.7]


def test_columns_and_rows_are_added_later(record):
    record.add("fits", "one", [fit()])
    record.pack()
    before = found(record)
    record.add("fits", "one", [fit(0.7, split=1, energy=1.5, note="new")])
    for _ in range(2):
        after = found(record, "energy", "note")
        assert len(after) == 2
        assert after["one", "MLP", 1, "test"] == (0.7, -0.001, 0.02, 1.5, "new")
        for key, values in before.items():
            assert after[key][: len(values)] == values
        assert record.fits["energy"].isna().tolist() == [True, False]
        record.pack()


def test_another_seed_or_other_parameters_are_other_rows(record):
    record.add("fits", "one", [fit(), fit(seed=1), fit(params='{"l2": 1}'), fit(rows="0")])
    record.read()
    assert len(record.fits) == 4


# Environments


def elsewhere(monkeypatch, name):
    """Let this be another machine."""
    monkeypatch.setattr(module, "kernels", lambda: {"numba": name})


def test_an_environment_says_what_it_is(record):
    record.add("fits", "one", [fit()])
    record.read()
    [(name, about)] = record.environments.items()
    assert about == {"versions": versions(), "kernels": kernels(), "processor": processor()}
    assert name.startswith(kernels()["numba"])
    assert record.fits["environment"].tolist() == [name]
    made = (record.folder / name / ENVIRONMENT).stat().st_mtime_ns
    record.add("fits", "one", [fit(split=1)])
    assert (record.folder / name / ENVIRONMENT).stat().st_mtime_ns == made


def test_rows_of_another_process_stand_in_the_environment_that_made_them(record):
    record.add("fits", "one", [fit()])
    about = {"versions": {"numpy": "0.1"}, "kernels": {"blas": ["Abacus"]}, "processor": "beads"}
    record.add("fits", "one", [fit(split=1)], about)
    record.read()
    here, there = record.fits["environment"]
    assert here == module.here()
    assert there.startswith("abacus-")
    assert record.environments[there] == about


@pytest.mark.parametrize("what", ["versions", "kernels"])
def test_other_versions_and_other_kernels_are_other_environments(record, what, monkeypatch):
    record.add("fits", "one", [fit()])
    now = getattr(module, what)()
    monkeypatch.setattr(module, what, lambda: now | {"numpy": "0.1"})
    record.add("fits", "one", [fit()])
    record.read()
    assert len(record.environments) == 2


def test_the_environment_with_the_most_rows_counts_or_the_one_that_was_named(record, monkeypatch):
    elsewhere(monkeypatch, "znver")
    record.add("fits", "one", [fit(0.2, split=split, positives=[-2]) for split in range(3)])
    elsewhere(monkeypatch, "avx2")  # earlier in the alphabet, later in time
    record.add("fits", "one", [fit(0.8, split=split, positives=[8]) for split in (1, 3)])
    record.read()
    assert record.fits["lam"].tolist() == [0.2, 0.2, 0.2, 0.8]  # what only one has, it answers
    assert [record.predictions(k).positives[0] for k in range(4)] == [-0.002] * 3 + [0.008]
    [avx2] = [name for name in record.environments if name.startswith("avx2")]
    for _ in range(2):
        named = Record(record.folder, avx2)
        assert named.fits["lam"].tolist() == [0.2, 0.8, 0.2, 0.8]
        assert [named.predictions(k).positives[0] for k in range(4)] == [-0.002, 0.008] * 2
        assert named.fits["environment"].str[:4].tolist() == ["znve", "avx2", "znve", "avx2"]
        record.pack()  # within each


def test_of_equals_the_first_by_name_counts(record, monkeypatch):
    for name, lam in (("b", 0.2), ("a", 0.8)):
        elsewhere(monkeypatch, name)
        record.add("fits", "one", [fit(lam)])
    record.read()
    assert record.fits["lam"].tolist() == [0.8]


def test_an_environment_that_is_not_there_is_refused_with_those_that_are(record):
    record.add("fits", "one", [fit()])
    [name] = Record(record.folder).environments
    with pytest.raises(RecordError, match=f"no environment 'mine', only {name}"):
        Record(record.folder, "mine")
    with pytest.raises(RecordError, match="only none"):
        Record(record.folder / "nowhere", "mine")


# Packing


def filled(folder):
    """A record with a packed file and others beside it, of two sets and both kinds."""
    record = Record(folder)
    for number in range(3):
        for name in ("one", "two"):
            record.add("fits", name, [fit(number / 4, split=s) for s in (0, number)])
            record.add("searches", name, [POINT | {"split": number, "f1": 0.5}])
        if number == 0:
            record.pack()
    record.read()
    return record


def content(folder):
    record = Record(folder)
    logits = [record.predictions(k) for k in record.fits.index]
    return record.fits.to_csv(), record.searches.to_csv(), str(logits)


def test_packing_leaves_one_file_for_each_set_and_every_row(tmp_path):
    record = filled(tmp_path)
    before = content(tmp_path)
    record.pack()
    assert content(tmp_path) == before
    for kind in KEYS:
        assert lists(tmp_path, kind) == ["one.parquet", "two.parquet"]
    packed = files(tmp_path)
    record.pack()
    assert files(tmp_path) == packed


def test_what_is_packed_does_not_depend_on_how_often(tmp_path):
    for name in ("often", "once"):
        record = Record(tmp_path / name)
        for split in (2, 0, 1):
            record.add("fits", "one", [fit(split=split)])
            if name == "often":
                record.pack()
        record.pack()
    often, once = (next((tmp_path / n).glob("*/fits/*")).read_bytes() for n in ("often", "once"))
    assert often == once


@pytest.mark.parametrize("when", ["before", "after"])
def test_packing_that_is_interrupted_at_any_step_loses_nothing(tmp_path, monkeypatch, when):
    expected = content(filled(tmp_path / "record").folder)
    steps = left = 0

    def step(do):
        def counted(*args, **options):
            nonlocal left
            left -= 1
            last = left == 0
            if last and when == "before":
                raise KeyboardInterrupt
            do(*args, **options)
            if last:
                raise KeyboardInterrupt

        return counted

    interrupted = True
    while interrupted:
        steps += 1
        left = steps
        folder = shutil.copytree(tmp_path / "record", tmp_path / f"{steps}")
        with monkeypatch.context() as patch:
            patch.setattr(module, "_write", step(module._write))
            patch.setattr(os, "replace", step(os.replace))
            patch.setattr(Path, "unlink", step(Path.unlink))
            try:
                Record(folder).pack()
                interrupted = False
            except KeyboardInterrupt:
                pass
        assert content(folder) == expected
        Record(folder).pack()
        assert content(folder) == expected
    assert steps > 4 * 2 + 8  # four files are written, and two of each taken away


def add_many(folder, name, count):
    """What one of several writers does: it packs now and then, in the midst of the others."""
    record = Record(folder)
    for number in range(count):
        record.add("fits", "one", [fit(number / 100, split=number, method=name)])
        if number % 3 == 0:
            record.pack()


def pack_and_die(folder, events):
    """Pack, and die in the midst of it."""

    def count(frame, event, arg):
        nonlocal events
        events -= 1
        if events < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    record = Record(folder)
    sys.setprofile(count)
    record.pack()


@pytest.mark.slow
def test_writers_at_once_lose_nothing_and_a_reader_sees_whole_rows(tmp_path):
    writers = [start(add_many, tmp_path, name, 40) for name in ("MLP", "CRCEN")]
    seen = 0
    while any(writer.is_alive() for writer in writers):
        now = Record(tmp_path)  # while another packs
        assert len(now.fits) >= seen
        seen = len(now.fits)
        assert all(now.predictions(k).positives.size == 2 for k in now.fits.index)
    assert [writer.exitcode for writer in writers] == [0, 0]
    record = Record(tmp_path)
    assert len(record.fits) == 80
    assert (record.fits["lam"] == record.fits["split"] / 100).all()
    record.pack()
    assert lists(tmp_path) == ["one.parquet"]


@pytest.mark.slow
def test_packing_that_is_killed_loses_nothing(tmp_path):
    expected = content(filled(tmp_path / "record").folder)
    chance, kills = random.Random(SEED), 0
    for number in range(20):
        folder = shutil.copytree(tmp_path / "record", tmp_path / str(number))
        process = start(pack_and_die, folder, int(10 ** chance.uniform(1.5, 3.8)))
        process.join()
        kills += process.exitcode == -signal.SIGKILL
        assert process.exitcode in (-signal.SIGKILL, 0)
        assert content(folder) == expected
        Record(folder).pack()  # a lock of one that died holds nobody up
        assert content(folder) == expected
    assert kills >= 10


def test_a_reader_who_finds_a_file_gone_looks_again(record, monkeypatch):
    record.add("fits", "one", [fit()])
    read, packed = module._read, []

    def meanwhile(path):
        if not packed:
            packed.append(path)
            Record.pack(record)
        return read(path)

    monkeypatch.setattr(module, "_read", meanwhile)
    assert len(Record(record.folder).fits) == 1
    assert len(packed) == 1


def test_a_file_that_stays_gone_is_an_error(record, monkeypatch):
    record.add("fits", "one", [fit()])

    def gone(path):
        raise FileNotFoundError(path)

    monkeypatch.setattr(module, "_read", gone)
    with pytest.raises(FileNotFoundError):
        Record(record.folder)


def test_the_environment_is_json_that_others_can_read(record):
    record.add("fits", "one", [fit()])
    [path] = record.folder.glob(f"*/{ENVIRONMENT}")
    assert json.loads(path.read_text())["versions"]["numpy"] == np.__version__
