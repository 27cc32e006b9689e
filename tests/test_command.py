"""Tests of the command `crcen`, from files to what it prints and returns."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import SEED
from scipy.special import expit

from crcen.command import main
from crcen.slip import Slip

COLUMNS = ["--target", "outcome", "--score", "p"]


def rows(rng, n, falls=0.0, weight=9.0):
    """Scores of a model that was trained with a weight; the minority's logits fall."""
    y = (rng.random(n) < 0.1).astype(int)
    o = 2 * rng.normal(2.0 * y) - 2 + np.log(weight / 9) - falls * y
    return pd.DataFrame({"p": expit(o), "o": o, "outcome": np.where(y == 1, "default", "paid")})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    rng = np.random.default_rng(SEED)
    monkeypatch.chdir(tmp_path)
    rows(rng, 5000).to_csv("now.csv", index=False, sep=";", decimal=",")
    rows(rng, 5000).to_parquet("later.parquet")
    rows(rng, 5000, falls=3).to_csv("fallen.csv.gz", index=False)
    return tmp_path


def test_an_audit_names_the_weight(folder, capsys):
    assert main(["audit", "now.csv", *COLUMNS]) == 0
    said = capsys.readouterr().out
    low, high = map(float, re.search(r"interval ([\d.]+) to ([\d.]+)", said).groups())
    assert low < high
    assert 0.85 < low < 0.95
    assert re.search(r"of 'default', \d+ of 'paid'", said)
    assert re.search(r"announce \d+ minority rows, and there are \d+", said)


@pytest.mark.parametrize("command", [["audit"], ["choose", "--recall", "0.9"]])
def test_scores_that_rank_no_better_than_chance_are_told(folder, capsys, command):
    table = pd.read_parquet("later.parquet")
    for scores, coin in ((table.p, False), (1 - table.p, True)):
        table.assign(p=scores).to_csv("scores.csv", index=False)
        assert main([command[0], "scores.csv", *COLUMNS, *command[1:]]) == 0
        assert ("could be had from a coin" in capsys.readouterr().out) == coin


def test_logits_are_audited_alike(folder, capsys):
    main(["audit", "now.csv", *COLUMNS])
    of_p = capsys.readouterr().out
    main(["audit", "now.csv", "--target", "outcome", "--score", "o", "--logits"])
    assert capsys.readouterr().out == of_p


def test_a_choice_is_promised_and_checked(folder, capsys):
    asked = ["--recall", "0.9", "--confidence", "0.95", "--slip", "slip.json"]
    assert main(["choose", "now.csv", *COLUMNS, *asked]) == 0
    said = capsys.readouterr().out
    slip = Slip.read("slip.json")
    assert f"above {slip.threshold:.10g}" in said
    assert slip.wish == {"recall": 0.9, "confidence": 0.95}
    assert main(["check", "slip.json", "later.parquet", *COLUMNS, "--level", "0.999999"]) == 0
    assert "stands" in capsys.readouterr().out
    assert main(["check", "slip.json", "fallen.csv.gz", *COLUMNS]) == 1
    assert re.search(r"recall: .* broken after \d+ rows", capsys.readouterr().out)


@pytest.mark.parametrize("lam", [[], ["--lam", "balanced"], ["--lam", "0.9"]])
def test_an_expense_needs_the_weight_which_an_audit_finds(folder, capsys, lam):
    assert main(["choose", "now.csv", *COLUMNS, "--expense", "5", *lam]) == 0
    said = capsys.readouterr().out
    assert ("an audit finds" in said) == (lam == [])
    threshold = float(re.search(r"above ([\d.]+)", said)[1])
    assert threshold == pytest.approx(9 / 14, abs=0.1)  # where the odds are 9 / 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["audit", "none.csv", *COLUMNS], "is not a file"),
        (["audit", "now.csv", "--target", "outcom", "--score", "p"], "choose one of 'outcome'"),
        (["audit", "now.csv", "--target", "outcome", "--score", "outcome"], "is no number"),
        (["audit", "now.csv", "--target", "outcome", "--score", "o"], "probability"),
        (["audit", "now.csv", *COLUMNS, "--positive", "lost"], "positive='lost' is not a label"),
        (["choose", "now.csv", *COLUMNS, "--recall", "0.9999"], "cannot be promised"),
        (["check", "now.csv", "later.parquet", *COLUMNS], "is not a promise slip"),
        (["choose", "now.csv", *COLUMNS, "--recall", "0.9", "--slip", "now.csv/s"], "now.csv"),
        (["choose", "now.csv", *COLUMNS, "--recall", "0.9", "--lam", "heavy"], "lam='heavy'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(folder, capsys, arguments, message):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("crcen: ")
    assert error.count("\n") == 1


def test_the_module_is_the_command(folder):
    asked = [sys.executable, "-m", "crcen", "audit", "now.csv", *COLUMNS]
    ran = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert re.search(r"^lambda 0\.\d+", ran.stdout, re.MULTILINE)


def test_a_capacity_is_a_share_of_the_rows(folder, capsys):
    assert main(["choose", "now.csv", *COLUMNS, "--capacity", "0.05"]) == 0
    assert re.search(r"(49|50) alarms in 1000 rows", capsys.readouterr().out)


# A report


def loans(rng, n=600):
    """A table as it is: numbers with gaps, levels, text, dates, an identifier, a group."""
    x = rng.normal(size=n)
    y = rng.random(n) < expit(2 * x - 2)
    return pd.DataFrame(
        {
            "id": [f"c{k}" for k in range(n)],
            "income": np.where(rng.random(n) < 0.1, np.nan, x),
            "job": rng.choice(["clerk", "nurse", None], n),
            "day": pd.date_range("2025-01-01", periods=n, freq="h").astype(str),
            "customer": rng.integers(0, 200, n),
            "status": np.where(y, "default", "paid"),
        }
    )


def test_a_table_becomes_an_answer_a_page_scores_and_a_slip(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    loans(np.random.default_rng(SEED)).to_csv("loans.csv", index=False)
    asked = ["report", "loans.csv", "--target", "status", "--recall", "0.8"]
    assert main([*asked, "--slip", "s.json", "--scores", "scores.csv"]) == 0
    said = capsys.readouterr()
    found, low, high = map(
        float, re.search(r"finds ([\d.]+)% .*interval ([\d.]+)% to ([\d.]+)%", said.out).groups()
    )
    assert low < found < high
    assert 79 < found < 85
    assert said.err.count("part") == 5
    # What it wrote, the other commands read.
    scored = pd.read_csv("scores.csv")
    threshold = Slip.read("s.json").threshold
    recall = (scored.loc[scored["label"] == "default", "score"] > threshold).mean()
    assert f"{recall:.1%}" == f"{found:.1f}%"
    of = ["scores.csv", "--target", "label", "--score", "score"]
    assert main(["audit", *of]) == 0
    assert main(["check", "s.json", *of]) == 0
    html = (tmp_path / "loans.csv.html").read_text("utf-8")
    assert said.out.splitlines()[1].split(":")[0].replace("'", "&#x27;") in html


@pytest.mark.parametrize("extra", [["--groups", "customer"], ["--time", "day", "--drop", "id"]])
def test_rows_of_a_group_stay_together_and_later_ones_are_not_learnt_from(
    tmp_path, monkeypatch, capsys, extra
):
    monkeypatch.chdir(tmp_path)
    loans(np.random.default_rng(SEED)).to_csv("loans.csv", index=False)
    asked = ["report", "loans.csv", "--target", "status", "--expense", "5", *extra]
    assert main([*asked, "--page", "p.html"]) == 0
    html = (tmp_path / "p.html").read_text("utf-8")
    notes = {"--groups": "Rows of one group stay together", "--time": "Models learn from the past"}
    assert notes[extra[0]] in html
    assert "Use " in capsys.readouterr().out


def test_several_wishes_are_kept_or_two_of_them_are_named(folder, capsys):
    asked = ["choose", "now.csv", *COLUMNS, "--recall", "0.7", "--expense", "90"]
    assert main([*asked, "--capacity", "0.5", "--precision", "0.2"]) == 0
    said = capsys.readouterr().out
    for what, least in {"recall": 0.7, "precision": 0.2}.items():
        assert float(re.search(rf"^{what} ([\d.]+) here", said, re.MULTILINE)[1]) >= least
    assert main([*asked, "--capacity", "0.01"]) == 2
    assert re.search(r"recall=0.7 takes .*% .* capacity=0.01: wish for", capsys.readouterr().err)
    assert main(["choose", "now.csv", *COLUMNS]) == 2
    assert "given no wish" in capsys.readouterr().err


@pytest.mark.parametrize("asked", [[], ["--lam", "balanced"]])
def test_costs_may_differ_by_row(folder, capsys, asked):
    table = rows(np.random.default_rng(SEED), 5000)
    table["amount"] = np.random.default_rng(SEED).lognormal(1, 1.5, 5000)
    table.to_csv("amounts.csv", index=False)
    command = ["choose", "amounts.csv", "--target", "outcome", "--cost-column", "amount", *asked]
    assert main([*command, "--score", "p"]) == 0
    said = capsys.readouterr().out
    weight = float(re.search(r"where p / \(1 - p\) is above ([\d.]+) / amount", said)[1])
    found = table.p / (1 - table.p) > weight / table.amount
    minority = table.outcome == "default"
    cost = table.amount[minority & ~found].sum() + (found & ~minority).sum()
    assert float(re.search(r"alarms cost ([\d.]+) false", said)[1]) == pytest.approx(cost, rel=1e-3)
    assert cost < float(re.search(r"mean cost, costs ([\d.]+)", said)[1])
    assert main([*command, "--score", "o", "--logits"]) == 0
    above = re.search(r"where o is above ([-\d.]+) - log\(amount\)", capsys.readouterr().out)[1]
    assert np.exp(float(above)) == pytest.approx(weight, rel=1e-4)


def test_a_column_of_costs_is_a_wish_by_itself(folder, capsys):
    asked = ["choose", "now.csv", *COLUMNS, "--cost-column"]
    assert main([*asked, "o", "--recall", "0.5"]) == 2
    assert "cost_column='o' is a wish by itself: leave out recall" in capsys.readouterr().err
    assert main([*asked, "amount"]) == 2
    assert "cost_column='amount' is not a column" in capsys.readouterr().err
    assert main([*asked, "o"]) == 2
    assert "must be zero or more" in capsys.readouterr().err


@pytest.mark.parametrize("lam", [[], ["--lam", "balanced"]])
def test_between_two_thresholds_nothing_is_decided(folder, capsys, lam):
    table = rows(np.random.default_rng(SEED), 5000)
    table.to_csv("scores.csv", index=False)
    asked = ["--recall", "0.95", "--precision", "0.7", "--undecided", *lam]
    command = ["choose", "scores.csv", "--target", "outcome", "--score"]
    for how, score in ((["p"], table.p), (["o", "--logits"], table.o)):
        assert main([*command, *how, *asked]) == 0
        said = capsys.readouterr().out
        low, high = map(float, re.search(r"up to (\S+), raise .* above (\S+),", said).groups())
        minority = table.outcome == "default"
        for what, share in {
            "rows undecided": ((score > low) & (score <= high)).mean(),
            "minority dismissed": (score <= low)[minority].mean(),
            "alarms right": minority[score > high].mean(),
        }.items():
            printed = re.search(rf"^{what}: (\S+) here", said, re.MULTILINE)[1]
            assert float(printed) == pytest.approx(share, abs=6e-4)
    assert main([*command, "p", *asked, "--slip", "s.json"]) == 2
    assert "leave out slip" in capsys.readouterr().err
