import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import pytest
from conftest import ROOT
from plots import COLOURS, INK, MAJORITY, canvas, panels, show


@pytest.fixture
def svg():
    figure, axes = canvas()
    axes[0, 0].plot([0, 1], [0, 1], color=MAJORITY, label="a line")
    axes[0, 0].legend()
    return show(figure)._repr_svg_()


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
