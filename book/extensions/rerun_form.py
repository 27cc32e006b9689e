"""Sphinx extension: beside the parameters of a chapter stands the command that reruns it.

The form is made from what the notebook declares. `static/rerun.js` shows it, and writes what is
changed in it into the command; without scripts the command is the one that lists the parameters.
"""

import json
import sys
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parents[2] / "notebooks"))
from driver.parameters import Parameter, declared

COMMAND = ".venv/bin/python notebooks/run.py"
PROFILE = "quick"  # of a command that names none


def field(name: str, parameter: Parameter, value: Any) -> str:
    """Return a line of the form: a parameter's name, value, meaning and range.

    Examples
    --------
    >>> import ast
    >>> kind = ast.parse("str", mode="eval").body
    >>> print(field("score", Parameter(kind, "f1", "{f1, gmean}", "of a search"), "gmean"))
    <label><code>score</code> <select name="score" data-type="str" data-range="{f1, gmean}" \
data-default="&#x27;f1&#x27;"><option>f1</option><option selected>gmean</option></select> \
<span>of a search</span></label>
    """
    given = {"name": name, "data-type": parameter.type, "data-range": parameter.range}
    given["data-default"] = repr(parameter.default)
    text = value if parameter.type == "str" else repr(value)
    meaning, choices = parameter.meaning, []
    if parameter.type == "str" and parameter.range.startswith("{"):
        choices = [choice.strip() for choice in parameter.range[1:-1].split(",")]
    if parameter.type == "bool":
        choices = ["True", "False"]
    if not choices:
        given |= {"value": text, "autocomplete": "off", "spellcheck": "false"}
        meaning += f"; {parameter.type}" + f" in {parameter.range}" * bool(parameter.range)
    attributes = " ".join(f'{key}="{escape(value)}"' for key, value in given.items())
    options = "".join(
        f"<option{' selected' * (choice == text)}>{escape(choice)}</option>" for choice in choices
    )
    control = f"<select {attributes}>{options}</select>" if choices else f"<input {attributes}>"
    return f"<label><code>{name}</code> {control} <span>{escape(meaning)}</span></label>"


def form(notebook: str, profile: str, fields: list[str]) -> str:
    """Return the fold with the form and the command."""
    option = "" if profile == PROFILE else f" --profile {profile}"
    command = f"{COMMAND} {notebook}{option}"
    return (
        '<details class="rerun"><summary>Rerun this page with other values</summary>'
        f'<form hidden data-notebook="{notebook}" data-command="{escape(command)}">'
        f'{"".join(fields)}<p class="wrong" role="status"></p></form>'
        f'<div class="highlight"><pre>{escape(command)} --help</pre></div></details>'
    )


def add_form(app: Sphinx, document: nodes.document) -> None:
    """Put the form after the cell of the parameters."""
    chapter = Path(app.env.doc2path(app.env.docname))
    for cell in list(document.findall(nodes.container)):
        if "tag_parameters" not in cell["classes"]:
            continue
        notebook = json.loads(chapter.read_text("utf8"))
        made = notebook["metadata"].get("crcen", {})
        values = made.get("parameters", {})
        fields = [
            field(name, parameter, values.get(name, parameter.default))
            for name, parameter in declared(chapter).items()
        ]
        html = form(chapter.stem, made.get("profile", PROFILE), fields)
        cell.parent.insert(cell.parent.index(cell) + 1, nodes.raw("", html, format="html"))


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("doctree-read", add_form)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
