"""How far two computations agree, and whether the processor is why they do not."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any, NamedTuple

COUNTS = ("tn", "fp", "fn", "tp")  # from which all scores of the decisions follow
DIGITS = 12  # so many are the same where two ways to add up differ in nothing else

Outcome = Mapping[str, Any]  # of a fit
Values = dict[tuple[str, str], float | str]  # of a chapter: a number or a text, by where it stands


class Found(NamedTuple):
    """What became of something recorded: same, processor, otherwise or outdated, and why."""

    kind: str
    line: str = ""
    digits: int = 16


def digits(a: float, b: float) -> int:
    """Tell to how many significant digits two numbers agree, 16 if they are the same.

    Examples
    --------
    >>> digits(0.25, 0.25), digits(1.2345, 1.2346), digits(5, -5)
    (16, 4, 0)
    """
    if a == b or (math.isnan(a) and math.isnan(b)):
        return 16
    if not math.isfinite(a) or not math.isfinite(b):
        return 0
    return min(16, max(0, math.floor(-math.log10(abs(a - b) / max(abs(a), abs(b))))))


def rows_apart(a: Outcome, b: Outcome) -> float:
    """Tell how many rows, at least, two fits decide otherwise; infinity if one of them failed.

    Two that failed with the same kind of error are no row apart.
    """
    if a["failed"] or b["failed"]:
        same = a["failed"].partition(":")[0] == b["failed"].partition(":")[0]
        return 0 if same else math.inf
    return math.ceil(sum(abs(a[count] - b[count]) for count in COUNTS) / 2)


def same_fit(recorded: Outcome, now: Outcome) -> bool:
    """Whether a fit came out again: its data, its weight and its counts."""
    if recorded["data"] != now["data"] or rows_apart(recorded, now):
        return False
    return bool(now["failed"]) or digits(recorded["lam"], now["lam"]) >= DIGITS


def settle_fit(
    recorded: Outcome,
    here: Outcome,
    others: Mapping[str, Outcome],
    known: Iterable[Outcome] = (),
) -> Found:
    """Tell why a fit differs.

    It is the processor only if other kernels give what is recorded, if two kinds of kernels are at
    least as many rows apart as here is from the record, or if what comes out here is recorded for
    other kernels. How far other kernels are from the record is no evidence: it would excuse any
    error in it; nor is how far here is from what is known of another machine, which would excuse
    any error here.

    Parameters
    ----------
    recorded, here : mapping
        The fit in the record, and made again.
    others : mapping
        The fit made on this machine with other kernels, by their name.
    known : iterable of mapping
        The fit as it is recorded for other kernels.
    """
    if same_fit(recorded, here):
        return Found("same")
    apart = rows_apart(recorded, here)
    what = "fails or not, or otherwise" if apart == math.inf else f"{apart} rows otherwise"
    if not apart:
        return Found("otherwise", "the weight or the data differ, the counts do not")
    if recorded["data"] == here["data"]:
        if any(same_fit(each, here) for each in known):
            return Found("processor", f"{what}; as recorded with other kernels")
        for name, other in others.items():
            if same_fit(recorded, other):
                return Found("processor", f"{what}; {name} give what is recorded")
        for (a, one), (b, two) in combinations({"those here": here, **others}.items(), 2):
            if rows_apart(one, two) >= apart:
                return Found("processor", f"{what}; {a} and {b} differ as much")
    tried = ", ".join(others) or "no other kernels to try"
    return Found("otherwise", f"{what}, and not because of the processor (tried: {tried})")


NUMBER = re.compile(r"[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?")
POWER = re.compile("×10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
PLAIN = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹\N{MINUS SIGN}", "-0123456789-")


def values(texts: Mapping[str, str]) -> Values:
    """Take texts apart: the words, and each number.

    Examples
    --------
    >>> values({"spread": "1,050 runs within 2×10⁻⁸"})
    {('spread', 'words'): '# runs within #', ('spread', '1'): 1050.0, ('spread', '2'): 2e-08}
    """
    found: Values = {}
    for name, text in texts.items():
        plain = POWER.sub(lambda power: f"e{power[1]}", text).translate(PLAIN)
        found[name, "words"] = NUMBER.sub("#", plain)
        for place, number in enumerate(NUMBER.findall(plain), 1):
            found[name, str(place)] = float(number.replace(",", ""))
    return found


def settle(recorded: float | str, here: float | str, other: float | str | None) -> str:
    """Tell why a number or a text differs, by what it is with other kernels (None if not known).

    A number that is a mean over many fits moves by another amount with other kernels. It is the
    processor if that is a tenth or more of what is to be explained.
    """
    if recorded == here:
        return "same"
    if other is None or other == here:
        return "otherwise"
    numbers = [x for x in (recorded, here, other) if isinstance(x, float)]
    if len(numbers) < 3:
        return "processor"
    then, now, moved = numbers
    near = then == moved or 10 * abs(now - moved) >= abs(now - then)
    return "processor" if near else "otherwise"


def settle_chapter(
    recorded: Values, here: Values, other: Values | None, changed: str = ""
) -> dict[tuple[str, str], Found]:
    """Tell of each number, text and verdict of a chapter what became of it."""
    found = {}
    for place in recorded | here:
        then, now = recorded.get(place, "nothing"), here.get(place, "nothing")
        kind = settle(then, now, None if other is None else other.get(place, "nothing"))
        if kind == "otherwise" and changed:
            kind = "outdated"
        numbers = isinstance(then, float) and isinstance(now, float)
        same = digits(float(then), float(now)) if numbers else 16 * (then == now)
        line = "" if then == now else f"{then!r} recorded, {now!r} here"
        if kind == "outdated":
            line += f"; changed since it was recorded: {changed}"
        found[place] = Found(kind, line, same)
    return found


def count(found: list[Found]) -> dict[str, int]:
    """Count what became of the things compared."""
    kinds = Counter(each.kind for each in found)
    return {kind: kinds.pop(kind, 0) for kind in ("same", "processor", "otherwise")} | dict(kinds)
