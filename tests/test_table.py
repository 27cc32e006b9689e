"""Tests of crcen.own.table: a table is read whole, or refused in a sentence that helps."""

import gzip

import numpy as np
import pandas as pd
import pytest

from crcen import reading
from crcen.own.table import read_table


@pytest.fixture
def frame(seed):
    """A table that can be used: 30 of 100 rows are the minority."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": [f"case {k}" for k in range(100)],
            "age": rng.integers(20, 80, 100),
            "income": rng.normal(size=100),
            "smokes": rng.random(100) < 0.3,
            "outcome": ["ill"] * 30 + ["well"] * 70,
        }
    )


def write(frame, folder, name="mine.csv"):
    path = folder / name
    frame.to_parquet(path) if name.endswith(".parquet") else frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("name", ["mine.csv", "mine.CSV", "mine.csv.gz", "mine.parquet"])
def test_a_table_is_read(frame, tmp_path, name):
    read = read_table(write(frame, tmp_path, name), "outcome", "ill", drop=["id"])
    np.testing.assert_array_equal(read.X, frame[["age", "income", "smokes"]].astype(float))
    np.testing.assert_array_equal(read.y, [1] * 30 + [0] * 70)
    assert [(c.name, c.kind) for c in read.columns] == [
        ("age", "number"),
        ("income", "number"),
        ("smokes", "boolean"),
    ]
    assert (read.name, read.labels, read.target) == (name, ("well", "ill"), "outcome")


@pytest.mark.parametrize(
    ("labels", "positive"),
    [((1, 0), "1"), ((1, 0), 1), ((1.0, 0.0), 1), ((True, False), "True"), ((1.5, 0), "1.5")],
)
def test_a_label_is_compared_as_text(frame, tmp_path, labels, positive):
    frame["outcome"] = [labels[0]] * 30 + [labels[1]] * 70
    assert read_table(write(frame, tmp_path), "outcome", positive, drop=["id"]).y.sum() == 30


def refused(frame, folder, message, target="outcome", positive="ill", drop=("id",), **options):
    with pytest.raises(ValueError, match=message):
        read_table(write(frame, folder), target, positive, drop=drop, **options)


def test_a_missing_file(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"path='.*none.csv' is not a file, seen from .*: give"
    ):
        read_table(tmp_path / "none.csv", "outcome", "ill")


def test_an_unknown_ending(tmp_path):
    path = tmp_path / "mine.xlsx"
    path.write_text("")
    with pytest.raises(ValueError, match=r"path='.*xlsx' must end in .csv, .csv.gz, .tsv"):
        read_table(path, "outcome", "ill")


@pytest.mark.parametrize("name", ["empty.csv", "torn.parquet", "torn.csv.gz", "bytes.csv"])
def test_an_unreadable_file(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"" if name == "empty.csv" else b"\xff\xfe\x00torn")
    with pytest.raises(ValueError, match=r"path='.*' cannot be read as .* Save the table anew"):
        read_table(path, "outcome", "ill")


def test_parquet_without_pyarrow(frame, tmp_path, monkeypatch):
    path = write(frame, tmp_path, "mine.parquet")

    def read(path, target):
        raise ImportError("no pyarrow")

    monkeypatch.setitem(reading.READERS, ".parquet", read)
    with pytest.raises(ImportError, match=r"needs pyarrow: pip install pyarrow, or save"):
        read_table(path, "outcome", "ill")


def test_a_missing_target_names_the_nearest(frame, tmp_path):
    refused(frame, tmp_path, r"target='outcom' is not a column: choose one of 'outcome'", "outcom")


@pytest.mark.parametrize(
    ("separator", "decimal"), [(";", "."), (";", ","), ("\t", ","), ("|", ".")]
)
def test_another_separator_and_decimal_sign_are_found_out(frame, tmp_path, separator, decimal):
    path = tmp_path / "mine.csv"
    frame["age"] += 0.5
    frame.to_csv(path, sep=separator, decimal=decimal, index=False)
    read = read_table(path, "outcome", "ill", drop=["id"])
    np.testing.assert_allclose(read.X, frame[["age", "income", "smokes"]].to_numpy(float))


def test_a_column_to_drop_that_is_not_there(frame, tmp_path):
    refused(frame, tmp_path, r"drop='ident' is not a column: choose one of 'id'", drop=["ident"])


def test_an_unknown_label_names_those_present(frame, tmp_path):
    refused(
        frame, tmp_path, r"positive='sick'.*'well' \(70 rows\), 'ill' \(30 rows\)", positive="sick"
    )


def test_of_more_than_two_labels_one_stands_against_the_rest(frame, tmp_path):
    frame.loc[90:, "outcome"] = "unknown"
    read = read_table(write(frame, tmp_path), "outcome", "ill", drop=["id"])
    assert read.y.sum() == 30
    assert read.labels == ("well or unknown", "ill")


def test_one_label_only(frame, tmp_path):
    frame["outcome"] = "ill"
    refused(frame, tmp_path, r"target='outcome' has one label, 'ill' .100 rows.: add")


def test_the_frequent_label_may_be_the_one_to_be_found(frame, tmp_path):
    read = read_table(write(frame, tmp_path), "outcome", "well", drop=["id"])
    assert (read.y.sum(), read.labels) == (70, ("ill", "well"))


@pytest.mark.parametrize(("n", "accepted"), [(19, False), (20, True)])
def test_too_few_rows_of_a_class(frame, tmp_path, n, accepted):
    few = frame.drop(range(30 - n))
    if accepted:
        assert read_table(write(few, tmp_path), "outcome", drop=["id"]).y.sum() == n
    else:
        refused(few, tmp_path, r"target='outcome' has 19 rows of 'ill', fewer than fewest=20: what")


def test_rows_without_a_label_are_left_out(frame, tmp_path):
    frame.loc[[3, 50], "outcome"] = [None, " "]
    read = read_table(write(frame, tmp_path), "outcome", drop=["id"])
    assert (read.without, read.y.sum(), read.y.size, len(read.X)) == (2, 29, 98, 98)


def test_no_column_left(frame, tmp_path):
    drop = ["id", "age", "income", "smokes"]
    refused(frame, tmp_path, "the table has no column to learn from: none is left", drop=drop)


def test_a_table_without_rows(frame, tmp_path):
    refused(frame.iloc[:0], tmp_path, "target='outcome' has no labels: the table needs rows")


def test_rows_that_are_as_others_are_counted(frame, tmp_path):
    twice = pd.concat([frame, frame.iloc[:40]])
    assert read_table(write(twice, tmp_path), "outcome", drop=["id"]).copies == 40


def test_a_target_of_numbers_is_cut_and_its_gaps_left_out(frame, tmp_path):
    frame["cost"] = [f"{k},000" for k in range(1, 100)] + ["NA"]
    read = read_table(write(frame, tmp_path), "cost", above=70_000, drop=["id"])
    assert (read.without, read.y.sum(), read.y.size) == (1, 29, 99)
    assert read.labels == ("cost at most 70000", "cost above 70000")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"target": "income"},
            r"'income' holds 100 different numbers: .*above=, .*positive=",
        ),
        ({"target": "income", "above": np.nan}, "above=nan must be finite"),
        ({"above": 3}, r"above=3.0 takes a target of numbers, and 'outcome' is none.*positive="),
        ({"above": "much"}, "above='much' must be"),
        ({"above": 3, "positive": "ill"}, "above=3 and positive='ill' both name class 1"),
        ({"target": "age", "above": 100}, "'age' has 0 rows of 'age above 100', fewer than"),
        ({"groups": "outcome"}, "groups='outcome' is the target: name another column"),
        ({"groups": "smokes"}, "groups='smokes' has 2 groups, fewer than ten"),
        ({"time": "smokes"}, "time='smokes' has 2 different times, fewer than six"),
        ({"time": "id"}, "time='id' must hold a date or a number in every row"),
        ({"weights": "income"}, "weights='income' must hold a positive number in every row"),
    ],
)
def test_what_cannot_be_done_is_said(frame, tmp_path, options, message):
    refused(frame, tmp_path, message, **{"positive": None, "drop": ()} | options)


def test_the_columns_with_a_role_are_not_learnt_from(frame, tmp_path):
    days = [f"{k % 28 + 1:02d}.{k % 12 + 1:02d}.2024" for k in range(100)]
    frame = frame.assign(
        day=days, of=[None, None, *(k // 4 for k in range(98))], counts=["1,5", "0,5"] * 50
    )
    roles = {"groups": "of", "time": "day", "weights": "counts"}
    read = read_table(write(frame, tmp_path), "outcome", drop=["id"], **roles)
    assert list(read.X) == ["age", "income", "smokes"]
    assert np.unique(read.groups).size == 27  # a row of no group is one by itself
    np.testing.assert_array_equal(read.times, pd.to_datetime(days, format="%d.%m.%Y"))
    np.testing.assert_allclose(read.weights, [1.5, 0.5] * 50)


# What a tester found: each ended in an error that said nothing of the table


def damaged(content, rng):
    """A compressed file with some bytes changed after its head, as a bad disk leaves it."""
    packed = bytearray(gzip.compress(content))
    for place in rng.integers(12, len(packed) - 8, size=4):
        packed[place] ^= int(rng.integers(1, 256))
    return bytes(packed)


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_archive_is_refused_or_read_whole(tmp_path, seed):
    frame = pd.DataFrame({"a": np.arange(80.0) % 7, "y": ["yes"] * 25 + ["no"] * 55})
    file = tmp_path / "table.csv.gz"
    file.write_bytes(damaged(frame.to_csv(index=False).encode(), np.random.default_rng(seed)))
    with pytest.raises(ValueError, match=r"^path='.*table.csv.gz' cannot be read as csv.gz: "):
        read_table(file, "y", "yes")


# pyarrow raises a TypeError where the metadata names a type that there is not.
def test_a_parquet_file_of_unknown_types_is_refused(tmp_path, monkeypatch):
    def read(file, target):
        raise TypeError("data type 'inv64' not understood")

    monkeypatch.setitem(reading.READERS, ".parquet", read)
    file = tmp_path / "table.parquet"
    file.touch()
    with pytest.raises(ValueError, match=r"cannot be read as parquet: .* Save the table anew"):
        read_table(file, "y", "yes")


def test_columns_of_two_levels_have_the_names_that_they_show(tmp_path):
    file = tmp_path / "table.parquet"
    columns = pd.MultiIndex.from_tuples([("x", "1"), ("y", "")])
    values = {("x", "1"): np.sqrt(np.arange(80)), ("y", ""): ["yes"] * 25 + ["no"] * 55}
    pd.DataFrame(values, columns=columns).to_parquet(file)
    assert list(read_table(file, "('y', '')", "yes").X) == ["('x', '1')"]


def test_a_name_that_is_twice_there_is_refused(tmp_path, monkeypatch):
    frame = pd.DataFrame([[1.0, 2.0, "yes"]], columns=["a", "a", "y"])
    monkeypatch.setitem(reading.READERS, ".csv", lambda file, target: frame)
    file = tmp_path / "table.csv"
    file.touch()
    with pytest.raises(ValueError, match="columns 'a' are there more than once"):
        read_table(file, "y", "yes")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"path": None}, "path=None must be text or a path"),
        ({"target": None}, "target='None' is not a column"),
        ({"target": 3}, "target='3' is not a column"),
        ({"drop": None}, r"drop=None must be a list of columns: give \(\) to keep all"),
        ({"drop": 5}, "drop=5 must be a list of columns"),
        ({"drop": [None]}, "drop='None' is not a column"),
        ({"drop": "ab"}, "drop='ab' is not a column"),
        ({"fewest": "a"}, "fewest='a' must be an integer of 1 or more"),
        ({"fewest": None}, "fewest=None must be an integer of 1 or more"),
    ],
)
def test_an_argument_of_the_wrong_kind_is_named(tmp_path, given, message):
    file = tmp_path / "table.csv"
    pd.DataFrame({"a": np.sqrt(np.arange(80)), "y": ["yes"] * 25 + ["no"] * 55}).to_csv(
        file, index=False
    )
    with pytest.raises(ValueError, match=message):
        read_table(**({"path": file, "target": "y", "positive": "yes"} | given))


# Text as spreadsheets write it


def saved(frame, how):
    """A table as spreadsheets save one: its bytes."""
    text = frame.to_csv(index=False, sep=";", decimal=",")
    return {
        "sep=": b"\xef\xbb\xbf" + ("sep=;\r\n" + text.replace("\n", "\r\n")).encode(),
        "UTF-16": text.encode("utf-16"),
        "UTF-16, other order": b"\xfe\xff" + ("sep=;\n" + text).encode("utf-16-be"),
        "Windows": text.encode("cp1252"),
        "old Mac": text.replace("\n", "\r").encode(),
        "tabs": frame.to_csv(index=False, sep="\t", decimal=",").encode("utf-16"),
    }[how]


@pytest.mark.parametrize(
    "how", ["sep=", "UTF-16", "UTF-16, other order", "Windows", "old Mac", "tabs"]
)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_table_is_read_as_spreadsheets_save_it(frame, tmp_path, how, zipped):
    frame["outcome"] = ["krank"] * 30 + ["gesünd"] * 70
    path = tmp_path / ("mine.csv.gz" if zipped else "mine.csv")
    path.write_bytes(gzip.compress(saved(frame, how)) if zipped else saved(frame, how))
    read = read_table(path, "outcome", drop=["id"])
    np.testing.assert_allclose(read.X, frame[["age", "income", "smokes"]].to_numpy(float))
    assert read.labels == ("gesünd", "krank")


def test_a_letter_that_is_not_unicode_may_come_late(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes(b"a,y\n" + b"0.5,yes\n1.5,yes\n" * 9_000 + "2.5,nö\n".encode("cp1252") * 20)
    assert read_table(path, "y").labels == ("yes", "nö")


def test_more_fields_than_names(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("569,30,bad\n" + "1,2,3,4,5\n" * 9)
    with pytest.raises(ValueError, match=r"rows have more fields than the header has names\. Save"):
        read_table(path, "bad")


def test_names_of_rows_are_a_column(frame, tmp_path):
    frame.index = [f"name{k}" for k in range(100)]
    path = tmp_path / "as R writes it.csv"
    path.write_text(frame.to_csv().removeprefix(","))
    read = read_table(path, "outcome", drop=["id"])
    assert read.columns[0].kind == "identifier"
    frame.index = pd.Index([k // 5 for k in range(100)], name="of")
    frame.to_parquet(tmp_path / "mine.parquet")
    read = read_table(tmp_path / "mine.parquet", "outcome", drop=["id"], groups="of")
    assert np.unique(read.groups).size == 20
