"""Tests of the record in results/: complete, of this code and data, and it comes out again."""

import ast
import json
import random
import re
from functools import cache

import jupytext
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from driver import plan
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from crcen import choose_lam, imbalance_ratio, lam_from_alpha
from crcen.mishaps import SCRATCH
from crcen.study.admission import WIDE
from crcen.study.datasets import (
    DATASETS,
    TABLE_2,
    DatasetUnavailable,
    load_dataset,
    locate_dataset,
)
from crcen.study.fit import MOVED, SEARCHED, fit
from crcen.study.methods import HUNDRED, METHODS, NETWORKS, PAST, TABLE_3
from crcen.study.protocol import APPLIED, PROTOCOLS, WISHES, Cell, Fit, cells
from crcen.study.record import ENVIRONMENT, KEYS, Record, here, thousandths
from crcen.study.run import FAILURES, missing, stale
from crcen.study.splits import folds, splits
from crcen.study.tables import by_fold, fits_of, of_seed, places, shown, together

RESULTS = ROOT / "results"
SEED = 0  # of the record
N_SPLITS = max(protocol.n_splits for protocol in PROTOCOLS.values())
MANY = ("hundred", "hundred held out")
EVERY = cells(TABLE_2, METHODS, {n: p for n, p in PROTOCOLS.items() if n not in MANY})


@pytest.fixture(scope="module")
def record():
    return Record(RESULTS)


@pytest.fixture(scope="module")
def named(record):
    """The fit that each cell shows."""
    return fits_of(EVERY, of_seed(record.searches, SEED))


@pytest.fixture(scope="module")
def place(record):
    return places(record, SEED)


@pytest.fixture(scope="module")
def other():
    """What was computed with the kernels of another processor, read alone."""
    known = Record(RESULTS).environments
    [name] = [name for name, about in known.items() if about["kernels"]["blas"] == ["Haswell"]]
    return Record(RESULTS, name, alone=True)


@cache
def load(name):
    """Load a data set that is at hand, with its training and testing rows in each split."""
    try:
        data = load_dataset(name)
    except DatasetUnavailable as error:
        pytest.skip(str(error))
    return data, list(splits(data.target, N_SPLITS, SEED))


def rows_of(target, train, test, split, rows):
    """Number the rows that a fit is made on, and those that it is applied to."""
    if rows == "test":
        return train, test
    if rows == "train":
        return train, train
    return tuple(train[part] for part in folds(target[train], SEED + split)[int(rows)])


# Its files


def test_the_record_is_small_and_packed():
    files = [path for path in RESULTS.rglob("*") if path.is_file() and SCRATCH not in path.name]
    assert sum(path.stat().st_size for path in files) <= 40e6
    kinds = {f"{kind}/{name}.parquet" for kind in KEYS for name in DATASETS} | {ENVIRONMENT}
    assert {path.relative_to(RESULTS).as_posix().partition("/")[2] for path in files} <= kinds


# What is there


@pytest.mark.slow
@pytest.mark.parametrize("protocol", [name for name in PROTOCOLS if name not in MANY])
@pytest.mark.parametrize("dataset", TABLE_2)
def test_a_data_set_has_all_cells_of_a_protocol(record, dataset, protocol):
    assert missing(record, cells([dataset], METHODS, {protocol: PROTOCOLS[protocol]})) == []


def test_of_many_sets_every_split_that_is_there_is_whole(record):
    wanted = cells(WIDE, METHODS, {name: PROTOCOLS[name] for name in MANY})
    lacking = {(cell.dataset, cell.split) for cell in missing(record, wanted)}
    here = record.fits[record.fits["method"] == "RF weighted"]
    there = {(str(name), int(split)) for name, split in here[["dataset", "split"]].to_numpy()}
    assert not there & lacking
    assert len({name for name, _ in there}) > 40


@pytest.mark.parametrize("dataset", TABLE_2)
def test_the_papers_protocol_is_recorded_for_another_processor_too(other, dataset):
    assert missing(other, cells([dataset], TABLE_3, {"paper": PROTOCOLS["paper"]})) == []


@pytest.mark.parametrize("dataset", TABLE_2)
@pytest.mark.parametrize("name", PAST)
def test_the_ensembles_of_2019_are_recorded_on_every_split(record, place, dataset, name):
    found = [place[Fit(dataset, name, "{}", split)] for split in range(N_SPLITS)]
    assert (record.fits.loc[found, "failed"] == "").all()


# A row is stale if the modules that compute it (comments and docstrings apart), the parameters of
# its method or its data are not those that it was made with, by the digests in it. Its numbers may
# be the same all the same, but nobody has seen it: remove the rows and run again what is missing.
# The rows of another environment that do not count where they stand beside others are asked alone.
def test_no_row_was_made_by_other_code_or_data(record):
    assert stale(record) == []
    for name in record.environments:
        assert stale(Record(RESULTS, name, alone=True)) == []


def test_a_failed_row_says_why_and_every_other_has_predictions(record):
    for k, failed in record.fits["failed"].items():
        found = record.predictions(k)
        assert all(np.isfinite(part).all() for part in found)
        assert [part.size > 0 for part in found] == [not failed] * 2
        assert not failed or re.match(r"(ValueError|RuntimeError): .", failed)
    networks = record.fits["method"].isin(NETWORKS) & (record.fits["failed"] == "")
    assert record.fits.loc[networks, ["lam", "grad_norm"]].notna().all(axis=None)


def test_a_failed_search_says_why_and_every_other_has_scores(record):
    failed = record.searches["failed"] != ""
    scores = record.searches[[*SEARCHED, *MOVED.values()]]
    assert scores[failed].isna().all(axis=None)
    assert scores[~failed].notna().all(axis=None)
    assert record.searches.loc[failed, "failed"].str.match(r"(ValueError|RuntimeError): .").all()


@pytest.mark.parametrize("name", TABLE_2)
def test_a_fit_has_a_logit_for_each_row_that_it_was_applied_to(record, name):
    data, parts = load(name)
    done = record.fits.query("dataset == @name and failed == '' and seed == @SEED")
    assert len(done) > 0
    for (split, rows), some in done.groupby(["split", "rows"]):
        _, applied = rows_of(data.target, *parts[split], split, rows)
        n = [(data.target[applied] == label).sum() for label in (1, 0)]
        assert all([part.size for part in record.predictions(k)] == n for k in some.index)


# One fit, one answer


def test_a_fit_is_in_the_record_once(record):
    for kind, rows in (("fits", record.fits), ("searches", record.searches)):
        assert not rows.duplicated(["dataset", *KEYS[kind]]).any()


@pytest.mark.slow
def test_cells_that_ask_for_the_same_fit_are_shown_the_same_row(record, named):
    found = shown(record, EVERY)
    table = pd.DataFrame(
        [(*named[cell], place, cell.protocol) for cell, place in found.items()],
        columns=[*Fit._fields, "place", "protocol"],
    )
    columns = [*Fit._fields]
    assert len(table[[*columns, "place"]].drop_duplicates()) == table["place"].nunique()
    assert len(table[columns].drop_duplicates()) == table["place"].nunique()
    rows = record.fits.loc[table["place"], columns].reset_index(drop=True)
    assert (rows == table[columns]).all(axis=None)
    # It does happen: protocols that tune by F1 on split 0 share what they show of it.
    assert (table.groupby("place")["protocol"].nunique() > 2).sum() > len(TABLE_2)


READERS = [job for job in plan.plan(ROOT, "quick") if "results" in job.parameters]
# Which find a row by the fit's name.
VIEWS = {"shown", "score_cells", "figure_1", "score_past", "by_fold", "places", "compared"}
VIEWS |= {"score_sets", "slopes", "quotients", "promises", "steps", "audits"}


def code_of(job):
    """Read the code of a chapter."""
    cells = jupytext.read(job.source).cells
    return ast.parse("\n".join(cell.source for cell in cells if cell.cell_type == "code"))


@pytest.mark.parametrize("job", READERS, ids=lambda job: job.source.stem)
def test_a_chapter_reads_the_record_through_its_views_alone(job):
    tree = code_of(job)
    imported = {
        node.module: {alias.name for alias in node.names}
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    }
    assert "Record" in imported.get("crcen.study.record", ())
    homes = ("tables", "comparison", "hundred", "at_scale", "audits")
    views = VIEWS & set().union(*(imported.get(f"crcen.study.{home}", set()) for home in homes))
    assert views
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    if any(isinstance(c.func, ast.Attribute) and c.func.attr == "predictions" for c in calls):
        assert views & {"shown", "places"}  # which alone give a place to look at
    # The folder is given to the record and to nothing else.
    opened = [c.args[0] for c in calls if isinstance(c.func, ast.Name) and c.func.id == "Record"]
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    assert opened
    assert {n for n in names if n.id == "results" and isinstance(n.ctx, ast.Load)} == {*opened}


def test_chapters_read_one_record_of_one_seed():
    assert len(READERS) > 1
    for job in READERS:
        assert (job.source.parent / job.parameters["results"]).resolve() == RESULTS
        assert job.parameters.get("record_seed", job.parameters.get("seed")) == SEED


# The weights that have a name


def answer(found, wish):
    """Choose the weight, or say why there is none."""
    name, value = wish
    try:
        return choose_lam(found.logits, found.labels, **{name: value}).lam
    except FAILURES as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.slow
@pytest.mark.parametrize("dataset", TABLE_2)
@pytest.mark.parametrize("wish", WISHES, ids=lambda wish: f"{wish[0]}-{wish[1]:g}")
def test_a_recorded_weight_is_the_answer_of_the_recorded_logits(
    record, named, place, dataset, wish
):
    name, value = wish
    for split in range(PROTOCOLS["wished"].n_splits):
        weight = f"{name} {value:g}"
        asked = named[Cell("wished", "log_loss", dataset, "CRCEN", split, weight)]
        row = record.fits.loc[place[asked]]
        plain = named[Cell("plain", "log_loss", dataset, "MLP", split)]
        found = together(by_fold(record, plain))
        again = answer(found, wish)
        if isinstance(again, str):
            assert row["failed"] == again
        else:  # rounds differently on other processors
            assert row["lam"] == pytest.approx(again, rel=1e-9)


@pytest.mark.parametrize("name", TABLE_2)
def test_a_recorded_weight_of_an_alpha_is_that_of_the_training_rows(record, named, place, name):
    data, parts = load(name)
    for cell, asked in named.items():
        if cell.protocol == "lambda" and cell.dataset == name and asked is not None:
            ratio = imbalance_ratio(data.target[parts[cell.split][0]])
            alpha = 1 / ratio if cell.weight == "plain" else float(cell.weight.split()[1])
            lam = record.fits.loc[place[asked], "lam"]
            assert lam == pytest.approx(lam_from_alpha(alpha, ratio), rel=1e-12)


# Does it come out again


def recompute(record, row):
    """Make a fit again, with its recorded weight if that has a name."""
    recorded = record.fits.loc[row]
    data, parts = load(recorded["dataset"])
    assert recorded["data"] == data.sha256[:12]
    params, split = json.loads(recorded["params"]), int(recorded["split"])
    params |= {"lam": recorded["lam"]} if "lam" in params else {}
    rows = rows_of(data.target, *parts[split], split, recorded["rows"])
    method, seed = METHODS[recorded["method"]], SEED + split
    return fit(method, params, data.data, data.target, *rows, seed=seed).predictions


def decided_otherwise(record, row):
    """Tell the share of the rows, at least, on which a fit decides otherwise now."""
    now, then = recompute(record, row).counts, record.predictions(row).counts
    return rows_apart(now, then) / sum(then)


def rows_apart(now, then):
    """Count the rows, at least, on which two fits decide otherwise."""
    return abs(now.fp - then.fp) + abs(now.fn - then.fn)


# The networks' path to a minimum depends on the last digit of a matrix product. On these two sets
# no cell of these methods differs by more than 1.2 % of its test rows with other kernels. A forest
# can only differ where the last digit of the scaled columns moves a row past a split.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "tolerance"), [("CRCEN", 0.025), ("CSMLP", 0.025), ("SMOTE", 0.025), ("BRF", 0.005)]
)
@pytest.mark.parametrize("name", ["abalone", "us_crime"])
@pytest.mark.parametrize("split", [1, 17])
def test_a_sample_of_fits_comes_out_again(record, named, place, name, method, tolerance, split):
    protocol = "repeated" if METHODS[method].grid else "paper"
    row = place[named[Cell(protocol, "gmean", name, method, split)]]
    assert decided_otherwise(record, row) <= tolerance


# A weight of 1/2 makes it the plain MLP, which has flat minima on this set: with other kernels it
# differs by up to 3.9 % of the test rows.
@pytest.mark.slow
@pytest.mark.parametrize("weight", PROTOCOLS["lambda"].weights)
def test_a_sample_of_figure_1_comes_out_again(record, named, place, weight):
    row = place[named[Cell("lambda", "f1", "abalone", "CRCEN", 0, weight)]]
    assert decided_otherwise(record, row) <= (0.05 if weight == "plain" else 0.025)


@pytest.mark.slow
@pytest.mark.parametrize("rows", APPLIED)
def test_a_sample_of_the_held_out_logits_comes_out_again(record, named, place, rows):
    asked = named[Cell("plain", "log_loss", "us_crime", "MLP", 3)]
    row = place[asked._replace(rows=rows)]
    now, then = recompute(record, row), record.predictions(row)
    again, before = (roc_auc_score(found.labels, found.logits) for found in (now, then))
    assert again == pytest.approx(before, abs=0.02)


# Nobody chooses these, and each run has others, whatever its seed: what differs is named. Where
# versions and kernels are those that made a row, it comes out to the last thousandth. With other
# kernels a network may end elsewhere, in a flat minimum on 3.9 % of the rows (see above), and of
# fifty test rows one is 2 %: so 5 %, or two rows. All methods have as much, since a tree that
# splits elsewhere, or a sampler with another neighbour, changes all that is fitted after it.
DRAWN = 3
FEW = 50_000  # numbers in a data set, of which a fit takes a second or two


@pytest.mark.slow
def test_fits_of_many_sets_drawn_at_random_come_out_again(record):
    sizes = {name: of.n_samples * of.n_features for name, of in DATASETS.items()}
    at_hand = [name for name, size in sizes.items() if size < FEW and locate_dataset(name)]
    wanted = cells(at_hand, HUNDRED, {"hundred": PROTOCOLS["hundred"]})
    fits = record.fits.loc[sorted({*shown(record, wanted, SEED).values()})]
    drawn = fits[fits["failed"] == ""].index.tolist()
    if not drawn:
        pytest.skip("nothing is recorded of the small sets that are at hand")
    for row in random.SystemRandom().sample(drawn, min(DRAWN, len(drawn))):
        with threadpool_limits(1):
            now, then = recompute(record, row), record.predictions(row)
        about = record.fits.loc[row, ["environment", *Fit._fields]].to_dict()
        if about["environment"] == here():
            for again, before in zip(now, then, strict=True):
                assert thousandths(again) == np.rint(1000 * before).astype(int).tolist(), about
        else:
            n = now.labels.size
            assert rows_apart(now.counts, then.counts) <= max(2, 0.05 * n), about
