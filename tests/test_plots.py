import io
import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from plots import COLOURS, INK, MAJORITY, MINORITY, canvas, panels, show


@pytest.fixture
def svg():
    figure, axes = canvas()
    axes[0, 0].plot([0, 1], [0, 1], color=MAJORITY, label="a line")
    axes[0, 0].legend()
    return show(figure).svg


def test_the_figure_is_closed_and_the_svg_is_well_formed(svg):
    assert plt.get_fignums() == []
    assert ElementTree.fromstring(svg).tag.endswith("svg")


def test_every_colour_of_the_style_follows_the_theme(svg):
    body = svg.split("</style>", 1)[1]
    assert "var(--majority)" in body
    assert "var(--ink)" in body
    for light, dark in COLOURS.values():
        assert light not in body
        assert light in svg
        assert dark in svg


def test_no_colour_is_left_that_does_not_follow_the_theme(svg):
    body = svg.split("</style>", 1)[1]
    assert set(re.findall(r"(?:fill|stroke): (#\w+)", body)) == set()


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(k * c for k, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a, b):
    """Contrast ratio as WCAG 2 defines it."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


# The theme's page colours, light and dark.
@pytest.mark.parametrize(("theme", "page"), [(0, "#ffffff"), (1, "#14181e")])
def test_text_and_lines_stand_out_from_the_page(theme, page):
    for name, pair in COLOURS.items():
        if name != "grid":
            assert contrast(pair[theme], page) >= 4.5, name


def test_the_same_figure_gives_the_same_svg():
    def draw():
        figure, axes = canvas()
        axes[0, 0].plot([0, 1], color=INK)
        return show(figure).svg

    assert draw() == draw()


@pytest.mark.parametrize(("names", "shown"), [("a", 1), ("abc", 3), ("abcd", 4)])
def test_every_name_has_a_panel_and_the_rest_stays_empty(names, shown):
    figure, axes = panels(list(names), height=2.0)
    assert list(axes) == list(names)
    assert [ax.axison for ax in figure.axes].count(True) == shown
    assert len(set(map(id, axes.values()))) == shown
    plt.close(figure)


def test_every_legend_of_a_chapter_has_its_place():
    # Matplotlib looks for one otherwise, and warns if that takes more than a second: on a busy
    # machine the build fails.
    calls = [
        (path.name, call)
        for path in (ROOT / "notebooks").glob("*.md")
        for call in re.findall(r"legend\(.*", path.read_text("utf8"))
    ]
    assert calls
    assert [(name, call) for name, call in calls if "loc=" not in call] == []


def drawn(draw, **options):
    """What a figure of one panel draws, read from the file that goes with it."""
    figure, axes = canvas(**options)
    draw(axes[0, 0])
    return pd.read_csv(io.StringIO(show(figure)._repr_mimebundle_()[1]["csv"]))


def test_the_file_of_a_figure_has_the_points_of_lines_and_dots_with_their_names_and_colours():
    def draw(ax):
        ax.plot([1, 2, 3], [1e-9, 5, 1e9], color=MINORITY, label="found")
        ax.scatter([4, 5], [6, 7], color=MAJORITY)
        ax.set_yscale("log")
        ax.set_title("On fresh rows")

    rows = drawn(draw)
    assert set(rows["panel"]) == {"On fresh rows"}
    line, dots = (rows[rows["mark"] == mark] for mark in ("line", "points"))
    assert line[["series", "colour"]].drop_duplicates().to_numpy().tolist() == [["found", MINORITY]]
    np.testing.assert_allclose(line[["x", "y"]], [[1, 1e-9], [2, 5], [3, 1e9]], rtol=1e-6)
    assert set(dots["colour"]) == {MAJORITY}
    assert dots["x"].tolist() == [4, 5]


def test_points_of_one_scatter_keep_their_own_colours():
    colours = [MINORITY, MAJORITY, MINORITY]
    rows = drawn(lambda ax: ax.scatter([1, 2, 3], [4, 5, 6], color=colours))
    assert rows["colour"].tolist() == colours
    assert rows[["x", "y"]].to_numpy().tolist() == [[1, 4], [2, 5], [3, 6]]


def test_the_file_of_a_figure_has_intervals_by_their_ends_and_words_of_its_axes():
    def draw(ax):
        ax.errorbar([0.5, 0.7], [0, 1], xerr=[[0.1, 0.2], [0.3, 0.4]], fmt="o", label="mean")
        ax.set_yticks([0, 1], ["weight", "threshold"])
        ax.fill_between([0, 1], [2, 2], [3, 4], label="band")

    rows = drawn(draw)
    ends = rows[(rows["series"] == "mean") & (rows["mark"] == "area")]
    np.testing.assert_allclose(ends["x"], [0.4, 0.8, 0.5, 1.1])
    assert ends["y label"].tolist() == ["weight"] * 2 + ["threshold"] * 2
    band = rows[rows["series"] == "band"]
    corners = set(band[["x", "y"]].itertuples(index=False, name=None))
    assert {(0, 2), (0, 3), (1, 2), (1, 4)} <= corners


def test_the_file_of_a_figure_leaves_open_what_spans_the_panel():
    rows = drawn(lambda ax: (ax.axhline(2), ax.axvspan(3, 4)))
    line, span = (rows[rows["mark"] == mark] for mark in ("line", "bar"))
    assert line["x"].isna().all()
    assert line["y"].tolist() == [2, 2]
    assert span["x"].tolist() == [3, 4]
    assert span["y"].isna().all()


def test_the_file_of_a_figure_has_bars_from_end_to_end():
    rows = drawn(lambda ax: ax.barh(["a", "b"], [3, -4], height=0.5, label="costs"))
    assert rows[["series", "mark"]].drop_duplicates().to_numpy().tolist() == [["costs", "bar"]]
    np.testing.assert_allclose(rows[["x", "y"]], [[0, -0.25], [3, 0.25], [0, 0.75], [-4, 1.25]])
