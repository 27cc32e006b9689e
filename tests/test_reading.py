"""Tests of crcen.reading: a table is read as it is, and a label is what stands there."""

import numpy as np
import pandas as pd
import pytest
from conftest import SEED
from hypothesis import given
from hypothesis import strategies as st

from crcen.reading import read_frame, read_labels

FRAME = pd.DataFrame(
    {"amount": [1.5, -2.25, np.nan, 4.0], "text": ["a, b", "c;d", None, "é"], "y": ["NA", "EU"] * 2}
)
WRITERS = {
    "t.csv": lambda to: FRAME.to_csv(to, index=False),
    "t.csv.gz": lambda to: FRAME.to_csv(to, index=False),
    "t.CSV": lambda to: FRAME.to_csv(to, index=False, sep=";", decimal=","),
    "t.txt": lambda to: FRAME.to_csv(to, index=False, sep="|"),
    "t.tsv": lambda to: FRAME.to_csv(to, index=False, sep="\t", decimal=","),
    "excel.csv": lambda to: FRAME.to_csv(to, index=False, sep=";", encoding="cp1252"),
    "marked.csv": lambda to: FRAME.to_csv(to, index=False, encoding="utf-8-sig"),
    "uci.csv": lambda to: FRAME.to_csv(to, index=False, na_rep="?"),
    "t.parquet": lambda to: FRAME.to_parquet(to),
    "t.pq": lambda to: FRAME.to_parquet(to),
    "t.feather": lambda to: FRAME.to_feather(to),
    "t.orc": lambda to: FRAME.to_orc(to),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_table_is_read_as_it_is(name, tmp_path):
    WRITERS[name](tmp_path / name)
    found = read_frame(tmp_path / name, "y")
    pd.testing.assert_frame_equal(found, FRAME, check_dtype=False)
    assert found["amount"].dtype == float


@given(
    st.lists(st.floats(-1e6, 1e6).map(lambda v: round(v, 3)), min_size=2, max_size=30),
    st.sampled_from([",", ";", "\t", "|"]),
    st.booleans(),
)
def test_numbers_come_back_whatever_divides_them(values, separator, comma):
    import tempfile
    from pathlib import Path

    decimal = "," if comma and separator != "," else "."
    frame = pd.DataFrame({"x": values, "z": values[::-1], "y": 1})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        frame.to_csv(path, sep=separator, decimal=decimal, index=False)
        found = read_frame(path, "y")
    np.testing.assert_allclose(found[["x", "z"]], frame[["x", "z"]])


def test_a_table_of_one_column_is_one(tmp_path):
    (tmp_path / "t.csv").write_text("y\n1\n0\n")
    assert read_frame(tmp_path / "t.csv", "y").columns.tolist() == ["y"]


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"x,y\n\x00\x01,2\n")
    with pytest.raises(ValueError, match="cannot be read as csv: it is no text"):
        read_frame(tmp_path / "t.csv", "y")


@pytest.mark.parametrize(
    ("column", "positive", "y", "labels"),
    [
        (["good", "bad", "good"], None, [0, 1, 0], ("good", "bad")),
        ([" yes", "no", "no "], None, [1, 0, 0], ("no", "yes")),
        ([0, 1, 1], None, [1, 0, 0], ("1", "0")),
        ([0, 1, 1], 1, [0, 1, 1], ("0", "1")),
        ([0.0, 1.0, 1.0], "1", [0, 1, 1], ("0", "1")),
        (["0", "1.0", "1"], "1", [0, 1, 1], ("0", "1")),
        ([True, False, False], None, [1, 0, 0], ("False", "True")),
        (["a", "b", "c"], "c", [0, 0, 1], ("a or b", "c")),
        (list("abcdef"), "c", [0, 0, 1, 0, 0, 0], ("any of 5 others", "c")),
        (["a", "b"], "a", [1, 0], ("b", "a")),
        (pd.Categorical(["x", "y", "y"]), None, [1, 0, 0], ("y", "x")),
    ],
)
def test_the_rarer_label_is_found_unless_one_is_named(column, positive, y, labels):
    found, names = read_labels(pd.Series(column), "t", positive)
    assert found.tolist() == y
    assert names == labels


@pytest.mark.parametrize(
    ("column", "positive", "message"),
    [
        (["a", "a"], None, "has one label, 'a' .2 rows."),
        (["a", "b", "c"], None, "name the label that is to be found"),
        (["a", "b"], None, "name the label that is to be found"),
        (["a", "b"], "c", "positive='c' is not a label in column 't': choose one of 'a'"),
        (["a", "b", None], None, "no label in 1 rows"),
        (["a", "b", " "], None, "no label in 1 rows"),
    ],
)
def test_labels_that_leave_it_open_are_named(column, positive, message):
    with pytest.raises(ValueError, match=message):
        read_labels(pd.Series(column), "t", positive)


def test_no_label_is_lost_or_turned(tmp_path):
    rng = np.random.default_rng(SEED)
    words = np.array(["NA", "null", "None", "", "x"])[:, None]
    y = rng.choice(words[[0, 1, 2, 4], 0], 50)
    pd.DataFrame({"x": 1, "y": y}).to_csv(tmp_path / "t.csv", index=False)
    assert read_frame(tmp_path / "t.csv", "y")["y"].tolist() == y.tolist()
