"""Tests of the built pages in a real browser: access, weight, phones, keyboard, the explorer."""

import gzip
import json
import os
import re
import shlex
import shutil
import threading
from functools import cache, cached_property
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from driver.parameters import RunError, read_grid
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
LOADED = "() => window.MathJax ? MathJax.startup.promise.then(() => true) : true"
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


@cache
def compressed(path):
    return gzip.compress(Path(path).read_bytes(), 6)


@pytest.fixture(scope="module")
def site(html):
    """The book on localhost, compressed, as hosts of static pages send it."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=html)

        def copyfile(self, source, outputfile):
            outputfile.write(compressed(source.name))

        def send_header(self, keyword, value):
            if keyword == "Content-Length":  # of the file; what is sent ends with the connection
                keyword, value = "Content-Encoding", "gzip"
            super().send_header(keyword, value)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


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
        self.page = self.context.new_page()
        self.errors, self.requests = [], []
        self.page.on("console", lambda m: m.type == "error" and self.errors.append(m.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(url)
        self.page.evaluate(LOADED)
        self.blocking = dict(self.page.evaluate(BLOCKING))
        self.bytes = self.page.evaluate(WEIGHT, "transferSize")
        self.bytes_unpacked = self.page.evaluate(WEIGHT, "decodedBodySize")

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
    """The text waits for little beside itself; the mathematics is typeset after it."""
    assert {name: look.bytes for name, look in looks.items() if look.bytes > 1.5e6} == {}
    unpacked = {name: look.bytes_unpacked for name, look in looks.items()}
    assert {name: size for name, size in unpacked.items() if size > 3e6} == {}
    for name, look in looks.items():
        assert f"/{name}" in look.blocking
        assert sum(look.blocking.values()) < 200e3, (name, look.blocking)  # a second of 1.6 Mbit/s
        assert "mathjax" not in " ".join(look.blocking).lower(), name


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


def test_the_search_shows_no_source_of_mathematics(visit):
    page = visit("search.html?q=threshold")
    page.locator("#search-results li .context").first.wait_for()
    # All pages are listed, and each has its text, which comes by itself.
    page.wait_for_function("""() => {
        const found = document.querySelector("#search-results");
        const count = what => found.querySelectorAll(what).length;
        return found.querySelector(".search-summary").innerText.includes("finished")
            && count("li") > 5 && count("li .context") === count("li");
    }""")
    text = page.locator("#search-results").inner_text()
    assert "λ" in text
    assert "\\" not in text


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
        assert box.locator("mjx-container").count() == 1  # typeset


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
