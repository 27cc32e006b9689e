"""Tests of how the chapters are written: what a reader meets of their code is short."""

import jupytext
import pytest
from conftest import ROOT

FOLDED = {"hide-input", "remove-input", "hide-cell", "remove-cell", "parameters"}


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.md")), ids=lambda p: p.stem)
def test_a_cell_that_is_not_folded_shows_one_idea_in_at_most_25_lines(path):
    cells = jupytext.read(path).cells
    seen = [
        c for c in cells if c.cell_type == "code" and not FOLDED & {*c.metadata.get("tags", ())}
    ]
    lines = {cell.source.partition("\n")[0]: len(cell.source.splitlines()) for cell in seen}
    assert {first: n for first, n in lines.items() if n > 25} == {}


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.md")), ids=lambda p: p.stem)
def test_a_chapter_has_at_most_600_lines(path):
    assert len(path.read_text("utf8").splitlines()) <= 600
