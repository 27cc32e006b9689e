import base64

import numpy as np
import pandas as pd
import pytest
import report
from bs4 import BeautifulSoup
from markupsafe import Markup


def test_the_columns_of_the_paper_are_marked():
    frame = pd.DataFrame({"paper": [0.5], "ours": [0.25]}, index=[7])
    html = BeautifulSoup(
        report.table(frame, "Caption.", {"paper": "{:g}", "ours": "{:.3f}"}, ["paper"]).data,
        "html.parser",
    )
    assert html.caption.text == "Caption."
    assert [cell.text for cell in html.select("td.paper")] == ["0.5"]
    assert html.select("td")[1].text == "0.250"


def test_text_is_shown_as_text_and_marked_html_as_html():
    nasty = "<script>x</script>&amp;"
    frame = pd.DataFrame(
        {nasty: [nasty, "b"], "link": [Markup("<a>c</a>"), "<a>d</a>"]}, dtype=object
    )
    html = BeautifulSoup(report.table(frame, f"{nasty}.").data, "html.parser")
    assert not html.select("script")
    assert html.caption.text == f"{nasty}."
    assert [cell.text for cell in html.select("th")] == [nasty, "link"]
    assert [cell.text for cell in html.select("td")] == [nasty, "c", "b", "<a>d</a>"]
    assert len(html.select("a")) == 1


def test_numbers_stand_to_the_right_with_their_heading_and_text_does_not():
    frame = pd.DataFrame(
        {
            "set": ["Coil", "Solar"],
            "IR": [9.7, None],
            "rank": ["1.50", "–"],
            "ours": ["0.2 ± 0.1", "0"],
            "residual": ["-2×10⁻⁸", ""],
            "mean (SD)": ["10.05 (1.13)", "1.00 (0.09)"],
        }
    )
    html = BeautifulSoup(report.table(frame, "Caption.", paper=["rank"]).data, "html.parser")
    assert [cell.text for cell in html.select("th.number")] == [
        *("IR", "rank", "residual", "mean (SD)")
    ]
    assert [cell.text for cell in html.select("td.number.paper")] == ["1.50", "–"]
    assert len(html.select("td.number")) == 8


def test_a_column_of_text_may_wrap_and_two_make_blocks_of_the_rows():
    frame = pd.DataFrame({"n": [1], "claim": ["a" * 31], "seen": ['<a href="long.html">b</a>']})
    html = BeautifulSoup(report.table(frame, "Caption.").data, "html.parser")
    assert [cell.text for cell in html.select(".text")] == ["claim", "a" * 31]
    assert html.table["class"] == ["report"]
    html = BeautifulSoup(report.table(frame.assign(seen="b" * 31), "Caption.").data, "html.parser")
    assert html.table["class"] == ["report", "blocks"]
    assert [cell["data-label"] for cell in html.select("td")] == ["n", "claim", "seen"]
    assert [cell.get("data-label") for cell in html.select("th")] == [None, None, None]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("at -0.95, [-1, 2]", "at \N{MINUS SIGN}0.95, [\N{MINUS SIGN}1, 2]"),
        ("<td>-3×10⁻⁸</td>", "<td>\N{MINUS SIGN}3×10⁻⁸</td>"),
        ("10-16-1 on 2026-11-23, 1e-8", "10-16-1 on 2026-11-23, 1e-8"),
        ('<a href="x-1.html" tabindex="-1">f(x)-1', '<a href="x-1.html" tabindex="-1">f(x)-1'),
    ],
)
def test_a_minus_sign_stands_before_numbers_only(text, written):
    assert report.minus(text) == written


def test_repeated_index_values_are_no_obstacle():
    frame = pd.DataFrame({"a": [1, 2]}, index=[0, 0])
    assert report.table(frame, "Caption.").data.count("<td") == 2


def test_a_download_holds_the_rows():
    frame = pd.DataFrame({"set": ["é"], "f1": [0.123456789]})
    link = BeautifulSoup(report.download(frame, "cells.csv", "All cells").data, "html.parser").a
    assert (link["download"], link.text) == ("cells.csv", "All cells")
    encoded = link["href"].removeprefix("data:text/csv;base64,")
    assert base64.b64decode(encoded).decode() == "set,f1\né,0.123457\n"


@pytest.mark.parametrize(
    ("value", "text"), [(2.4e-8, "2×10⁻⁸"), (0.0, "0"), (float("nan"), "–"), (1e12, "1×10¹²")]
)
def test_small_numbers_are_written_as_powers(value, text):
    assert report.sci(value) == text


@pytest.mark.parametrize(
    ("holds", "expected"),
    [((True, True), "reproduced"), ((True, False), "partly"), ((False, False), "not")],
)
def test_a_verdict_follows_from_its_parts(holds, expected):
    assert report.verdict(*holds) == expected


def test_what_could_be_checked_in_part_is_reproduced_in_part():
    assert report.verdict(True, complete=False) == "partly"
    assert report.verdict(False, complete=False) == "not"


@pytest.mark.parametrize(
    ("holds", "expected"),
    [
        ((True, None), "partly"),
        ((False, None), "not"),
        ((True, False, None), "partly"),
        ((None, None), "undecided"),
        ((None, False), "not"),
    ],
)
def test_a_part_that_cannot_be_told_is_never_reproduced(holds, expected):
    assert report.verdict(*holds) == expected


@pytest.mark.parametrize(
    ("value", "limit", "expected"),
    [(1, 2, True), (2, 2, False), (np.inf, 2, False), (np.nan, 2, None), (1, np.nan, None)],
)
def test_a_comparison_with_what_cannot_be_told_cannot_be_told(value, limit, expected):
    assert report.smaller(value, limit) is expected


def test_what_cannot_be_told_is_not_counted():
    assert report.how_many([True, None, False, np.True_]) == "2 of 4"
    assert report.how_many([]) == "0 of 0"


@pytest.mark.parametrize(
    ("parts", "expected"),
    [([True, True], True), ([True, None], None), ([None, False], False), ([], True)],
)
def test_all_parts_hold_only_if_each_was_told(parts, expected):
    assert report.every(parts) is expected


def test_an_unknown_verdict_is_refused():
    with pytest.raises(ValueError, match="found='good' must be one of reproduced"):
        report.claim("1", "ours", "good")


FIELDS = {"where", "claim", "paper", "why", "margin"}


def test_every_claim_says_where_what_and_the_papers_figure():
    for number, entry in report.CLAIMS.items():
        assert {"where", "claim", "paper", "why"} <= set(entry) <= FIELDS, number
        assert "margin" not in entry or report.margin(number) > 0, number


def test_a_law_holds_or_fails_where_a_claim_is_reproduced_or_not():
    assert report.LAWS
    assert all(number.startswith("L") for number in report.LAWS)
    words = [BeautifulSoup(report.badge(v, law=True), "html.parser").text for v in report.VERDICTS]
    assert words == ["holds", "partly", "fails", "undecided", "uninformative", "examined"]
    assert BeautifulSoup(report.badge("not"), "html.parser").text == "not reproduced"


def test_counts_are_read_by_split_and_alpha_in_the_order_asked_for():
    keys = [("a", "1", 1), ("a", "0.5", 0), ("b", "1", 0), ("a", "0.5", 1), ("a", "1", 0)]
    record = pd.DataFrame(keys, columns=["dataset", "alpha", "split"])
    for column, offset in zip(report.COUNTS, (0, 10, 20, 30), strict=True):
        record[column] = [float(offset + k) for k in range(5)]
    found = report.confusions(record, "a", ["1", "0.5"])
    assert found[:, :, 0].tolist() == [[4, 1], [0, 3]]
    assert found[0, 0].tolist() == [4, 14, 24, 34]


@pytest.mark.parametrize(
    ("value", "spec", "text"),
    [
        (5.531, ".2f", "5.53"),
        (0.5, "+.0%", "+50%"),
        (np.inf, ".2f", "∞"),
        (-np.inf, "+.1f", "\N{MINUS SIGN}∞"),
        (np.nan, "+.2f", "–"),
    ],
)
def test_a_number_may_be_infinite_or_not_to_be_told(value, spec, text):
    assert report.number(value, spec) == text


def test_a_quotient_by_zero_cannot_be_told_and_is_no_warning():
    assert report.quotient(1.0, 4) == 0.25
    assert np.isnan(report.quotient(np.float64(1), np.float64(0)))
    assert np.isnan(report.quotient(0, 0))
    above = pd.Series([1.0, 1.0, 0.0], ["a", "b", "c"])
    found = report.quotient(above, pd.Series([2.0, 0.0, 0.0], above.index))
    pd.testing.assert_series_equal(found, pd.Series([0.5, np.nan, np.nan], above.index))


def test_a_set_that_cannot_be_had_has_a_stand_in_that_says_so(monkeypatch):
    monkeypatch.setattr(report, "load_available", lambda names: {})
    data = report.load_set("abalone")
    assert data.data.shape == (2200, 3)
    assert data.target.sum() == 200
    assert report.TITLES[data.name] == "Sim2 (no set at hand)"
    assert list(report.load_sets(["scene", "abalone"])) == ["sim2"]


def test_sets_that_can_be_had_have_no_stand_in(monkeypatch):
    monkeypatch.setattr(report, "load_available", lambda names: {"scene": "its rows"})
    assert report.load_sets(["scene", "abalone"]) == {"scene": "its rows"}
