"""Tests of the built pages in a real browser: access, weight, phones, keyboard, the explorer."""

import json
import os
import re
import shlex
import shutil
from functools import cached_property
from importlib.resources import files

import numpy as np
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT
from driver.parameters import RunError, declared, read_grid
from pages import served
from pages import visit as timed
from plots import COLOURS
from scipy.special import expit
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from crcen import DATASETS, alpha_from_lam, prior_shift
from crcen.study.comparison import PLAIN, compared
from crcen.study.record import Record
from crcen.theory.laws import expense_band, gaussian_point

sync_playwright = pytest.importorskip("playwright.sync_api").sync_playwright
pytestmark = pytest.mark.slow

AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
RUN_AXE = """async (rules) => {
  const only = rules.length ? {runOnly: {type: "rule", values: rules}} : {};
  const options = {resultTypes: ["violations"], preload: false, ...only};  // loads styles again
  const {violations} = await axe.run(options);
  return violations.filter((v) => ["serious", "critical"].includes(v.impact))
                   .flatMap((v) => v.nodes.map((node) => `${v.id}: ${node.html.slice(0, 150)}`));
}"""
# When the fonts are there, nothing moves any more.
LOADED = """() => document.fonts.ready.then(() => new Promise((done) => requestAnimationFrame(
  () => requestAnimationFrame(() => done(true)))))"""
# All that a reader comes to see; one that cannot be drawn is an error.
FIGURES = """Promise.all([...document.images].map((image) => {
  image.loading = "eager";
  return image.decode();
}))"""
SHIFTS = """window.shift = 0;
new PerformanceObserver((list) => list.getEntries().forEach(
  (entry) => window.shift += entry.hadRecentInput ? 0 : entry.value
)).observe({type: "layout-shift", buffered: true});"""
WEIGHT = """(size) => performance.getEntriesByType("navigation")
  .concat(performance.getEntriesByType("resource")).reduce((sum, r) => sum + r[size], 0)"""
# What the first paint waits for: the page itself, and the styles and scripts that block it.
BLOCKING = """() => performance.getEntriesByType("navigation")
  .concat(performance.getEntriesByType("resource")
    .filter((r) => r.renderBlockingStatus === "blocking"))
  .map((r) => [new URL(r.name).pathname, r.transferSize])"""
# The theme waits for 300 ms after a resize. A timer that is set later and runs longer ends later,
# however busy the machine is.
SETTLED = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(
  () => setTimeout(done, 400))))"""
EXPLORER = "book/chapters/explorer.html"
FRONT = "book/index.html"


@pytest.fixture(scope="module")
def site(html):
    """The book on localhost, compressed, as hosts of static pages send it."""
    with served(html) as address:
        yield address


def installed(name):
    """Where a browser is; its tests are skipped without it, or fail if they must not be."""
    executable = shutil.which(name)
    if not executable:
        assert not os.environ.get("CRCEN_BROWSER"), f"no {name}: apt-get install {name}"
        pytest.skip(f"no {name} on the path; with CRCEN_BROWSER=1 this is a failure")
    return executable


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=installed("chromium"), args=["--no-sandbox"]
        )
        yield browser
        browser.close()


def new_context(browser, **options):
    """A fresh context, which waits as long as it takes."""
    context = browser.new_context(**options)
    context.set_default_timeout(0)
    return context


@pytest.fixture
def visit(browser, site):
    """Open a page of the book in a fresh context, which has the options of ``new_context``."""
    contexts = []

    def open_page(name, **options):
        contexts.append(new_context(browser, **options))
        page = contexts[-1].new_page()
        page.goto(site + name)
        return page

    yield open_page
    for context in contexts:
        context.close()


class Look:
    """What a reader with a fresh cache gets to see of one page: each look is taken once."""

    def __init__(self, browser, url):
        self.context = new_context(
            browser, viewport={"width": 1280, "height": 900}, color_scheme="light"
        )
        self.context.add_init_script(SHIFTS)
        self.page = self.context.new_page()
        self.errors, self.requests = [], []
        self.page.on("console", lambda m: m.type == "error" and self.errors.append(m.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(url)
        self.page.evaluate(LOADED)
        self.blocking = dict(self.page.evaluate(BLOCKING))
        self.shift = self.page.evaluate("window.shift")
        self.page.evaluate(FIGURES)
        self.bytes_unpacked = self.page.evaluate(WEIGHT, "decodedBodySize")
        self.elements = self.page.locator("*").count()

    @cached_property
    def violations(self):
        """All rules in the light, the colours in the dark, and what scrolls on a phone."""
        found = violations(self.page)
        dark(self.page)
        found += violations(self.page, "color-contrast")
        phone(self.page)
        return found + violations(self.page, "scrollable-region-focusable")

    @cached_property
    def overflow(self):
        phone(self.page)
        return self.page.evaluate("document.documentElement.scrollWidth") - 360


def violations(page, *rules):
    page.add_style_tag(content="* { transition: none !important; }")  # colours half-way
    page.evaluate(AXE)
    return page.evaluate(RUN_AXE, list(rules))


def phone(page):
    page.set_viewport_size({"width": 360, "height": 740})
    page.evaluate(SETTLED)


def dark(page):
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")


@pytest.fixture(scope="module")
def looks(browser, site, html):
    """A look at every page, by name; index.html at the top only leads to the front page."""
    pages = [path.relative_to(html).as_posix() for path in html.rglob("*.html")]
    names = sorted(set(pages) - {"index.html"} - {n for n in pages if n.startswith("_static")})
    looks = {name: Look(browser, site + name) for name in names}
    yield looks
    for look in looks.values():
        look.context.close()


def test_no_page_shuts_readers_out(looks):
    assert {name: look.violations for name, look in looks.items() if look.violations} == {}


def test_a_planted_violation_is_found(visit):
    page = visit("book/how-to-cite.html")
    assert violations(page) == []
    page.evaluate(
        """document.querySelector("article").insertAdjacentHTML("beforeend",
        '<img src="../_static/favicon.svg"><p style="color: #aaa; background: #fff">Pale.</p>')"""
    )
    assert sorted(found.split(":")[0] for found in violations(page)) == [
        "color-contrast",
        "image-alt",
    ]


def test_no_page_complains(looks):
    assert {name: look.errors for name, look in looks.items() if look.errors} == {}


def test_no_page_asks_another_host(looks, site):
    asked = {url for look in looks.values() for url in look.requests}
    assert {url for url in asked if not url.startswith((site, "data:", "blob:"))} == set()


def test_no_page_scrolls_sideways_on_a_phone(looks):
    assert {name: look.overflow for name, look in looks.items() if look.overflow > 0} == {}


def test_no_table_of_text_scrolls_sideways_on_a_phone(visit):
    page = visit("book/chapters/claims.html", viewport={"width": 360, "height": 740})
    tables = page.locator(".table-scroll:has(.blocks)")
    assert tables.count() == 2
    for table in tables.all():
        assert table.evaluate("element => element.scrollWidth - element.clientWidth") == 0


def test_pages_are_light_and_readable_at_once(looks):
    """The text waits for little beside itself."""
    unpacked = {name: look.bytes_unpacked for name, look in looks.items()}
    assert {name: size for name, size in unpacked.items() if size > 0.8e6} == {}
    assert {name: look.elements for name, look in looks.items() if look.elements > 12_000} == {}
    for name, look in looks.items():
        assert f"/{name}" in look.blocking
        assert sum(look.blocking.values()) < 120e3, (name, look.blocking)  # 0.6 s of 1.6 Mbit/s
        asked = " ".join(look.requests)
        assert ("searchindex" in asked) == (name == "search.html")
        assert "mathjax" not in asked


@pytest.mark.parametrize("phone", [False, True])
def test_the_benchmark_sees_a_page_painted_and_complete(browser, site, phone):
    paint, complete = timed(browser, f"{site}book/how-to-cite.html", phone=phone)
    assert min(paint, complete) > 0


def test_nothing_jumps_while_a_page_loads(looks):
    assert {name: look.shift for name, look in looks.items() if look.shift > 0.1} == {}


def test_rows_of_a_group_are_named_once_until_they_are_sorted(visit):
    page = visit("book/chapters/benchmark.html")
    table = page.locator("#tab-3")
    rows = table.locator("tbody tr:visible")

    def shown():
        cells = [row.locator("td").first for row in rows.all()]
        return [cell.inner_text() for cell in cells if "repeats" not in cell.get_attribute("class")]

    names = shown()
    assert len(names) == len(set(names)) < rows.count()
    heads = table.locator("thead th")
    ours = [i for i, text in enumerate(heads.all_inner_texts()) if text.startswith("ours")]
    assert len(ours) == 2
    for column in ours:
        for name in names:
            cells = [row.locator("td").nth(column) for row in rows.filter(has_text=name).all()]
            texts = {cell.text_content(): float(cell.inner_text().split()[0]) for cell in cells}
            best = {text for text, value in texts.items() if value == max(texts.values())}
            assert best == {text for text in texts if text.endswith("(best of ours)")}
    heads.nth(1).get_by_role("button").click()
    assert len(shown()) == rows.count()
    heads.nth(0).get_by_role("button").click()
    assert shown() == sorted(names)
    page.get_by_label("Rows with").first.fill("CRCEN")
    assert len(shown()) == rows.count() == len(names)


def test_a_line_of_prose_has_65_to_75_characters(visit):
    page = visit("book/chapters/hundred-sets.html", viewport={"width": 1280, "height": 900})
    page.evaluate(LOADED)
    assert page.evaluate(
        "['', 'italic ', '600 '].every((kind) => document.fonts.check(`${kind}18px 'Report Text'`))"
    )
    lengths = page.evaluate("""() => {
      const lines = {};
      for (const p of document.querySelectorAll("section > p:not(:has(math, code))")) {
        const letters = document.createRange();
        const walk = document.createTreeWalker(p, NodeFilter.SHOW_TEXT);
        for (let text; (text = walk.nextNode()); )
          for (let i = 0; i < text.length; i++) {
            letters.setStart(text, i);
            letters.setEnd(text, i + 1);
            const {bottom} = letters.getBoundingClientRect();
            lines[bottom] = (lines[bottom] ?? 0) + 1;
          }
        delete lines[Math.max(...Object.keys(lines))];  // the last is as long as it is
      }
      return Object.values(lines);
    }""")
    assert 65 <= np.median(lengths) <= 75


def switched(page):
    """The first figure of a page that its reader has turned dark."""
    for _ in range(3):  # light, dark, as the system has it
        page.locator(".theme-switch-button").first.click()
        if page.evaluate("document.documentElement.dataset.theme") == "dark":
            break
    return page.locator("figure img").first


def test_figures_follow_the_switch_of_the_theme(visit):
    page = visit("book/chapters/simulations.html", color_scheme="light")
    light = page.locator("figure img").first.screenshot(animations="disabled")
    figure = switched(page)
    assert figure.evaluate("image => getComputedStyle(image).filter") == "none"
    assert figure.screenshot(animations="disabled") != light


def test_the_switch_and_the_system_lead_to_the_same_dark(visit):
    page = visit("book/chapters/simulations.html", color_scheme="light")
    by_switch = switched(page).screenshot(animations="disabled")
    page = visit("book/chapters/simulations.html", color_scheme="dark")
    assert page.locator("figure img").first.screenshot(animations="disabled") == by_switch


def test_the_pages_have_the_colours_of_the_figures(visit):
    page = visit(EXPLORER, color_scheme="light")
    for scheme in (0, 1):
        for name in ("ink", "muted", "grid", "majority", "minority"):
            script = f"getComputedStyle(document.documentElement).getPropertyValue('--{name}')"
            assert page.evaluate(script).strip() == COLOURS[name][scheme], name
        dark(page)


def test_the_keyboard_reaches_everything(visit):
    page = visit("book/chapters/simulations.html", viewport={"width": 1280, "height": 900})
    where = """() => {
      const at = document.activeElement;
      const style = getComputedStyle(at);
      const places = {".bd-sidebar-primary .bd-links": "menu", ".search-button__button": "search",
                      ".bd-article": "content", ".theme-switch-button": "theme",
                      ".bd-sidebar-secondary": "contents", ".prev-next-footer": "next"};
      const place = Object.keys(places).find((css) => at.closest(css));
      return [places[place], at.tagName, style.outlineStyle];
    }"""
    seen = {}
    for _ in range(300):
        page.keyboard.press("Tab")
        place, tag, outline = page.evaluate(where)
        if place and tag != "BODY":
            seen.setdefault(place, set()).add(outline)
        if place == "content" and tag == "SUMMARY" and "fold" not in seen:
            page.keyboard.press("Enter")
            assert page.locator("details.code[open]").count() == 1
            seen["fold"] = {outline}
        if place == "next":
            break
    assert set(seen) >= {"menu", "search", "content", "theme", "fold", "next"}
    assert {place for place, outlines in seen.items() if "none" in outlines} == set()


def test_a_long_table_is_sorted_and_filtered(visit):
    page = visit("book/chapters/hundred-sets.html")
    table = page.locator("table.sortable")
    head = table.locator("th", has_text="N₁")
    column = head.evaluate("head => head.cellIndex") + 1

    def values():
        cells = table.locator(f"tbody tr:visible td:nth-child({column})").all_inner_texts()
        return [float(cell) for cell in cells]

    before = values()
    for order, expected in (("ascending", sorted(before)), ("descending", sorted(before)[::-1])):
        head.get_by_role("button").press("Enter")  # as the keyboard does
        assert head.get_attribute("aria-sort") == order
        assert values() == expected
    table.locator("th", has_text="family").get_by_role("button").click()
    assert head.get_attribute("aria-sort") is None
    families = table.locator("tbody tr:visible td:nth-child(2)").all_inner_texts()
    assert families == sorted(families)
    page.get_by_label("Rows with").fill(families[0].upper())
    shown = table.locator("tbody tr:visible").all_inner_texts()
    assert 0 < len(shown) < len(before)
    assert all(families[0] in row.lower() for row in shown)


def test_the_search_finds_a_word(visit):
    page = visit("search.html?q=stationary")
    page.locator("#search-results li a").first.wait_for()
    assert "book/" in page.locator("#search-results li a").first.get_attribute("href")


def test_the_search_shows_sentences_and_chapters_first(visit):
    page = visit("search.html?q=threshold")
    page.locator("#search-results li .context").first.wait_for()
    # All places are listed, and each has its text, which comes by itself.
    page.wait_for_function("""() => {
        const found = document.querySelector("#search-results");
        const count = what => found.querySelectorAll(what).length;
        return found.querySelector(".search-summary").innerText.includes("finished")
            && count("li") > 5 && count("li .context") === count("li");
    }""")
    text = page.locator("#search-results").inner_text()
    assert "λ" in text
    assert "\\" not in text
    shown = [summary for summary in page.locator("li .context").all_inner_texts() if summary]
    assert len(shown) > 5
    assert [summary for summary in shown if "threshold" not in summary.lower()] == []
    assert [summary for summary in shown if summary.startswith("…")] == []
    places = page.locator("#search-results li a")
    of_module = ["book/api" in place.get_attribute("href") for place in places.all()]
    assert set(of_module) == {False, True}
    assert of_module == sorted(of_module)


FRACTIONS = """(all) => all.filter((fraction) => fraction.getBoundingClientRect().height > 0)
  .map((fraction) => [...fraction.children].map((part) => part.getBoundingClientRect()))
  .map(([over, under]) => over.bottom - under.top)"""


def test_formulas_are_set_in_the_face_that_is_shipped(visit):
    page = visit("book/chapters/key-equation.html", viewport={"width": 1280, "height": 900})
    page.evaluate(LOADED)
    assert page.evaluate(
        "[...document.fonts].some((face) => face.family.includes('Report Math')"
        " && face.status === 'loaded')"
    )
    overlap = page.locator("article mfrac").evaluate_all(FRACTIONS)
    assert len(overlap) > 10
    assert max(overlap) < 1  # pixels by which a numerator reaches into its denominator


def test_a_formula_is_copied_as_tex(visit):
    page = visit("book/notation.html")
    copied = page.evaluate(
        """() => {
        const row = [...document.querySelectorAll("tr")].find((tr) => tr.querySelector("math"));
        getSelection().selectAllChildren(row);
        const event = new ClipboardEvent("copy", {clipboardData: new DataTransfer()});
        document.dispatchEvent(event);
        return ["text/plain", "text/html"].map((kind) => event.clipboardData.getData(kind));
    }"""
    )
    assert copied[0].startswith("$y = 1$")
    assert "<math" in copied[1]


def test_the_menu_of_downloads_is_opened_by_keys_and_closed(visit):
    page = visit("book/index.html", viewport={"width": 1280, "height": 900})
    button, menu = page.locator(".dropdown-toggle"), page.locator(".dropdown-menu")
    button.focus()
    page.keyboard.press("Enter")
    assert menu.is_visible()
    assert button.get_attribute("aria-expanded") == "true"
    page.keyboard.press("Escape")
    assert menu.is_hidden()
    assert button.get_attribute("aria-expanded") == "false"


# The explorer


def numbers(page):
    """The first number of each reading, and half a unit of its last decimal."""
    readings = {}
    for value in page.locator(".explorer-readings dd").all():
        first = value.inner_text().split()[0]
        half = 0.5 * 10.0 ** -len(first.partition(".")[2])
        readings[value.get_attribute("data-value")] = (float(first), half * 1.001)
    band = page.locator("[data-value=band]").inner_text().split(" to ")
    return readings, [float(end) for end in band]


def fields(page):
    """What stands in the fields."""
    found = page.locator("[data-field]").all()
    return {field.get_attribute("data-field"): float(field.input_value()) for field in found}


def slide(page, name, *keys):
    page.locator(f"#explorer-{name}").focus()
    for key in keys:
        page.keyboard.press(key)


@pytest.mark.parametrize(
    ("lam", "t", "ir", "d", "start"),
    [
        (0.5, 0.5, 10, 2, 0.9),
        (0.909091, 0.3, 10, 3, 0.5),
        (0.5, 0.0099, 100, 1.5, 0.95),
        (0.2, 0.8, 1, 0.7, 0.8),
        (0.9995, 0.5, 1000, 4.5, 0.5),
        (0.9, 0.99, 30, 5, 0.99),
    ],
)
def test_the_explorer_shows_the_numbers_of_the_laws(visit, lam, t, ir, d, start):
    page = visit(f"{EXPLORER}#lam={lam}&t={t}&ir={ir}&d={d}&from={start}")
    readings, band = numbers(page)
    alpha, price, price_start = (
        alpha_from_lam(lam, ir),
        *(lam / (1 - lam) * (1 - t) / t for lam, t in ((lam, t), (start, 0.5))),
    )
    trained, decided = gaussian_point(d, alpha), gaussian_point(d, price / ir)
    at = np.log(np.sort([price, price_start]) / ir) / d
    gained, accused = np.diff(norm.cdf(d / 2 + at)), -np.diff(norm.cdf(d / 2 - at))
    low, high = expense_band(*np.sort([price, price_start]) / ir, ir)
    found, false = decided.recall, ir * (1 - decided.specificity)
    expected = {
        "alpha": alpha,
        "back": prior_shift(t, 1 - lam),
        "p1bar": trained.p1bar,
        "p0bar": trained.p0bar,
        "raw": (trained.p1bar + ir * trained.p0bar) / (1 + ir),
        "prior": 1 / (1 + ir),
        "lhs": (1 - trained.p1bar) / trained.p0bar,
        "rhs": 1 / alpha,
        "fn": 1000 * (1 - found),
        "fp": 1000 * false,
        "precision": found / (found + false),
        "specificity": decided.specificity,
        "expense": ir * (accused / gained).item(),
        "band": low,
    }
    assert set(readings) == set(expected)
    for name, (value, half) in readings.items():
        # Zeros at the end of some are not shown, so their last decimal says less than they do.
        assert abs(value - expected[name]) <= half, name
        assert value == pytest.approx(expected[name], rel=1e-3, abs=half if half < 0.1 else 0), name
    assert band == pytest.approx([low, high], rel=5e-4)
    assert low <= expected["expense"] <= high
    typed = {"lam": lam, "t": t, "ir": ir, "d": d, "recall": found, "price": price}
    assert fields(page) == pytest.approx(typed | {"share": 100 / (1 + ir)}, rel=6e-3, abs=5e-5)


def test_the_explorer_tells_what_is_out_of_its_range_and_clamps_nothing_else(visit):
    page = visit(f"{EXPLORER}#ir=2000&d=0.5")
    note = page.locator(".explorer-note")
    assert "IR goes from 1 to 1000 here" in note.inner_text()
    weight, price = (page.locator(f"[data-field={name}]") for name in ("lam", "price"))
    for wanted in (2000, 10000):
        price.fill(str(wanted))
        assert numbers(page)[0]["alpha"][0] == wanted / 1000
        assert not note.is_visible()
    weight.fill("0.9999999")
    weight.press("Enter")
    assert "λ goes from 0.001 to 0.99999 here" in note.inner_text()
    weight.fill("0,9")  # a decimal comma
    assert not note.is_visible()
    assert numbers(page)[0]["rhs"][0] == pytest.approx(1000 / 9, rel=1e-3)
    weight.fill("nothing")
    weight.blur()
    assert "a number above 0, please" in note.inner_text()
    assert weight.input_value() == "0.900"
    page.locator("[data-field=recall]").fill("90")
    page.locator("[data-field=recall]").blur()
    assert "above 0 and below 1" in note.inner_text()
    for address in ("lam=0.99999&t=0.00001&ir=1000&d=0.5", "lam=0.001&t=0.999&ir=1000&d=0.5"):
        page.goto(page.url.partition("#")[0] + "#" + address)
        shown = [page.locator(".explorer-readings").inner_text()]
        shown += [field.input_value() for field in page.locator("[data-field]").all()]
        assert not re.search(r"\d[eE][+-]|NaN|Infinity", " ".join(shown))


def test_a_threshold_decides_as_the_weight_does(visit):
    page = visit(f"{EXPLORER}#ir=50")

    def decisions():
        return {name: numbers(page)[0][name] for name in ("fn", "fp", "precision", "specificity")}

    def means():
        return [numbers(page)[0][name][0] for name in ("p1bar", "raw")]

    page.get_by_role("button", name="Balanced").click()
    balanced, raised = decisions(), means()
    page.get_by_role("button", name="Plain, cut at").click()
    assert decisions() == balanced
    assert fields(page)["lam"] == 0.5
    assert fields(page)["t"] == pytest.approx(1 / 51, abs=5e-5)
    assert means()[0] < raised[0]
    assert means()[1] == pytest.approx(1 / 51, abs=1e-4)  # without a weight p is calibrated
    page.get_by_label("lock the boundary").check()
    before = fields(page)["t"]
    slide(page, "lam", *["ArrowRight"] * 20)
    assert fields(page)["t"] > before
    slide(page, "t", "ArrowRight")
    assert decisions() == balanced
    page.get_by_label("lock the boundary").uncheck()
    slide(page, "t", "ArrowRight")
    assert decisions() != balanced


def test_a_wish_gives_the_weight_or_the_threshold(visit):
    page = visit(f"{EXPLORER}#lam=0.5&t=0.5&ir=20&d=2")
    recall, price = (page.locator(f"[data-field={name}]") for name in ("recall", "price"))
    recall.fill("0.9")
    log_alpha = 2 * (norm.ppf(0.9) - 1)
    assert fields(page)["lam"] == pytest.approx(expit(log_alpha + np.log(20)), abs=5e-5)
    assert numbers(page)[0]["fn"][0] == 100
    price.fill("5")
    assert fields(page)["lam"] == pytest.approx(5 / 6, abs=5e-4)
    page.get_by_role("button", name="Plain", exact=True).click()
    page.get_by_label("Wishes and drags move").select_option(label="the threshold")
    price.fill("5")
    assert (fields(page)["lam"], fields(page)["t"]) == (0.5, pytest.approx(1 / 6, abs=5e-4))
    page.locator("[data-field=share]").fill("10")
    assert fields(page)["ir"] == 9


def test_the_boundary_and_the_point_are_dragged(visit):
    page = visit(f"{EXPLORER}#ir=10&d=2", viewport={"width": 1280, "height": 900})
    boundary, point = page.locator("[role=slider].handle").all()

    def pull(handle, right, down):
        box = handle.locator("circle").first.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + right, y + down, steps=4)
        page.mouse.up()

    before = fields(page)
    pull(boundary, 40, 0)
    dragged = fields(page)
    assert dragged["lam"] < before["lam"]
    assert dragged["recall"] < before["recall"]
    assert dragged["t"] == before["t"]
    pull(point, -30, -60)  # fewer missed, more accused
    assert fields(page)["recall"] > dragged["recall"]
    for handle, key in ((boundary, "ArrowRight"), (point, "PageUp")):
        recall, at = fields(page)["recall"], float(handle.get_attribute("aria-valuenow"))
        handle.press(key)
        assert fields(page)["recall"] < recall
        assert float(handle.get_attribute("aria-valuenow")) > at
    assert f"lam={fields(page)['lam']:.3f}"[:7] in page.url


def test_a_finger_drags_the_boundary(visit):
    page = visit(EXPLORER, viewport={"width": 390, "height": 844}, has_touch=True)
    before = fields(page)
    box = page.locator(".handle circle").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = page.context.new_cdp_session(page)
    for kind, right in (
        ("touchStart", 0),
        ("touchMove", 15),
        ("touchMove", 40),
        ("touchEnd", None),
    ):
        points = [] if right is None else [{"x": x + right, "y": y}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.wait_for_function(
        "before => document.querySelector('[data-field=lam]').value < before",
        arg=str(before["lam"]),
    )


def test_the_bells_are_drawn_as_counted_and_as_weighted(visit):
    page = visit(f"{EXPLORER}#lam=0.5&t=0.5&ir=20&d=2")

    def heights():
        curves = page.locator(".curve.majority, .curve.minority:not(.dashed)").all()
        return [curve.bounding_box()["height"] for curve in curves]

    def ratio(bells):
        page.get_by_label("Bells").select_option(label=bells)
        majority, minority = heights()
        return minority / majority

    # With the width of the lines
    assert ratio("of one size") == pytest.approx(1, abs=0.02)
    assert ratio("as counted") == pytest.approx(1 / 20, abs=0.06)
    page.locator("[data-field=lam]").fill(str(40 / 41))
    assert ratio("as counted") == pytest.approx(1 / 20, abs=0.06)
    assert ratio("as weighted") == pytest.approx(2, abs=0.15)


def test_the_presets_have_the_imbalance_and_the_ranking_of_the_sets(visit):
    splits = compared(Record(ROOT / "results"))
    page = visit(EXPLORER)
    chosen = page.get_by_label("Data", exact=True)
    names = {split.dataset for split in splits}
    assert chosen.locator("option").count() == 1 + len(names)
    for name in names:
        own = [split.test[PLAIN] for split in splits if split.dataset == name]
        option = chosen.locator("option", has_text=DATASETS[name].title)
        chosen.select_option(option.get_attribute("value"))
        auc = np.mean([roc_auc_score(found.labels, found.logits) for found in own])
        assert norm.cdf(fields(page)["d"] / np.sqrt(2)) == pytest.approx(auc, abs=3e-3)
        rows = sum(found.labels.size for found in own) / sum(found.labels.sum() for found in own)
        assert fields(page)["ir"] == pytest.approx(rows - 1, rel=0.1)  # test rows, a few less


def test_what_to_try_is_a_button(visit):
    page = visit(EXPLORER, viewport={"width": 1280, "height": 900})
    buttons = page.get_by_role("button", name="Try it")
    assert buttons.count() == page.locator("#what-to-try li").count()
    seen = set()
    for button in buttons.all():
        button.click()
        seen.add(str(fields(page)))
        assert page.locator(".explorer").first.bounding_box()["y"] >= 0
        page.wait_for_function("scrollY < 400")
    assert len(seen) == buttons.count()


def test_the_keyboard_moves_the_explorer_and_the_address_keeps_it(visit):
    page = visit(EXPLORER)
    for name in ("lam", "t", "ir", "d"):
        before = numbers(page)
        slide(page, name, "ArrowRight")
        assert numbers(page) != before, name
    page.get_by_label("Bells").select_option("counted")
    now = numbers(page), fields(page)
    told = page.locator(".explorer [role=status]").inner_text()
    assert told.split("accuses ")[1].startswith(f"{now[0][0]['fp'][0]:g}")
    page.reload()
    assert (numbers(page), fields(page)) == now
    assert page.get_by_label("Bells").input_value() == "counted"
    page.get_by_role("button", name="Balanced").click()
    assert numbers(page)[0]["rhs"][0] == 1


def test_a_redraw_of_the_explorer_puts_no_node_into_the_page_and_takes_none_out(visit):
    """Or the browser asks of the whole page which rules apply now, which takes most of the time."""
    page = visit(EXPLORER)
    page.evaluate("""window.nodes = []; new MutationObserver((changes) => window.nodes.push(
        ...changes.map((change) => change.target.outerHTML))
    ).observe(document.querySelector("article"), { childList: true, subtree: true })""")
    for lam in (0.2, 1.9):
        page.evaluate(
            """(value) => { const slider = document.querySelector("#explorer-lam");
            slider.value = value; slider.dispatchEvent(new Event("input")); }""",
            lam,
        )
    assert page.evaluate("new Promise((done) => setTimeout(() => done(window.nodes)))") == []
    assert numbers(page)[0]["alpha"][0] > 1


def test_three_keys_lead_to_the_first_slider(visit):
    page = visit(EXPLORER)
    for key in ("Tab", "Tab", "Enter"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.id") == "explorer-lam"


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_the_controls_of_the_explorer_stand_in_the_first_screen_with_what_they_move(
    visit, width, height
):
    page = visit(EXPLORER, viewport={"width": width, "height": height})
    page.evaluate(LOADED)
    for what in ("#explorer-lam", "#explorer-t", "#explorer-ir", "#explorer-d", ".handle >> nth=0"):
        box = page.locator(what).bounding_box()
        assert box["y"] + box["height"] < height, what


@pytest.mark.parametrize("name", [EXPLORER, FRONT])
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_nothing_jumps_where_a_script_takes_a_figures_place(browser, site, name, width, height):
    context = new_context(browser, viewport={"width": width, "height": height})
    context.add_init_script("""window.shift = 0; new PerformanceObserver((list) =>
        list.getEntries().forEach((entry) => (window.shift += entry.value))
    ).observe({type: "layout-shift", buffered: true})""")
    page = context.new_page()
    page.goto(site + name)
    page.evaluate(LOADED)
    page.evaluate(SETTLED)
    assert page.evaluate("window.shift") < 0.1
    context.close()


def test_no_line_of_the_explorer_crosses_a_label(visit):
    page = visit(EXPLORER, viewport={"width": 1280, "height": 900})
    labels = page.locator(".explorer-panels text:is(.majority, .minority)").all()
    for recall in ("0.999", "0.9", "0.5", "0.05"):
        page.locator("[data-field=recall]").fill(recall)
        line = page.locator(".boundary").bounding_box()
        for label in labels:
            box = label.bounding_box()
            assert box["y"] + box["height"] <= line["y"] + 1


def test_without_scripts_a_figure_stands_in_the_explorers_place(browser, html):
    context = new_context(browser, java_script_enabled=False)
    page = context.new_page()
    for name, figure in ((EXPLORER, "#fig-explorer"), (FRONT, "#fig-same-boundary-here")):
        page.goto((html / name).as_uri())
        image = page.locator(f"{figure} img")
        assert image.is_visible()
        assert "boundary" in image.get_attribute("alt")
        assert page.locator("input[type=range], article button[data-explorer]:visible").count() == 0
    context.close()


def test_the_explorer_works_from_a_file_and_weighs_little(browser, html):
    context = new_context(browser, viewport={"width": 360, "height": 740}, has_touch=True)
    page = context.new_page()
    page.goto((html / EXPLORER).as_uri())
    before = numbers(page)
    page.locator("#explorer-d").tap(position={"x": 2, "y": 16})
    assert numbers(page) != before
    assert "d=0.5" in page.url
    context.close()
    assert (html / "_static/explorer.js").stat().st_size < 25_000
    for script, user in (("explorer.js", "explorer.html"), ("boundary.js", "index.html")):
        assert [path.name for path in html.rglob("*.html") if script in path.read_text()] == [user]


# What links show in place


def opened(page, file):
    """Open a page from the disk, where scripts may read no file."""
    page.goto(file.as_uri())
    page.evaluate(LOADED)
    return page.locator("#preview")


def first_link(page, kind):
    return page.locator(f"article a[href*='{kind}']:not(.headerlink):visible").first


def said(text):
    return re.sub(r"\W+", "", text)


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        ("chapters/one-curve", "#prop-"),
        ("chapters/simulations", "#equation-"),
        ("chapters/claims", "#claim-"),
        ("chapters/effect-of-lambda", "#fig-"),
        ("chapters/benchmark-choices", "#tab-"),
        ("index", "bibliography.html#"),
    ],
)
def test_a_link_shows_the_thing_to_which_it_leads(browser, html, page, kind):
    with new_context(browser, viewport={"width": 1280, "height": 900}) as context:
        box = opened(reader := context.new_page(), html / f"book/{page}.html")
        link = first_link(reader, kind)
        shift = "document.documentElement.scrollHeight"
        before = reader.evaluate(shift)
        link.hover()
        box.wait_for()
        shown, address = said(box.inner_text()), link.evaluate("link => link.href")
        assert link.get_attribute("aria-describedby") == box.get_attribute("id")
        assert box.get_attribute("role") == "tooltip"
        assert reader.evaluate(shift) == before
        reader.keyboard.press("Escape")
        assert box.is_hidden()
        assert link.get_attribute("aria-describedby") is None
        reader.mouse.move(0, 0)
        reader.keyboard.press("Shift")  # from here on, as one who uses the keyboard
        link.focus()
        box.wait_for()
        link.blur()
        assert box.is_hidden()
        reader.goto(address)
        reader.evaluate(LOADED)
        there = reader.locator(f"[id='{address.partition('#')[2]}']")
        for mark in there.locator(".headerlink").all():
            mark.evaluate("mark => mark.remove()")
        assert said(there.inner_text()) == shown
        if kind == "#fig-":
            assert there.locator("img").count() == 1


def test_a_symbol_shows_its_meaning(browser, html):
    with new_context(browser) as context:
        box = opened(reader := context.new_page(), html / "book/chapters/key-equation.html")
        first_link(reader, "#symbol-lambda").hover()
        box.wait_for()
        assert "weight of the minority in the loss" in box.inner_text()
        assert box.locator("math").count() == 1


def test_a_number_shows_what_it_rests_on(browser, book, html):
    made = json.loads((book / "book/chapters/simulations.ipynb").read_text())["metadata"]["crcen"]
    with new_context(browser) as context:
        box = opened(reader := context.new_page(), html / "book/index.html")
        first_link(reader, "simulations.html#number-sim_holds").hover()
        box.wait_for()
        text = box.inner_text()
    assert "Computed by a cell of Simulations at commit" in text
    assert f"profile {made['profile']}" in text
    assert all(f"{name} = {value!r}" in text for name, value in made["parameters"].items())
    recorded = json.loads((ROOT / "notebooks/recorded.json").read_text())
    said = recorded["chapters"]["simulations"]["said"]["texts"]["sim_holds"]
    assert f"{recorded['kernels']['numba']}" in text
    assert f": {said}, " in text


def test_the_first_tap_shows_and_the_second_leads_there(browser, html):
    size = {"width": 360, "height": 740}
    with new_context(browser, viewport=size, has_touch=True, is_mobile=True) as context:
        box = opened(reader := context.new_page(), html / "book/chapters/simulations.html")
        link = first_link(reader, "key-equation.html#equation-")
        here = reader.url
        link.tap()
        box.wait_for()
        assert reader.url == here
        go = box.get_by_role("link", name="Go there")
        assert go.get_attribute("href").endswith("key-equation.html#equation-eq-key")
        edges = box.bounding_box()
        assert 0 <= edges["x"] < edges["x"] + edges["width"] <= 360
        assert violations(reader, "color-contrast", "target-size") == []
        reader.locator("article h1").tap()
        assert box.is_hidden()
        link.tap()
        box.wait_for()
        link.tap()
        reader.wait_for_url("**/key-equation.html#equation-eq-key")


def test_what_is_shown_is_readable_in_the_dark_too(browser, html):
    with new_context(browser, color_scheme="dark") as context:
        box = opened(reader := context.new_page(), html / "book/chapters/claims.html")
        first_link(reader, "#claim-").hover()
        box.wait_for()
        assert violations(reader, "color-contrast") == []


def test_pages_load_nothing_of_what_links_show_before_it_is_asked_for(looks):
    asked = {url for look in looks.values() for url in look.requests}
    assert [url for url in asked if "_previews/" in url] == []


def test_without_scripts_links_lead_and_the_command_lists_the_parameters(browser, html):
    with new_context(browser, java_script_enabled=False) as context:
        reader = context.new_page()
        reader.goto((html / "book/chapters/simulations.html").as_uri())
        reader.locator("details.rerun summary").click()
        assert reader.locator("details.rerun form").is_hidden()
        command = reader.locator("details.rerun pre").inner_text()
        assert command.endswith("run.py simulations --profile smoke --help")
        first_link(reader, "#equation-eq-key").click()
        reader.wait_for_url("**/key-equation.html#equation-eq-key")


# The form that writes the command


@pytest.fixture
def rerun(browser, html):
    """Open the form of a chapter, and fill it: return the command, or what is wrong."""
    with new_context(browser, viewport={"width": 1280, "height": 900}) as context:
        reader = context.new_page()

        def fill(chapter, **values):
            reader.goto((html / f"book/chapters/{chapter}.html").as_uri())
            reader.locator("details.rerun summary").click()
            for name, text in values.items():
                field = reader.locator(f"details.rerun [name={name}]")
                if field.evaluate("field => field.tagName") == "SELECT":
                    field.select_option(text)
                else:
                    field.fill(text)
            wrong = reader.locator("details.rerun .wrong").inner_text()
            command = reader.locator("details.rerun pre")
            assert command.is_visible() is not bool(wrong)
            return wrong or command.inner_text()

        yield fill


def asked_for(chapter, values):
    """What the driver makes of the values, or what it says of them."""
    source = ROOT / f"notebooks/{chapter}.md"
    try:
        return read_grid(source, [f"{name}={text}" for name, text in values.items()])[0]
    except RunError as error:
        return str(error)


@pytest.mark.parametrize(
    ("chapter", "values"),
    [
        ("simulations", {"n_runs": "10", "seed": "7"}),
        ("simulations", {"l2": "1e-3", "n_jobs": "+2"}),
        ("benchmark", {"score": "gmean"}),
        ("separable-data", {"names": "['abalone', \"scene\"]", "penalties": "[1e-3, 1]"}),
        ("separable-data", {"names": "[abalone, scene]"}),
        ("your-data", {"path": "it's mine.csv", "alphas": "(1, 2.5)"}),
    ],
)
def test_the_command_asks_for_what_stands_in_the_form(rerun, chapter, values):
    words = shlex.split(rerun(chapter, **values))
    assert words[:5] == [".venv/bin/python", "notebooks/run.py", chapter, "--profile", "smoke"]
    found = dict(word.split("=", 1) for word in words[5:])
    assert asked_for(chapter, found) == asked_for(chapter, values)
    assert set(found) == set(values)
    assert set(asked_for(chapter, found)) == set(values)  # not a complaint


NO_COUNTS = ("0", "-3", "1.50", "ten", "", "[1]", "True", "yes", "1e3", "None", "it's", "07.5")
NO_TOLERANCES = ("0", "-1e-5", "-0.00012", "-1e20", "'a'", "off")


@pytest.mark.parametrize(
    ("chapter", "values"),
    [
        *(("simulations", {"n_runs": text}) for text in NO_COUNTS),
        *(("simulations", {"tol": text}) for text in NO_TOLERANCES),
        ("simulations", {"seed": "40000000000000000000"}),
        ("simulations", {"seed": "-1_000"}),
        *(
            ("separable-data", {"names": text})
            for text in ("[]", "abalone", "['ab']", "[1, 2.0]", "(1,)", "[abalone, ab]")
        ),
        ("separable-data", {"penalties": "[0.1, -1e-7]"}),
    ],
)
def test_a_bad_value_is_refused_in_the_words_of_the_command(rerun, chapter, values):
    assert rerun(chapter, **values) == asked_for(chapter, values)


# The first screen of the front page


@pytest.mark.parametrize(
    ("width", "height", "more"), [(1280, 900, [".ways", ".at-hand"]), (390, 844, [])]
)
def test_the_first_screen_holds_the_answer_what_shows_it_the_verdicts_and_three_ways_in(
    visit, width, height, more
):
    page = visit(FRONT, viewport={"width": width, "height": height})
    page.evaluate(LOADED)
    shown = [".byline", ".answer", ".boundary-live input", ".boundary-live .result", ".verdict-bar"]
    for what in (*shown, *more):
        box = page.locator(what).bounding_box()
        assert box["y"] + box["height"] <= height, what
    ways = [way.bounding_box() for way in page.locator(".ways li a:first-child").all()]
    assert len(ways) == 3
    assert max(way["y"] + way["height"] for way in ways) <= height
    assert len({way["y"] for way in ways}) == 1  # a row
    assert not re.search("[λα\\\\]", page.locator(".answer").inner_text())


def test_one_slider_moves_both_boundaries(visit):
    page = visit(FRONT)
    slider = page.locator(".boundary-live input")
    chapter = declared(ROOT / "notebooks/explorer.md")  # its figure stands there without scripts
    ir, distance = (chapter[name].default for name in ("ir", "distance"))

    def lines():
        return [line.get_attribute("x1") for line in page.locator(".boundary-live .boundary").all()]

    seen = set()
    for key in (None, "Home", "ArrowRight", "End"):
        if key:
            slider.press(key)
        price = 10 ** float(slider.input_value())
        weight, threshold = price / (1 + price), 1 / (1 + price)
        titles = page.locator(".boundary-live .explorer-panels p").all_inner_texts()
        assert titles == [f"Weight {weight:.2f}, cut at 0.50", f"No weight, cut at {threshold:.2f}"]
        first, second = lines()
        assert first == second
        seen.add(first)
        point = gaussian_point(distance, price / ir)
        found = re.findall(r"[\d,]+(?= of)", page.locator(".boundary-live .result").inner_text())
        counts = [int(number.replace(",", "")) for number in found]
        expected = [100 * point.recall, 100 * ir * (1 - point.specificity)]
        assert counts == pytest.approx(expected, abs=0.51)
    assert len(seen) == 4


def test_few_clicks_lead_from_the_front_page_to_what_is_wanted(visit):
    page = visit(FRONT)
    bar = page.locator(".verdict-bar a")
    counts = [int(part.evaluate("part => getComputedStyle(part).flexGrow")) for part in bar.all()]
    legend = page.locator(".verdict-legend a")
    assert counts == [int(text.split()[0]) for text in legend.all_inner_texts()]
    legend.nth(0).click()  # one click: a verdict in the ledger
    anchor = page.url.partition("#verdict-")[2]
    row = page.locator("tr", has=page.locator(f"#verdict-{anchor}"))
    assert f'class="verdict {anchor}"' in row.inner_html()
    paper = page.locator("table").first.locator("tbody tr")
    assert sum(counts) == paper.count()
    page.goto(page.url.replace("chapters/claims.html", "index.html").partition("#")[0])
    page.locator(".ways").get_by_role("link", name="explorer").click()  # two: a wish for a recall
    page.locator("[data-field=recall]").fill("0.9")
    assert fields(page)["lam"] > 0.9


def test_links_to_pages_have_a_description_and_a_picture(html):
    described = {}
    for path in html.glob("book/**/*.html"):
        page = BeautifulSoup(path.read_text(), "html.parser")
        said = page.select_one("meta[name=description]")["content"]
        assert len(said) > 30, path.name
        assert "\\" not in said, path.name
        assert page.select_one("meta[property='og:description']")["content"] == said
        assert page.select_one("meta[property='og:title']")["content"]
        picture = page.select_one("meta[property='og:image']")["content"]
        assert (path.parent / picture).read_bytes().startswith(b"\x89PNG")
        described[said] = path.name
    assert len(described) == len([*html.glob("book/**/*.html")])
