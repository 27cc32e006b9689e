"""How soon the built pages are there for a first visit, and the explorer has drawn anew."""

from __future__ import annotations

import gzip
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from settings import Settings

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "book"))
SEEN = """() => {
  const [{loadEventEnd}] = performance.getEntriesByType("navigation");
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  return paint && loadEventEnd ? [paint.startTime, loadEventEnd] : null;
}"""
# A slider moves; the browser lays the page out at once, because it is asked how high it is.
MOVES = """async () => {
  const slider = document.querySelector("#explorer-lam"), found = [];
  for (let k = 0; k < 200; k++) {
    slider.value = -1 + k / 100;
    const start = performance.now();
    slider.dispatchEvent(new Event("input"));
    const drawn = performance.now();
    void document.documentElement.offsetHeight;
    found.push([drawn - start, performance.now() - start]);
    if (k % 20 === 0) await new Promise(requestAnimationFrame);
  }
  return found;
}"""
# A phone of the middle range in a mobile network: a quarter of the processor, 1.6 Mbit/s.
PROCESSOR, NETWORK = 4, {"offline": False, "latency": 150, "uploadThroughput": 94e3}
NETWORK |= {"downloadThroughput": 200e3}


@cache
def compressed(path: str) -> bytes:
    """Compress a file, once."""
    return gzip.compress(Path(path).read_bytes(), 6)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on localhost, compressed, as hosts of static pages do; yield the address."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

        def copyfile(self, source: Any, outputfile: Any) -> None:
            outputfile.write(compressed(source.name))

        def send_header(self, keyword: str, value: str) -> None:
            if keyword == "Content-Length":  # of the file; what is sent ends with the connection
                keyword, value = "Content-Encoding", "gzip"
            super().send_header(keyword, value)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:  # or the thread keeps the process after an error or Ctrl-C
        server.shutdown()
        thread.join()
        server.server_close()


def visit(browser: Any, url: str, *, phone: bool) -> list[float]:
    """Open a page with an empty cache; return the milliseconds to its first paint and its end."""
    size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 900}
    context = browser.new_context(viewport=size)
    page = context.new_page()
    if phone:
        session = context.new_cdp_session(page)
        session.send("Network.emulateNetworkConditions", NETWORK)
        session.send("Emulation.setCPUThrottlingRate", {"rate": PROCESSOR})
    page.goto(url)
    times: list[float] = page.wait_for_function(SEEN).json_value()
    context.close()
    return times


def redraws(browser: Any, url: str) -> pd.DataFrame:
    """Move a slider of the explorer 200 times; return how long it took, with and without layout."""
    rows = []
    for width, height in ((1280, 900), (390, 844)):
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(url)
        page.wait_for_selector("#explorer-lam")
        page.evaluate(MOVES)  # once, so that the script is compiled
        script, whole = np.array(page.evaluate(MOVES)).T
        row = {"width": width, "script_ms": np.median(script), "redraw_ms": np.median(whole)}
        rows.append(row | {"redraw_ms_90": np.quantile(whole, 0.9)})
        page.close()
    return pd.DataFrame(rows)


def pages(settings: Settings, _: list[str]) -> Iterator[dict[str, pd.DataFrame]]:
    """Measure every page of the book in `_build`, on a desk and on a phone, and the explorer."""
    from pdf import find_browser
    from playwright.sync_api import sync_playwright

    folder, found = ROOT / "_build/html", []
    names = sorted(path.relative_to(folder).as_posix() for path in folder.glob("book/**/*.html"))
    if not names:
        raise FileNotFoundError("no page is built: `make book`")
    with served(folder) as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        for name in names[: settings.pages]:
            row: dict[str, Any] = {"page": name.removesuffix(".html")}
            for prefix, phone in (("", False), ("phone_", True)):
                visits = [visit(browser, site + name, phone=phone) for _ in range(settings.visits)]
                paint, complete = np.median(visits, axis=0)
                row |= {f"{prefix}paint_ms": paint, f"{prefix}complete_ms": complete}
            found.append(row)
            print(f"  {row['page']}: complete after {row['complete_ms']:.0f} ms", flush=True)
        drawn = redraws(browser, f"{site}book/chapters/explorer.html")
        browser.close()
    yield {"pages": pd.DataFrame(found), "redraws": drawn}
