import json

import jupytext
import pytest
import run
import tiny
from bs4 import BeautifulSoup
from driver.pages import _css, glued


@pytest.mark.slow
def test_a_reader_runs_one_notebook_apart_from_the_book(project, capsys):
    before = (project / "book/chapters/tiny.ipynb").read_bytes()
    asked = ["--profile", "smoke", "tiny", "n_runs=7", "sizes=(1,)", "method=rus"]
    assert run.main(asked, root=project) == 0
    (notebook,) = (project / "runs").glob("tiny-*.ipynb")
    assert tiny.printed(notebook) == "48 0.5 [1] rus\n"
    made = json.loads(notebook.read_text())["metadata"]["crcen"]
    assert made["given"] == {"n_runs": 7, "sizes": [1], "method": "rus"}
    assert (project / "book/chapters/tiny.ipynb").read_bytes() == before
    html = notebook.with_suffix(".html")
    assert str(html) in capsys.readouterr().out
    page = BeautifulSoup(html.read_text(), "html.parser")
    assert page.title.text.startswith("Tiny")
    assert "method = 'rus', n_runs = 7, sizes = [1]" in page.main.text
    assert "48 0.5 [1] rus" in page.main.text
    assert "It is 48, for x>0, by (1): see the other." in page.main.text
    stands_alone(page)
    assert run.main(asked, root=project) == 0
    assert f"{notebook.stem:<20} fresh" in capsys.readouterr().out


def stands_alone(page):
    """A page that loads nothing and leads to nothing that is not beside it."""
    assert page.select("link, iframe, object, script[src]") == []
    assert [i["src"] for i in page.select("[src]") if not i["src"].startswith("data:")] == []
    for style in page.select("style"):
        for url in style.text.split("url(")[1:]:
            assert url.lstrip("'\"").startswith("data:"), url[:60]
        assert "@import" not in style.text
    for link in page.select("a[href]"):
        assert link["href"].startswith(("#", "https://", "data:")), link


@pytest.mark.slow
def test_a_page_has_its_mathematics_set_and_weighs_little(project):
    assert run.main(["--profile", "smoke", "tiny", "n_runs=2"], root=project) == 0
    (html,) = (project / "runs").glob("tiny-*.html")
    page = BeautifulSoup(html.read_text(), "html.parser")
    assert {formula["data-tex"] for formula in page.select("math")} >= {"x > 0"}
    assert "data:font/woff;base64," in page.style.text
    assert html.stat().st_size < 0.5e6


def test_styles_lose_what_they_would_load(tmp_path):
    (tmp_path / "a.css").write_text(
        '@import "b.css";\n@font-face{font-family:x;src:url(x.woff)}\n'
        "p{color:red;background:url(p.png)}q{background:url('data:image/png;base64,AA')}"
    )
    (tmp_path / "b.css").write_text("b{margin:0}@font-face{font-family:y;src:url('y.woff')}")
    (tmp_path / "y.woff").write_bytes(b"font")
    css = _css(tmp_path / "a.css")
    assert "b{margin:0}" in css
    assert "p{color:red;}q{background:url('data:image/png;base64,AA')}" in css
    assert css.count("@font-face") == 1
    assert "font-family:y;src:url(data:font/woff;base64,Zm9udA==)" in css
    assert ".woff" not in css


@pytest.mark.slow
def test_a_sweep_runs_every_combination_and_shows_them_on_one_page(project, capsys):
    asked = ["--profile", "smoke", "tiny", "n_runs=2", "n_runs=13", "rate=0.1", "rate=0.2"]
    assert run.main(asked, root=project) == 1
    said = capsys.readouterr()
    assert said.err.count("raised AssertionError: unlucky") == 2
    assert said.out.count("ran in") == said.out.count("failed") == 2
    (html,) = (project / "runs").glob("tiny-sweep-*.html")
    page = BeautifulSoup(html.read_text(), "html.parser")
    rows = [[cell.text for cell in row.select("th, td")] for row in page.select("table tr")]
    assert rows[0] == ["run", "n_runs", "rate", "answer", "constant"]
    assert sorted(row[1:] for row in rows[1:]) == [
        ["13", "0.1", "–", "–"],
        ["13", "0.2", "–", "–"],
        ["2", "0.1", "43", "0.5"],
        ["2", "0.2", "43", "0.5"],
    ]
    assert "4 runs, of which 2 failed" in page.main.text
    assert "sizes = [5, 10]" in page.main.text
    assert page.main.text.count("raised AssertionError: unlucky") == 2
    for link in page.select("table a[href]:not(.headerlink)"):
        assert (html.parent / link["href"]).exists()
    csv = html.with_suffix(".csv").read_text().splitlines()
    assert csv[0] == "run,n_runs,rate,sizes,method,answer,constant"
    assert len(csv) == 5

    assert run.main(asked, root=project) == 1
    said = capsys.readouterr()
    assert (said.out.count("fresh"), said.out.count("failed")) == (2, 2)


def test_glued_values_are_read_as_they_stand(executed):
    notebook = jupytext.read(executed / "book/chapters/tiny.ipynb")
    assert glued(notebook) == {"answer": "42", "constant": "0.5"}
