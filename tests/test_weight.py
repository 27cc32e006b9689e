# ruff: noqa: RUF001 (signs of mathematics look like letters)
"""Tests of what makes the pages light: mathematics set at build, lean styles, thin figures."""

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT
from fontTools.pens.recordingPen import RecordingPen
from fontTools.svgLib.path import parse_path

sys.path.append(str(ROOT / "book/extensions"))

from lean_styles import Used, lean, names, purge
from one_face import set_symbols
from one_sheet import moved
from thin_drawings import relative, rounded, thin
from typeset import displayed, mathml

THEME = "theme/pydata_sphinx_theme/static/styles/pydata-sphinx-theme.css"


def set_in(tex, display=False):
    """The MathML of a formula, without its frame."""
    return mathml(tex, display).partition(">")[2].removesuffix("</math>")


# Mathematics


@pytest.mark.parametrize(
    ("tex", "expected"),
    [
        ("x", "<mi>x</mi>"),
        (r"\bar p_1", '<msub><mover accent="true"><mi>p</mi><mo stretchy="false">¯</mo></mover>'),
        (r"\hat x", '<mover accent="true"><mi>x</mi><mo stretchy="false">ˆ</mo></mover>'),
        (r"\mathbb{R}", "<mi>ℝ</mi>"),
        (r"\mathcal{N}", "<mi>𝒩</mi>"),
        (r"\mathrm{d}", '<mi mathvariant="normal">d</mi>'),
        (r"\text{if } x", "<mtext>if\xa0</mtext><mi>x</mi>"),
        (r"\frac12", "<mfrac><mn>1</mn><mn>2</mn></mfrac>"),
        (r"f''", "<msup><mi>f</mi><mo>″</mo></msup>"),
        (r"a < b", "<mi>a</mi><mo>&lt;</mo><mi>b</mi>"),
    ],
)
def test_tex_becomes_mathml(tex, expected):
    assert set_in(tex).startswith(expected)


@pytest.mark.parametrize(
    ("tex", "left", "right"),
    [
        ("a = -b", "0.278em", "0"),  # after a relation a minus is a sign
        ("a, -b", "0.167em", "0"),
        (r"a\,-b", "0.222em", "0.222em"),
        (r"x^{a \cdot b}", "0", "0"),  # TeX leaves no space in exponents
        (r"a \cdot b", "0.222em", "0.222em"),
        (r"a \mid b", "0.278em", "0.278em"),
        (r"a / b", "0", "0"),
    ],
)
def test_operators_have_the_space_that_tex_leaves(tex, left, right):
    *_, operator = re.findall(r"<mo([^>]*)>[−⋅∣/]", set_in(tex))
    said = dict(re.findall(r'(\w+)="([^"]*)"', operator))
    usual = "0.222em" if "−" in set_in(tex) else None  # what browsers leave by themselves
    assert (said.get("lspace", usual), said.get("rspace", usual)) == (left, right)


def test_a_function_stands_off_its_argument_but_not_off_a_bracket():
    assert '<mo rspace="0.167em">\u2061</mo>' in set_in(r"\log x")
    assert "<mo>\u2061</mo>" in set_in(r"\log(x)")


def test_several_lines_stand_under_the_same_relation():
    for tex in (r"a &= b \\ &= c", "a = b\n\nc = d"):
        table = BeautifulSoup(mathml(displayed(tex), True), "html.parser").mtable
        assert len(table.find_all("mtr", recursive=False)) == 2
    assert 'class="aligned"' in mathml(displayed(r"a &= b \\ &= c"), True)
    assert 'class="cases"' in mathml(r"\begin{cases} a & b \\ c & d \end{cases}", True)


@pytest.mark.parametrize("tex", [r"\unknown", r"\frac{1", "x^", r"\left( x"])
def test_a_formula_that_is_wrong_is_refused(tex):
    with pytest.raises(ValueError, match=r"\w"):
        mathml(tex)


def test_the_font_has_what_the_formulas_of_the_pages_show(html):
    from fontTools.ttLib import TTFont

    with TTFont(html / "_static/mathematics.woff") as font:
        known = set(font.getBestCmap())
    shown = set()
    for path in html.glob("book/**/*.html"):
        page = BeautifulSoup(path.read_text("utf8"), "html.parser")
        assert not page.find(string=re.compile(r"\\\(|\\frac|\\lambda"), class_="math"), path.name
        for formula in page.find_all("math"):
            shown |= set(formula.text)
    assert {"λ", "∑", "p"} <= shown
    italic = {chr(0x1D434 + ord(c) - ord("A")) for c in shown if "A" <= c <= "Z"}
    italic |= {chr(0x1D44E + ord(c) - ord("a")) for c in shown - {"h"} if "a" <= c <= "z"}
    italic |= {chr(0x1D6FC + ord(c) - ord("α")) for c in shown if "α" <= c <= "ω"}
    assert [c for c in sorted((shown | italic) - {"\n"}) if ord(c) not in known] == []


def test_the_fonts_have_what_the_prose_and_the_variables_of_tables_show(html):
    from fontTools.ttLib import TTFont

    def known(*names):
        fonts = [TTFont(html / f"_static/{name}.woff") for name in names]
        return {chr(code) for font in fonts for code in font.getBestCmap()}

    prose, variables = set(), set()
    for path in html.glob("book/**/*.html"):
        page = BeautifulSoup(path.read_text("utf8"), "html.parser").article
        variables |= set("".join(tag.text for tag in page.select("i.variable")))
        for other in page.select("code, figure, math, pre, script, style, table"):
            other.decompose()
        prose |= set("".join(tag.text for tag in page.select("p, li, dd")))
    assert {"\u0304", "λ", "N", "₁"} <= variables
    for face in ("text", "text-italic", "text-bold"):
        assert prose - known(face, "mathematics") - {"\n"} == set()
    assert variables - known("text-italic", "greek-italic", "mathematics") == set()


def test_variables_are_marked_in_text_alone():
    html = '<td title="N₁">λ of 2N₀, p̄₁, IR, αβ</td><code>λ</code><math>λ</math>'
    marked = BeautifulSoup(set_symbols(html), "html.parser")
    assert [tag.text for tag in marked.select("i.variable")] == ["λ", "N₀", "p̄₁"]
    assert marked.text == BeautifulSoup(html, "html.parser").text
    assert set_symbols(str(marked.code) + str(marked.math)) == "<code>λ</code><math>λ</math>"


# Styles


def test_a_rule_stays_if_all_that_it_names_occurs(tmp_path):
    used = Used(['<ul class="a b" id="c" data-x="1"></ul>'], ["node.classList.add('shown')"])
    css = """
    .a { margin: 0 } .gone { margin: 0 } .a .gone, ul > .b { margin: 1px }
    #c[data-x="y"]::after { content: "}" } [data-y] { margin: 0 } .shown:hover { margin: 2px }
    .a:not(.gone) { margin: 3px } .A { margin: 0 } table { margin: 0 }
    @media print { .gone { margin: 0 } } @media print { UL { margin: 4px } }
    @font-face { font-family: f; src: url("gone.woff") }
    """
    kept = purge(css, used, tmp_path)
    heads = [".a", "ul > .b", '#c[data-x="y"]::after', ".shown:hover", ".a:not(.gone)"]
    assert re.findall(r"^[^{\n]+(?=\{)", kept, re.MULTILINE) == [*heads, "@media print"]
    assert "UL{ margin: 4px }" in kept
    assert purge(kept, used, tmp_path) == kept


def test_a_property_stays_if_another_sheet_uses_it():
    sheets = {
        Path("one.css"): "p{--a:1;--b:var(--a);--c:2;color:red}@keyframes k{from{top:0}}",
        Path("two.css"): "p{margin:var(--b);animation:j 1s}@keyframes j{from{top:0}}",
    }
    kept = lean(sheets, Used(["<p>"], []))
    assert kept[Path("one.css")] == "p{--a:1;--b:var(--a);color:red}"
    assert "@keyframes j" in kept[Path("two.css")]


def test_what_brackets_hold_does_not_count():
    assert names("a:is(.x, #y):not([z]) b") == {"a", "b"}


def test_a_page_loads_one_sheet_which_has_all(html):
    links = {
        link["href"].partition("?")[0].rpartition("/")[2]
        for path in [*html.glob("book/**/*.html"), html / "search.html"]
        for link in BeautifulSoup(path.read_text("utf8"), "html.parser").select("[rel=stylesheet]")
    }
    assert links == {"report.css"}
    css = (html / "_static/report.css").read_text("utf8")
    for sheet in (ROOT / "book/static").glob("*.css"):
        assert not (html / "_static" / sheet.name).exists()
    for rule in ("table.docutils", ".bd-sidebar-primary", ".highlight", "#desk", ".chapter-lead"):
        assert rule in css, rule
    for file in re.findall(r"url\(['\"]?(?!data:|#)([^)'\"]+)", css):
        assert (html / "_static" / file).exists(), file


def test_what_a_sheet_loads_is_found_from_the_folder_above():
    css = 'a{background:url("b.png")}b{mask:url(#c)}c{src:url(data:font/woff;base64,AA)}'
    assert moved(css, "styles") == css.replace('"b.png"', "styles/b.png")
    assert moved(css, "") == css


# Figures


def drawn(svg):
    """What each mark of a drawing has: its style, its place, and the points of its path."""
    page = BeautifulSoup(svg, "html.parser")
    css = "".join(tag.text for tag in page.find_all("style"))
    classes = dict(re.findall(r"\.([A-Za-z]+)\{([^}]*)\}", css))
    places = {tag["id"]: k for k, tag in enumerate(page.select("path, clippath")) if tag.get("id")}
    for tag in page.select("path, use, rect, g[style], g[class], g[transform], g[clip-path]"):
        style = tag.get("style") or classes.get(" ".join(tag.get("class", [])), "")
        style = re.sub(r"([:;]) ", r"\1", style)
        rest = re.sub(r"translate\([^)]*\)", "", tag.get("transform", "")).strip()
        at = re.search(r"translate\(([-\d.]+)[ ,]+([-\d.]+)\)", tag.get("transform", ""))
        at = np.array([float(n) for n in at.groups()] if at else [0.0, 0.0])
        at += [float(tag.get("x", 0)), float(tag.get("y", 0))]
        pen = RecordingPen()
        parse_path(tag.get("d", ""), pen)
        points = [point for _, points in pen.value for point in points]
        commands = [name for name, _ in pen.value]
        link = tag.get("href", tag.get("xlink:href", "")).removeprefix("#")
        clip = re.sub(r"url\(#(.*)\)", r"\1", tag.get("clip-path", ""))
        yield (tag.name, style, rest, commands, places.get(link), places.get(clip)), [at, *points]


def test_a_thin_figure_draws_the_same():
    svg = (ROOT / "book/images/table1.svg").read_text("utf8")
    thinned = thin(svg)
    assert len(thinned) < 0.6 * len(svg)
    before, after = list(drawn(svg)), list(drawn(thinned))
    assert len(before) == len(after) > 100
    for (what, points), (same, now) in zip(before, after, strict=True):
        assert what == same
        np.testing.assert_allclose(now, points, rtol=0, atol=0.00501)  # half of the last decimal
    assert thin(thinned) == thinned


def test_the_figures_of_the_pages_are_drawings_that_a_browser_reads(html):
    files = list(html.glob("_images/*.svg"))
    assert len(files) > 30
    for file in files:
        assert ElementTree.parse(file).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_a_group_without_an_end_is_taken_away():
    groups = '<g id="a"><g id="b"/><g style="fill: red"/></g>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg">{groups}</svg>'
    assert len(ElementTree.fromstring(thin(svg))) == 1  # the style


def test_a_path_is_the_same_in_steps(seed):
    random = np.random.default_rng(seed)
    for _ in range(50):
        parts, expected = [], []
        for command, count in (
            ("M", 1),
            ("L", 1),
            ("Q", 2),
            ("C", 3),
            ("L", 1),
            ("M", 1),
            ("L", 1),
        ):
            points = random.normal(0, 10.0 ** random.integers(-2, 4), (count, 2))
            parts.append(command + " ".join(f"{n:.6f}" for n in points.ravel()))
            expected += list(points)
        path = relative(" ".join(parts))
        pen = RecordingPen()
        parse_path(path, pen)
        found = [point for name, points in pen.value for point in points]
        assert relative(path) == path
        np.testing.assert_allclose(found, expected, rtol=0, atol=0.00501)


def test_after_a_line_that_closes_steps_begin_where_it_ended():
    assert relative("M 1 1 L 2 1 L 2 2 z M 5 5 L 6 6") == "m1 1l1 0 0 1zm4 4l1 1"


def test_numbers_lose_decimals_and_nothing_else():
    assert rounded("M 1.2345 -0.0004 L 10 0.5e1") == "M 1.23 0 L 10 0.5e1"


# Icons and pages


def test_every_icon_has_a_shape(html):
    css = (html / "_static/report.css").read_text("utf8")
    pages = "".join(path.read_text("utf8") for path in html.glob("book/**/*.html"))
    icons = {
        name
        for value in re.findall(r'<(?:i|span) class="([^"]*\bfa-[^"]*)"', pages)
        for name in value.split()
        if name.startswith("fa-") and name not in ("fa-solid", "fa-lg")
    }
    assert len(icons) > 5
    assert {name for name in icons if f".{name}" not in css} == set()


def test_every_figure_says_its_size_and_all_but_the_first_wait(html):
    for path in html.glob("book/**/*.html"):
        page = BeautifulSoup(path.read_text("utf8"), "html.parser")
        figures = page.select("article figure img")
        assert [image["src"] for image in figures if not image.get("width")] == [], path.name
        assert [image.get("loading") for image in figures] == [None, *["lazy"] * 99][: len(figures)]
