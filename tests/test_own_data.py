import gzip
import re

import numpy as np
import pandas as pd
import pytest
from own_data import read_table

from crcen import reading


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
def test_a_table_is_read_as_a_data_set(frame, tmp_path, name):
    read = read_table(write(frame, tmp_path, name), "outcome", "ill", drop=["id"])
    np.testing.assert_array_equal(read.data, frame[["age", "income", "smokes"]].astype(float))
    assert read.data.dtype == np.float64
    np.testing.assert_array_equal(read.target, [1] * 30 + [0] * 70)
    assert read.feature_names == ["age", "income", "smokes"]
    assert (read.name, read.labels) == (name, ("well", "ill"))


@pytest.mark.parametrize(
    ("labels", "positive"),
    [((1, 0), "1"), ((1, 0), 1), ((1.0, 0.0), 1), ((True, False), "True"), ((1.5, 0), "1.5")],
)
def test_a_label_is_compared_as_text(frame, tmp_path, labels, positive):
    frame["outcome"] = [labels[0]] * 30 + [labels[1]] * 70
    assert read_table(write(frame, tmp_path), "outcome", positive, drop=["id"]).target.sum() == 30


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
    np.testing.assert_allclose(read.data, frame[["age", "income", "smokes"]].to_numpy(float))


def test_a_column_to_drop_that_is_not_there(frame, tmp_path):
    refused(frame, tmp_path, r"drop='ident' is not a column: choose one of 'id'", drop=["ident"])


def test_an_unknown_label_names_those_present(frame, tmp_path):
    refused(
        frame, tmp_path, r"positive='sick'.*'well' \(70 rows\), 'ill' \(30 rows\)", positive="sick"
    )


def test_of_more_than_two_labels_one_stands_against_the_rest(frame, tmp_path):
    frame.loc[90:, "outcome"] = "unknown"
    read = read_table(write(frame, tmp_path), "outcome", "ill", drop=["id"])
    assert read.target.sum() == 30
    assert read.labels == ("well or unknown", "ill")


def test_one_label_only(frame, tmp_path):
    frame["outcome"] = "ill"
    refused(frame, tmp_path, r"target='outcome' has one label, 'ill' .100 rows.: add")


def test_the_majority_as_minority(frame, tmp_path):
    refused(
        frame, tmp_path, r"positive='well' is the majority.*give positive='ill'", positive="well"
    )


@pytest.mark.parametrize(("n", "accepted"), [(19, False), (20, True)])
def test_too_few_minority_rows(frame, tmp_path, n, accepted):
    few = frame.drop(range(30 - n))
    if accepted:
        assert read_table(write(few, tmp_path), "outcome", "ill", drop=["id"]).target.sum() == n
    else:
        refused(few, tmp_path, r"positive='ill' has 19 rows, fewer than min_minority=20: a quarter")


def test_a_row_without_a_label(frame, tmp_path):
    frame.loc[3, "outcome"] = None
    refused(frame, tmp_path, r"target='outcome' has no label in 1 rows: drop them")


def test_columns_that_are_not_numbers(frame, tmp_path):
    refused(frame, tmp_path, r"columns 'id' are not numbers: encode.*get_dummies\(", drop=())
    encoded = pd.get_dummies(frame, columns=["id"], dtype=float)  # the advice works
    assert read_table(write(encoded, tmp_path), "outcome", "ill").data.shape == (100, 103)


@pytest.mark.parametrize("gap", [np.nan, np.inf])
def test_columns_with_gaps(frame, tmp_path, gap):
    frame.loc[5, "income"] = gap
    refused(frame, tmp_path, "columns 'income' have missing or infinite values: fill them")


def test_constant_columns(frame, tmp_path):
    frame["country"], frame["year"] = 1, 2026
    message = re.escape("columns 'country', 'year' are constant")
    refused(frame, tmp_path, message + r".*drop=\['country', 'year'\]")


def test_no_column_left(frame, tmp_path):
    drop = ["id", "age", "income", "smokes"]
    refused(frame, tmp_path, "drop leaves no column besides the target", drop=drop)


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
    values = {("x", "1"): np.arange(80.0), ("y", ""): ["yes"] * 25 + ["no"] * 55}
    pd.DataFrame(values, columns=columns).to_parquet(file)
    assert read_table(file, "('y', '')", "yes").feature_names == ["('x', '1')"]


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
        ({"min_minority": "a"}, "min_minority='a' must be an integer of 1 or more"),
        ({"min_minority": None}, "min_minority=None must be an integer of 1 or more"),
    ],
)
def test_an_argument_of_the_wrong_kind_is_named(tmp_path, given, message):
    file = tmp_path / "table.csv"
    pd.DataFrame({"a": np.arange(80.0), "y": ["yes"] * 25 + ["no"] * 55}).to_csv(file, index=False)
    with pytest.raises(ValueError, match=message):
        read_table(**({"path": file, "target": "y", "positive": "yes"} | given))
