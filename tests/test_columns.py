"""Tests of crcen.own.columns: a column is what a person would call it."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from conftest import SEED
from hypothesis import given
from hypothesis import strategies as st

from crcen.own.columns import as_numbers, as_times, understand

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


def kinds(frame, y=None):
    """Kind and note of each column."""
    return {c.name: (c.kind, c.note) for c in understand(frame, Y if y is None else y)[1]}


DAYS = pd.date_range("2023-01-02", periods=N, freq="31D")
FORMS = {
    "2023-12-31": "%Y-%m-%d",
    "31.12.2023": "%d.%m.%Y",
    "31/12/2023": "%d/%m/%Y",
    "12/31/2023": "%m/%d/%Y",
    "31 Dec 2023": "%d %b %Y",
    "2023-12-31T00:00:00Z": "%Y-%m-%dT%H:%M:%SZ",
    "2023-12-31 00:00:00.0": "%Y-%m-%d %H:%M:%S.%f",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_dates_are_read_in_one_format(form):
    texts = pd.Series([None, *DAYS.strftime(form)])
    found, [column] = understand(pd.DataFrame({"day": texts}), np.append(Y, 1))
    assert (column.kind, column.note) == ("date", "1 gaps")
    assert found["day"].tolist()[1:] == DAYS.tolist()


def test_dates_of_several_zones_are_ordered_as_they_came():
    texts = ["2024-03-31T01:30:00+01:00", "2024-03-31T03:10:00+02:00", "2024-03-31T01:20:00Z"]
    times = as_times(pd.Series(texts))
    assert (times.dt.hour * 60 + times.dt.minute).tolist() == [30, 70, 80]
    zoned = pd.Series(pd.date_range("2024-01-01", periods=3, tz="Europe/Berlin"))
    assert as_times(zoned).dt.hour.tolist() == [23, 23, 23]


def test_dates_that_are_far_off_are_dates():
    texts = np.resize(["9999-12-31", "0001-01-01", "2024-02-29"], N)
    found, [column] = understand(pd.DataFrame({"day": texts}), Y)
    assert (column.kind, found["day"].max().year) == ("date", 9999)


def test_dates_of_several_formats_stay_text():
    texts = np.resize(["2024-01-05", "05/02/2024", "3 Mar 2024"], N)
    found = kinds(pd.DataFrame({"day": texts}), np.repeat([0, 1], N // 2))
    assert found == {"day": ("category", "3 levels")}


def test_years_are_numbers_also_as_text():
    years = pd.Series(np.arange(N) // 3 + 2000)
    expected = {"a": ("number", ""), "b": ("number", "was text")}
    assert kinds(pd.DataFrame({"a": years, "b": years.astype(str)})) == expected


def test_what_is_no_number_for_a_model_is_a_gap():
    big = np.where(np.arange(N) % 3, np.arange(N) / 7, 1e300)
    text = np.where(np.arange(N) % 3, (np.arange(N) / 7).astype(str), "1" + 400 * "0")
    frame = pd.DataFrame({"big": big, "text": text, "inf": np.resize([np.inf, -np.inf], N), "x": Y})
    large = f"{N // 3} gaps, {N // 3} of them infinite"
    found = kinds(frame, 1 - Y[::-1])
    assert found["big"] == ("number", large)
    assert found["text"] == ("number", f"was text, {large}")
    assert found["inf"] == ("empty", "left out")


def test_columns_as_databases_have_them():
    values = np.resize([1, 2, 3, 4], N)
    frame = pd.DataFrame(
        {
            "decimal": [Decimal(int(v)) / 2 for v in values],
            "duration": pd.to_timedelta(values, unit="h"),
            "nullable": pd.array([None, *values[1:]], dtype="Int64"),
            "flag": pd.array([None, *(values[1:] > 2)], dtype="boolean"),
            "list": [[v] for v in values],
            "record": [{"v": v} for v in values],
            "bytes": [b"\xff" * v for v in values],
            "levels": pd.Categorical(np.resize(["u", "v"], N)),
            "month": pd.period_range("2000-01", periods=N, freq="M"),
            "complex": values * 1j,
            "nothing": pd.array([None] * N, dtype="Int64"),
        }
    )
    X, columns = understand(frame, Y)
    assert {c.name: c.kind for c in columns} == {
        **dict.fromkeys(["decimal", "duration", "nullable"], "number"),
        "flag": "boolean",
        **dict.fromkeys(["list", "record", "bytes", "levels", "complex"], "category"),
        "month": "date",
        "nothing": "empty",
    }
    np.testing.assert_array_equal(X["duration"], values * 3600)
    np.testing.assert_array_equal(X["decimal"], values / 2)


def test_a_column_that_differs_in_one_row_is_kept():
    frame = pd.DataFrame({"a": np.arange(N) == 0, "b": ["x"] * (N - 1) + ["y"]})
    frame["c"] = [np.nan] * (N - 1) + [7.0]
    frame["d"] = [""] * (N - 1) + ["only"]
    frame["e"] = [None, *["same"] * (N - 1)]
    assert {name: kind for name, (kind, _) in kinds(frame).items()} == {
        "a": "boolean",
        "b": "category",
        "c": "number",
        "d": "category",
        "e": "category",
    }


def test_as_many_levels_as_skrub_takes_for_text_are_text():
    y = np.repeat([0, 1], 200)
    frame = pd.DataFrame({n: [f"{n} {k % n}" for k in range(400)] for n in (39, 40)})
    assert kinds(frame, y) == {"39": ("category", "39 levels"), "40": ("text", "40 levels")}


@pytest.mark.parametrize(
    "name", ["id", "customer_id", "rownames", "Row Number", "Unnamed: 0", "Nr"]
)
@pytest.mark.parametrize("start", [1, 10**15])
def test_numbers_of_rows_are_left_out_and_measurements_are_not(name, start):
    numbers = start + 3 * RNG.permutation(N)
    found = kinds(pd.DataFrame({name: numbers, "income": numbers}))
    assert {n: kind for n, (kind, _) in found.items()} == {name: "identifier", "income": "number"}


@pytest.mark.parametrize(
    "text", ["1 234,5", "1\N{NARROW NO-BREAK SPACE}234,5", "1'234.5", "1.234,5 €", "+1,234.5"]
)
def test_thousands_are_divided_in_many_ways(text):
    assert as_numbers(pd.Series([text])).tolist() == [1234.5]


def test_a_minus_sign_is_one():
    assert as_numbers(pd.Series(["\N{MINUS SIGN}1.5", "-2"])).tolist() == [-1.5, -2]


def test_what_is_half_number_is_none():
    for text in ("12 kg", "<5", "1-2", "555 1234", "1,23,4", "0x10"):
        assert as_numbers(pd.Series(["1", text])) is None


def test_dates_that_tell_the_classes_apart_are_told():
    days = pd.Series(DAYS[np.argsort(np.argsort(-Y, kind="stable"), kind="stable")])
    days[np.flatnonzero(Y)[0]] = pd.NaT  # a gap counts as early
    assert "all by itself" in kinds(pd.DataFrame({"day": days}))["day"][1]


@pytest.mark.parametrize("name", ["id", "userId", "patient_id", "Individual ID", "userID"])
def test_what_may_say_which_rows_belong_together_is_told(name):
    values = np.resize(np.arange(N // 3), N)
    for column in (values, [f"N{v}A" for v in values]):
        _, note = kinds(pd.DataFrame({name: column}), np.repeat([0, 1], N // 2))[name]
        assert note.endswith("if rows of one value belong together, name it as groups")
    _, note = kinds(pd.DataFrame({"paid": values, "BID": values}))["paid"]
    assert "groups" not in note
