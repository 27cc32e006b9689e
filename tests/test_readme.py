import re
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text("utf8")


def test_the_code_of_the_readme_runs_and_satisfies_the_key_equation(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    residual = float(re.search(r"residual=([^)]+)", capsys.readouterr().out).group(1))
    assert abs(residual) < 1e-4


def test_each_command_of_the_readme_exists():
    root = Path(__file__).parents[1]
    targets = re.findall(r"^make (\w+)", README, re.MULTILINE)
    makefile = (root / "Makefile").read_text("utf8")
    assert targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    for path in re.findall(r"\]\(([^):]+)\)", README):
        assert (root / path).exists(), path
