"""Tests of the built pages in a real browser: access, weight, phones, keyboard, the explorer."""

import os
import shutil
from functools import cached_property
from importlib.resources import files

import numpy as np
import pytest
from pages import served
from pages import visit as timed
from plots import COLOURS
from scipy.stats import norm

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


@pytest.fixture(scope="module")
def site(html):
    """The book on localhost, compressed, as hosts of static pages send it."""
    with served(html) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    executable = shutil.which("chromium")
    if not executable:
        assert not os.environ.get("CRCEN_BROWSER"), "no chromium: apt-get install chromium"
        pytest.skip("no chromium on the path; with CRCEN_BROWSER=1 this is a failure")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
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
        self.bytes_unpacked = self.page.evaluate(WEIGHT, "decodedBodySize")
        self.shift = self.page.evaluate("window.shift")
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


def test_figures_follow_the_switch_of_the_theme(visit):
    page = visit("book/chapters/simulations.html", color_scheme="light")
    figure = page.locator("figure img").first
    light = figure.screenshot(animations="disabled")
    for _ in range(3):  # light, dark, as the system has it
        page.locator(".theme-switch-button").first.click()
        if page.evaluate("document.documentElement.dataset.theme") == "dark":
            break
    assert figure.evaluate("image => getComputedStyle(image).filter") == "none"
    switched = figure.screenshot(animations="disabled")
    assert switched != light
    dark_page = visit("book/chapters/simulations.html", color_scheme="dark")
    assert dark_page.locator("figure img").first.screenshot(animations="disabled") == switched


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
    for _ in range(150):
        page.keyboard.press("Tab")
        place, tag, outline = page.evaluate(where)
        if place and tag != "BODY":
            seen.setdefault(place, set()).add(outline)
        if place == "content" and tag == "SUMMARY" and "fold" not in seen:
            page.keyboard.press("Enter")
            assert page.locator("details.hide[open]").count() == 1
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


def shown(page):
    """The first number of each reading, and half a unit of its last decimal."""
    readings = {}
    for value in page.locator(".explorer-readings dd").all():
        first = value.inner_text().split()[0]
        half = 0.5 * 10.0 ** -len(first.partition(".")[2])
        readings[value.get_attribute("data-value")] = (float(first), half * 1.001)
    band = page.locator("[data-value=band]").inner_text().split(" to ")
    return readings, [float(end) for end in band]


@pytest.mark.parametrize(
    ("lam", "ir", "d", "start"),
    [
        (0.5, 10, 2, 0.9),
        (0.909091, 10, 3, 0.5),
        (0.99, 100, 1.5, 0.95),
        (0.2, 1, 0.7, 0.8),
        (0.998, 30, 4.5, 0.5),
    ],
)
def test_the_explorer_shows_the_numbers_of_the_laws(visit, lam, ir, d, start):
    page = visit(f"{EXPLORER}#lam={lam}&ir={ir}&d={d}&from={start}")
    readings, band = shown(page)
    alpha, alpha_start = (x / (1 - x) / ir for x in (lam, start))
    point = gaussian_point(d, alpha)
    t = np.log(sorted([alpha, alpha_start])) / d
    gained, accused = np.diff(norm.cdf(d / 2 + t)), -np.diff(norm.cdf(d / 2 - t))
    low, high = expense_band(*sorted([alpha, alpha_start]), ir)
    expected = {
        "p1bar": point.p1bar,
        "p0bar": point.p0bar,
        "lhs": (1 - point.p1bar) / point.p0bar,
        "rhs": 1 / alpha,
        "recall": point.recall,
        "specificity": point.specificity,
        "fn": 1000 * (1 - point.recall),
        "fp": 1000 * ir * (1 - point.specificity),
        "expense": ir * (accused / gained).item(),
        "band": low,
    }
    assert set(readings) == set(expected)
    for name, (value, half) in readings.items():
        assert abs(value - expected[name]) <= half, name
    assert band == pytest.approx([low, high], rel=5e-4)
    assert low <= expected["expense"] <= high


def test_the_keyboard_moves_the_explorer_and_the_address_keeps_it(visit):
    page = visit(EXPLORER)
    for name in ("lam", "alpha", "ir", "d"):
        before = shown(page)
        page.locator(f"#explorer-{name}").focus()
        page.keyboard.press("ArrowRight")
        assert shown(page) != before, name
    now = shown(page)
    told = page.locator(".explorer [role=status]").inner_text()
    assert told.split("accuses ")[1].startswith(f"{now[0]['fp'][0]:g}")
    page.reload()
    assert shown(page) == now
    page.get_by_role("button", name="Balanced").click()
    assert shown(page)[0]["rhs"][0] == 1


def test_without_scripts_a_figure_stands_in_the_explorers_place(browser, html):
    context = new_context(browser, java_script_enabled=False)
    page = context.new_page()
    page.goto((html / EXPLORER).as_uri())
    image = page.locator("#fig-explorer img")
    assert image.is_visible()
    assert "boundary" in image.get_attribute("alt")
    assert page.locator("input[type=range]").count() == 0
    context.close()


def test_the_explorer_works_from_a_file_and_weighs_little(browser, html):
    context = new_context(browser, viewport={"width": 360, "height": 740}, has_touch=True)
    page = context.new_page()
    page.goto((html / EXPLORER).as_uri())
    before = shown(page)
    page.locator("#explorer-d").tap(position={"x": 2, "y": 20})
    assert shown(page) != before
    assert "d=0.5" in page.url
    context.close()
    assert (html / "_static/explorer.js").stat().st_size < 25_000
    users = [path.name for path in html.rglob("*.html") if "explorer.js" in path.read_text()]
    assert users == ["explorer.html"]
