"""What a figure draws, as numbers: the file that readers can take from under it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import Collection, PathCollection
from matplotlib.colors import to_hex, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon, Rectangle

COLUMNS = ["panel", "series", "colour", "mark", "part", "x", "y", "x label", "y label"]


def points(figure: Figure) -> pd.DataFrame:
    """List the points of all marks of a figure, in the units of its axes.

    Parameters
    ----------
    figure : Figure
        Drawn, and not closed yet.

    Returns
    -------
    DataFrame
        A row for each point: ``panel``, its title or number; ``series``, its name in the legend,
        if it has one; ``colour``, that of the light theme; ``mark``, a line, points, an area (the
        bar of an interval and a rule are narrow ones) or a bar (by two corners); ``part``, which
        area of the mark; ``x`` and ``y``, empty where a mark spans the panel; ``x label`` and
        ``y label``, what stands there at an axis of words.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> figure, [left, right] = plt.subplots(1, 2)
    >>> _ = left.plot([1, 2], [3, 4], label="found")
    >>> _ = right.axhline(5)
    >>> points(figure)[["panel", "series", "mark", "x", "y"]]
      panel series  mark    x    y
    0     1  found  line  1.0  3.0
    1     1  found  line  2.0  4.0
    2     2         line  NaN  5.0
    3     2         line  NaN  5.0
    >>> plt.close(figure)
    """
    found = [marks for number, ax in enumerate(figure.axes, 1) for marks in _panel(ax, number)]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=COLUMNS)


def _panel(ax: Axes, number: int) -> Iterator[pd.DataFrame]:
    """Take the marks of one panel, one after the other."""
    words = [_words(axis) for axis in (ax.xaxis, ax.yaxis)]
    of_container = {
        id(part): str(container.get_label())
        for container in ax.containers
        for part in container.get_children()
    }
    for artist in ax.get_children():
        if artist is ax.patch or not artist.get_visible():
            continue
        label = of_container.get(id(artist), str(artist.get_label()))
        for part, (mark, colour, vertices, transform) in enumerate(_parts(artist)):
            known = transform.contains_branch_seperately(ax.transData)
            if not any(known) or not len(vertices):
                continue
            xy = np.where(known, np.asarray(vertices, dtype=float), np.nan)
            named = [
                [at.get(value, "") for value in column]
                for at, column in zip(words, xy.T, strict=True)
            ]
            yield pd.DataFrame(
                {
                    "panel": ax.get_title() or str(number),
                    "series": "" if label.startswith("_") else label,
                    "colour": [
                        to_hex(one) for one in np.resize(to_rgba_array(colour), (len(xy), 4))
                    ],
                    "mark": mark,
                    "part": part,
                    "x": xy[:, 0],
                    "y": xy[:, 1],
                    "x label": named[0],
                    "y label": named[1],
                }
            )


def _parts(artist: Artist) -> Iterator[tuple[str, Any, Any, Any]]:
    """Tell what a mark consists of: kind, colour, points, and what these are measured in.

    Points that have colours of their own take them in turn, as matplotlib draws them.
    """
    if isinstance(artist, Line2D):
        yield "line", artist.get_color(), artist.get_xydata(), artist.get_transform()
    elif isinstance(artist, Collection):
        filled, edges = artist.get_facecolor(), artist.get_edgecolor()
        colours = np.asarray(filled if len(filled) else edges)
        if isinstance(artist, PathCollection):
            where = np.ma.filled(artist.get_offsets(), np.nan)
            yield "points", colours, where, artist.get_offset_transform()
            return
        for part, path in enumerate(artist.get_paths()):
            colour = colours[part % len(colours)]
            yield "area", colour, path.vertices, artist.get_transform()
    elif isinstance(artist, Rectangle):
        corners = artist.get_corners()[[0, 2]]
        yield "bar", artist.get_facecolor(), corners, artist.get_data_transform()
    elif isinstance(artist, Polygon):
        yield "area", artist.get_facecolor(), artist.get_xy(), artist.get_data_transform()


def _words(axis: Axis) -> dict[float, str]:
    """Tell what stands at the places of an axis that has words and not numbers."""
    names = [text.get_text() for text in axis.get_majorticklabels()]
    try:
        _ = [float(name.replace("−", "-")) for name in names if name]
    except ValueError:
        return dict(zip(map(float, axis.get_majorticklocs()), names, strict=False))
    return {}
