"""Tests of what a first-time reader comes for, from the first page: how many clicks it takes.

A field that is filled and a file that is chosen are no clicks.
"""

import csv
import io
import re
import shlex

import numpy as np
import pytest
from conftest import ROOT, SEED
from driver.parameters import read_grid
from scipy.special import expit
from test_browser import (  # noqa: F401
    FRONT,
    LOADED,
    browser,
    new_context,
    site,
)

from crcen import audit, choose_lam

pytestmark = pytest.mark.slow
HEIGHT = 900


class Reader:
    """Someone at a page, who counts clicks."""

    def __init__(self, page):
        self.page, self.clicks = page, 0

    def sees(self, what):
        """Whether something stands in the first screen."""
        box = self.page.locator(what).first.bounding_box()
        return box["y"] + box["height"] <= HEIGHT

    def click(self, place):
        self.clicks += 1
        place.click()

    def follow(self, name, within="article"):
        """Click a link, or what opens."""
        self.click(self.page.locator(within).get_by_role("link", name=name, exact=True).first)
        self.page.evaluate(LOADED)


@pytest.fixture
def reader(browser, site):  # noqa: F811
    context = new_context(
        browser, viewport={"width": 1280, "height": HEIGHT}, accept_downloads=True
    )
    page = context.new_page()
    page.goto(site + FRONT)
    page.evaluate(LOADED)
    yield Reader(page)
    context.close()


def test_the_answer_is_there(reader):
    assert reader.sees(".answer")
    assert reader.clicks == 0


def test_the_verdict_on_a_claim_and_the_rows_behind_it(reader):
    reader.follow("I check the paper")
    row = reader.page.locator("tr", has=reader.page.locator("#ledger-12a"))
    verdict = row.locator(".verdict").inner_text()
    reader.click(row.get_by_role("link", name="12a", exact=True))
    reader.page.evaluate(LOADED)
    assert verdict in reader.page.locator("#claim-12a").inner_text()
    link = reader.page.get_by_role("link", name="All cells behind this chapter").first
    with reader.page.expect_download() as download:
        reader.click(link)
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert len(rows) > 100
    assert {"dataset", "method", "split"} <= rows[0].keys()
    assert reader.clicks == 3


def test_lambda_for_a_recall_from_a_file_of_scores(reader, tmp_path):
    rng = np.random.default_rng(SEED)
    y = (rng.random(2000) < 0.1).astype(int)
    p = expit(2 * rng.normal(2.0 * y) - 2 - np.log(9)).round(6)
    lines = ["outcome,score", *(f"{label},{score}" for label, score in zip(y, p, strict=True))]
    (tmp_path / "scores.csv").write_text("\n".join(lines) + "\n")
    reader.follow("try them here")
    reader.page.locator("#desk input[type=file]").set_input_files(tmp_path / "scores.csv")
    reader.page.locator("#desk-recall").fill("0.9")
    said = reader.page.get_by_text("A training with λ = ").inner_text()
    found = choose_lam(p, y, recall=0.9, scores="probabilities", lam=audit(y, p).lam)
    assert float(re.search(r"λ = ([\d.]+)", said)[1]) == pytest.approx(found.lam, abs=1e-3)
    assert reader.clicks == 1


def test_a_figure_is_cited(reader):
    reader.follow("Simulations", within="nav")
    cite = reader.page.locator("summary", has_text="Cite Figure").first
    number = re.search(r"Figure \d+", cite.inner_text())[0]
    reader.click(cite)
    entry = reader.page.locator("details", has=cite).locator("pre").inner_text()
    assert entry.startswith("@misc{")
    assert number in entry
    assert re.search(r"commit [0-9a-f]{7}|version", entry, re.IGNORECASE)
    assert reader.clicks == 2


def test_table_1_is_rerun_with_another_seed_by_a_copied_command(reader):
    reader.follow("Simulations", within="nav")
    form = reader.page.locator("details.rerun")
    reader.click(form.locator("summary"))
    form.locator("[name=seed]").fill("7")
    words = shlex.split(form.locator("pre").inner_text())
    assert words[1:3] == ["notebooks/run.py", "simulations"]
    values = [word for word in words[3:] if "=" in word]
    assert read_grid(ROOT / "notebooks/simulations.md", values) == [{"seed": 7}]
    assert reader.clicks == 2
