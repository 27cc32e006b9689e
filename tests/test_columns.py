"""Tests of crcen.own.columns: a column is what a person would call it."""

import numpy as np
import pandas as pd
import pytest
from conftest import SEED
from crcen.own.columns import as_numbers, understand
from hypothesis import given
from hypothesis import strategies as st

N = 60
Y = (np.arange(N) % 3 == 0).astype(int)
RNG = np.random.default_rng(SEED)
COLUMNS = {
    "number": RNG.normal(size=N),
    "whole": RNG.integers(0, 9, N),
    "with gaps": np.where(np.arange(N) % 7, RNG.normal(size=N), np.nan),
    "infinite": np.where(np.arange(N) % 7, RNG.normal(size=N), np.inf),
    "amount": [f"{v:,.2f}" for v in RNG.uniform(1, 1e6, N)],
    "betrag": [f"{v:.2f}".replace(".", ",") for v in RNG.uniform(1, 100, N)],
    "share": [f"{v:.0f}%" for v in RNG.uniform(1, 100, N)],
    "flag": RNG.random(N) < 0.5,
    "flag with gap": [None, *(RNG.random(N - 1) < 0.5)],
    "day": pd.date_range("2024-01-01", periods=N).astype(str)[RNG.permutation(N)],
    "moment": pd.date_range("2024-01-01", periods=N)[RNG.permutation(N)],
    "colour": RNG.choice(["red", "green", "blue"], N),
    "sentence": [f"row {k} has words" for k in RNG.permutation(N)],
    "code": [f"A{k}" for k in RNG.permutation(N)],
    "Unnamed: 0": np.arange(N),
    "customer_id": RNG.permutation(10 * N)[:N],
    "one": 1,
    "none": np.nan,
}
KINDS = {
    **dict.fromkeys(["number", "whole", "with gaps", "infinite", "amount", "betrag"], "number"),
    "share": "number",
    **dict.fromkeys(["flag", "flag with gap"], "boolean"),
    **dict.fromkeys(["day", "moment"], "date"),
    "colour": "category",
    "sentence": "text",
    **dict.fromkeys(["code", "Unnamed: 0", "customer_id"], "identifier"),
    "one": "constant",
    "none": "empty",
}


def test_each_kind_is_told():
    X, columns = understand(pd.DataFrame(COLUMNS), Y)
    assert {c.name: c.kind for c in columns} == KINDS
    assert list(X) == [c.name for c in columns if c.used]
    assert X["infinite"].isna().sum() == N - np.count_nonzero(np.arange(N) % 7)
    assert X["flag with gap"].isna().sum() == 1


@given(
    st.lists(st.integers(-(10**9), 10**9).map(lambda k: k / 100), min_size=1, max_size=20),
    st.sampled_from(["{:,.2f}", "{:.2f}", "{:,.2f} €", "$ {:,.2f}"]),
    st.booleans(),
)
def test_numbers_that_were_written_are_read(values, form, comma):
    texts = [form.format(v) for v in values]
    if comma:
        texts = [t.translate(str.maketrans(",.", ".,")) for t in texts]
    found = as_numbers(pd.Series(texts))
    np.testing.assert_allclose(found, values)


def test_a_column_that_is_the_target_is_told():
    frame = pd.DataFrame({"x": RNG.normal(size=N), "paid": np.where(Y, "no", "yes"), "z": -Y})
    _, columns = understand(frame, Y)
    told = [c.name for c in columns if "all by itself" in c.note]
    assert told == ["paid", "z"]


def test_a_table_without_a_column_to_learn_from_is_refused():
    with pytest.raises(ValueError, match="no column to learn from: 'a' is constant, 'b' is ident"):
        understand(pd.DataFrame({"a": 1, "b": [f"k{k}" for k in range(N)]}), Y)
