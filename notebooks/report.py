"""What the chapters share: tables, and claims with their verdicts."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Collection, Iterable
from html import escape
from numbers import Real
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml
from IPython.display import HTML, display
from markupsafe import Markup
from markupsafe import escape as markup
from numpy.typing import NDArray
from sklearn.utils import Bunch

from crcen.study.datasets import DATASETS, load_available
from crcen.study.methods import METHODS
from crcen.study.protocol import Protocol
from crcen.study.statistics import sd as sd  # for the chapters
from crcen.theory.expense import Confusion
from crcen.theory.simulations import sim2

HERE = Path(__file__).parent
ROOT = HERE.parent
CLAIMS: dict[str, dict[str, Any]] = {
    number: entry | {"where": entry["where"].replace(" ", "\N{NO-BREAK SPACE}")}
    for number, entry in yaml.safe_load((HERE / "claims.yml").read_text()).items()
}
LAWS = [number for number in CLAIMS if number.startswith("L")]  # our own, beyond the paper

COUNTS = list(Confusion._fields)
TITLES = {"sim2": "Sim2 (no set at hand)"} | {name: DATASETS[name].title for name in DATASETS}

Verdict = Literal["reproduced", "partly", "not", "undecided", "uninformative", "examined"]
VERDICTS = {
    "reproduced": "our run agrees with the paper's figure or statement, within the margin",
    "partly": "a part of the statement holds, or only a part could be checked",
    "not": "our run contradicts the statement, beyond the margin",
    "undecided": "the interval of our run reaches over the margin, so it can be either",
    "uninformative": "the comparison would come out so whether the statement holds or not",
    "examined": "the paper leaves it open, or it cannot be rerun; we looked, and say what we saw",
}


def margin(number: str) -> float:
    """Read what a verdict allows, written in ``claims.yml`` with its reason."""
    return float(CLAIMS[number]["margin"])


def paper_table(number: int) -> pd.DataFrame:
    """Read one of the paper's tables, as printed there."""
    return pd.read_csv(HERE / "paper" / f"table{number}.csv")


def load_sets(names: Iterable[str]) -> dict[str, Bunch]:
    """Load the data sets that can be had, or Sim2 if none can, so that a chapter runs all the same.

    Their titles, of which that of Sim2 owns up to it, are in `TITLES`.
    """
    X, y = sim2(200, 2000, np.random.default_rng(0))
    stand_in = Bunch(data=X, target=y, name="sim2", source="crcen.theory.simulations")
    return load_available(names) or {"sim2": stand_in}


def load_set(name: str) -> Bunch:
    """Load one data set, or Sim2 in its place."""
    (data,) = load_sets([name]).values()
    return data


def is_number(value: object) -> bool:
    """Whether a table shows the value as a number, alone or with one in brackets: to the right."""
    number = r"[-+\N{MINUS SIGN}]?[\d.,]+(×10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+|%| \([\d.]+\))?|[–∞]?"
    return isinstance(value, Real) or re.fullmatch(number, str(value)) is not None


def is_long(value: object) -> bool:
    """Whether a table may break the value into lines; a number or a name stays in one."""
    return not isinstance(value, Real) and len(re.sub("<[^>]*>", "", str(value))) > 30


def minus(text: str) -> str:
    """Put the minus sign before numbers that have a hyphen."""
    return re.sub(r"(?<![\w.)\"=-])-(?=[\d.])", "\N{MINUS SIGN}", text)


def table(
    frame: pd.DataFrame,
    caption: str,
    formats: dict[str, Any] | None = None,
    paper: Collection[str] = (),
    *,
    sortable: bool = False,
) -> HTML:
    """Render a data frame, numbers to the right.

    The columns named in `paper` are the paper's numbers, set apart. A `sortable` table can be
    sorted by a click on a column's name, and its rows filtered. If two or more columns hold
    text, each row becomes a block on a phone, whose lines begin with the names of the columns.
    Text is shown as text, but for that which is marked as HTML, `markupsafe.Markup` in columns of
    objects.
    """
    frame = frame.reset_index(drop=True)
    numbers = [all(map(is_number, frame[column])) for column in frame.columns]
    texts = [any(map(is_long, frame[column])) for column in frame.columns]
    blocks = sum(texts) > 1
    classes = "report" + " blocks" * blocks + " sortable" * sortable
    styler = frame.style.format(formats or {}, na_rep="–", escape="html").hide(axis="index")
    styler = styler.format_index(escape="html", axis=1).set_caption(markup(caption))
    styler.cell_ids, styler.uuid_len = False, 0
    html = styler.set_uuid("").set_table_attributes(f'class="{classes}"').to_html()
    for j, column in enumerate(frame.columns):
        kinds = {"paper": column in paper, "number": numbers[j], "text": texts[j]}
        added = " ".join(kind for kind, holds in kinds.items() if holds)
        html = re.sub(rf'(class="[^"]*\bcol{j})"', rf'\1 {added}"', html)
        if blocks:
            cell = rf"<td (?=[^>]*\bcol{j}\b)"
            html = re.sub(cell, f'<td data-label="{escape(column)}" ', html)
    html = minus(html).replace("G-mean", "G\N{NON-BREAKING HYPHEN}mean")
    return HTML(f'<div class="table-scroll" tabindex="0">{html}</div>')


def number(value: float, spec: str = ".2f") -> str:
    """Write a number, one that cannot be told (nan) as a dash, an infinite one as its sign."""
    if math.isnan(value):
        return "–"
    sign = "\N{MINUS SIGN}" if value < 0 else ""
    return f"{sign}∞" if math.isinf(value) else f"{value:{spec}}"


def quotient(above: Any, below: Any) -> Any:
    """Divide, element by element; what would be divided by zero cannot be told and is nan."""
    return above / np.where(np.equal(below, 0), np.nan, below)


def smaller(value: float, limit: float) -> bool | None:
    """Whether a value is below a limit; None, for `verdict`, if it cannot be told."""
    return None if math.isnan(value) or math.isnan(limit) else bool(value < limit)


def confusions(scored: pd.DataFrame, dataset: str, alphas: Iterable[str]) -> NDArray[np.int64]:
    """Read the counts of a set's cells, shape (splits, alphas, 4), in the order of `COUNTS`."""
    cells = scored[scored["dataset"] == dataset].set_index(["alpha", "split"]).sort_index()
    return np.stack([cells.loc[alpha, COUNTS].to_numpy(int) for alpha in alphas], axis=1)


def download(frame: pd.DataFrame, name: str, text: str) -> HTML:
    """Link to the rows of a data frame as a CSV file that is part of the page."""
    rows = base64.b64encode(frame.to_csv(index=False, float_format="%.6g").encode()).decode()
    link = f'<a download="{escape(name)}" href="data:text/csv;base64,{rows}">{escape(text)}</a>'
    return HTML(f'<p class="download">{link}</p>')


def sci(value: float) -> str:
    """Write a small number as in 2×10⁻⁸, and zero, infinity and nan as `number` does."""
    if value == 0 or not math.isfinite(value):
        return number(value, "g")
    mantissa, exponent = f"{value:.0e}".split("e")
    power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa}×10{power}"


def counted(best: pd.DataFrame, grid: pd.DataFrame) -> pd.DataFrame:
    """Count how often each point of a grid of networks was chosen: a row a size, a column an L2."""
    sizes, strengths = (sorted(grid[name].unique()) for name in ("hidden", "l2"))
    count = pd.crosstab(best["hidden"], best["l2"]).reindex(
        index=sizes, columns=strengths, fill_value=0
    )
    count.columns = [sci(value).removeprefix("1×") for value in count.columns]
    return count.rename_axis("hidden neurons").reset_index()


def points_of(protocol: Protocol) -> pd.DataFrame:
    """List the points of the grid that networks are tuned over: params, hidden and l2."""
    texts = protocol.points(METHODS["CRCEN"])
    found = [json.loads(text) | {"params": text} for text in texts]
    return pd.DataFrame(found).assign(hidden=lambda rows: rows["hidden_layer_sizes"].str[0])


def badge(verdict: str, law: bool = False) -> Markup:
    """HTML of a verdict on a claim of the paper, or on a law of ours."""
    texts = {"reproduced": "holds", "not": "fails"} if law else {"not": "not reproduced"}
    text = texts.get(verdict, verdict)
    return Markup('<span class="verdict {}">{}</span>').format(verdict, text)


def verdict(*holds: bool | None, complete: bool = True) -> Verdict:
    """Reproduced if every part holds and all could be told, not if none holds, else partly.

    A part that is None could not be told, as `within` has it of an interval that reaches over the
    margin. If that is so of all of them, the claim is undecided.
    """
    told = [part for part in holds if part is not None]
    if not told:
        return "undecided"
    if all(told):
        return "reproduced" if complete and len(told) == len(holds) else "partly"
    return "partly" if any(told) else "not"


#: How a table shows what `crcen.study.statistics.within` and its kin decide.
TOLD = {True: "yes", False: "no", None: "undecided"}


def how_many(parts: Iterable[bool | None]) -> str:
    """Count the parts that hold: "3 of 4"; what cannot be told does not.

    Examples
    --------
    >>> how_many([True, None, False])
    '1 of 3'
    """
    found = list(parts)
    return f"{sum(part is not None and bool(part) for part in found)} of {len(found)}"


def every(parts: Iterable[bool | None]) -> bool | None:
    """Whether all parts hold: not if one does not, and None if one that cannot be told is left."""
    found = list(parts)
    if any(part is not None and not part for part in found):
        return False
    return None if any(part is None for part in found) else True


def claim(number: str, ours: str, found: Verdict) -> None:
    """Show what we found on a claim of the paper, or a law, and leave it for the claims ledger.

    The ledger chapter reads it from the executed notebook, out of the output's metadata.
    """
    if found not in VERDICTS:
        raise ValueError(f"found={found!r} must be one of {', '.join(VERDICTS)}.")
    entry, law = CLAIMS[number], number in LAWS
    paper = f"<em>Paper:</em> {entry['paper']}<br>" if entry["paper"] != "–" else ""
    card = (
        f'<div class="claim" id="claim-{number}"><p>{badge(found, law)} '
        f"<strong>{'Law' if law else 'Claim'} {number}</strong> "
        f"({entry['where']}): {entry['claim']}</p><p>{paper}"
        f"<em>Here:</em> {minus(escape(ours))}</p></div>"
    )
    display(
        HTML(card), metadata={"crcen_claim": {"number": number, "ours": ours, "verdict": found}}
    )
