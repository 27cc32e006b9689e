import re
from pathlib import Path

from conftest import ROOT
from driver.parameters import read_grid

README = (Path(__file__).parents[1] / "README.md").read_text("utf8")


def test_the_code_of_the_readme_does_what_it_says(capsys):
    code = "\n".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL))
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    residual = float(re.search(r"residual=([^)]+)", capsys.readouterr().out).group(1))
    assert abs(residual) < 1e-4
    assert names["choice"].recall.value >= 0.9


def test_each_command_of_the_readme_exists():
    root = Path(__file__).parents[1]
    targets = re.findall(r"^make (\w+)", README, re.MULTILINE)
    makefile = (root / "Makefile").read_text("utf8")
    assert targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    for path in re.findall(r"\]\(([^):]+)\)", README):
        assert (root / path).exists(), path


def test_the_requests_of_the_guides_are_accepted():
    guides = README + (ROOT / "book/how-to-rerun.md").read_text("utf8")
    requests = re.findall(
        r"(?:notebooks/run\.py|^run) (\w\S+)((?: [\w]+=\S+)*)", guides, re.MULTILINE
    )
    assert len(requests) > 5
    for name, assignments in requests:
        expanded = re.sub(r"\{(\d+)\.\.\d+\}", r"\1", assignments)  # as bash does
        assert read_grid(ROOT / f"notebooks/{name}.md", expanded.split())
