"""The report's figures: one style, and SVG that follows the reader's light or dark theme.

A figure is drawn in the light colours of `COLOURS`. `show` turns each of them into a CSS variable
with a value for light and one for dark, so that one file serves both.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from drawn import points
from matplotlib.figure import Figure
from numpy.typing import NDArray

# name: (light, dark). Told apart in the common forms of colour blindness (after Okabe & Ito), and
# at least 4.5:1 against the page (3:1 for lines) in both themes.
COLOURS = {
    "ink": ("#1f2328", "#e6e9ec"),
    "muted": ("#6a737d", "#9aa4ae"),
    "grid": ("#d8dee4", "#343b43"),
    "majority": ("#0067a5", "#5db8f0"),
    "minority": ("#c44e00", "#ff9d57"),
    "third": ("#00785a", "#3fc99c"),
    "fourth": ("#8a4a82", "#d79bce"),
}
INK, MUTED, GRID, MAJORITY, MINORITY, THIRD, FOURTH = (light for light, _ in COLOURS.values())

STYLE: Any = {  # matplotlib types its keys one by one
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
    "legend.frameon": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": "medium",
    "axes.prop_cycle": cycler(color=[MAJORITY, MINORITY, THIRD, FOURTH]),
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.08,  # a title is not to sit on the labels above it
    "figure.constrained_layout.w_pad": 0.06,
    "font.size": 10,
    "svg.hashsalt": "crcen",  # the same figure gives the same bytes
}


class ThemedSVG:
    """A figure as SVG text, which Jupyter and the book show as an image.

    What it draws goes with the output as metadata, which `figure_files` writes beside the page.
    """

    def __init__(self, svg: str, csv: str) -> None:
        self.svg, self.csv = svg, csv

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, str]]:
        return {"image/svg+xml": self.svg}, {"csv": self.csv}


def show(figure: Figure) -> ThemedSVG:
    """Close a figure and return it as SVG that is readable on a light and on a dark page.

    The numbers that it draws go with it, as CSV.

    Parameters
    ----------
    figure : Figure
        Drawn in the colours of this module.

    Returns
    -------
    ThemedSVG
        The last value of a notebook cell.
    """
    csv = points(figure).to_csv(index=False, float_format="%.6g")
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    plt.close(figure)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    for name, (light, _) in COLOURS.items():
        svg = svg.replace(light, f"var(--{name})")
    light, dark = (
        "".join(f"--{name}:{pair[i]};" for name, pair in COLOURS.items()) for i in (0, 1)
    )
    css = f"svg{{{light}}}@media(prefers-color-scheme:dark){{svg{{{dark}}}}}"
    head, body = svg.split(">", 1)
    return ThemedSVG(f"{head}><style>{css}</style>{body}", csv)


def panels(
    names: Sequence[str], *, height: float, sharey: bool = False
) -> tuple[Figure, dict[str, Any]]:
    """Open a figure with a panel for each name, three in a line; the rest of the grid stays empty.

    Parameters
    ----------
    names : sequence of str
        What the panels are for.
    height : float
        Height of a line of panels, in inches; 0.4 are added for the labels around them.
    sharey : bool
        Whether the panels share the vertical scale.

    Returns
    -------
    figure, axes
        The figure, and its axes by name.
    """
    columns = min(3, len(names))
    lines = -(-len(names) // columns)
    figure, grid = canvas(lines, columns, height=0.4 + height * lines, sharey=sharey)
    for ax in grid.ravel()[len(names) :]:
        ax.set_axis_off()
    return figure, dict(zip(names, grid.ravel(), strict=False))


def canvas(
    rows: int = 1,
    columns: int = 1,
    *,
    width: float = 7.2,
    height: float = 3.2,
    sharey: bool = False,
) -> tuple[Figure, NDArray[np.object_]]:
    """Open a figure in the report's style, with a grid of axes; sizes are in inches.

    Parameters
    ----------
    rows, columns : int, default=1
        Shape of the grid.
    width, height : float
        Size of the whole figure.
    sharey : bool
        Whether the axes share the vertical scale.

    Returns
    -------
    figure, axes
        The figure, and its axes in an array of shape (rows, columns).
    """
    mpl.rcParams.update(STYLE)
    figure, axes = plt.subplots(
        rows, columns, figsize=(width, height), sharey=sharey, squeeze=False
    )
    return figure, axes
