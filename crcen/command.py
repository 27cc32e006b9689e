"""The command `crcen`: audit scores, choose a threshold for them, and check what was promised.

Each command reads a table with a column of labels and one of scores, from any model.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from crcen.auditing import audit
from crcen.mishaps import told
from crcen.own import command as report
from crcen.ranking import area
from crcen.reading import known, read_frame, read_labels
from crcen.row_costs import decide_rows
from crcen.slip import Kept, Slip, promise
from crcen.undecided import triage
from crcen.validation import check_lam

FORMAT = "{:.4g}".format
CUT = "{:.10g}".format  # of a threshold: with fewer digits it may move past the row that it is at
WISHES = ("recall", "precision", "cost_ratio", "expense", "capacity")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, 1 if a promise is broken, or 2 for what cannot be done."""
    asked = _parser().parse_args(arguments)
    return told("crcen", lambda: _done(asked))


def _done(asked: argparse.Namespace) -> int:
    try:
        return int(asked.run(asked))
    except BrokenPipeError:  # a reader who has seen enough
        raise
    except (ValueError, OSError, ImportError) as error:
        print(f"crcen: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ncrcen: stopped; what was not written yet is not there", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("crcen", description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = _command(commands, "audit", _audit, "find the weight behind the probabilities of a model")
    one.add_argument("table", type=Path, metavar="TABLE")
    one.add_argument(
        "--train",
        nargs=2,
        type=int,
        metavar=("N1", "N0"),
        help="minority and majority rows that the model was trained on, if you know",
    )

    two = _command(commands, "choose", _choose, "choose a threshold for one wish or several")
    two.add_argument("table", type=Path, metavar="TABLE")
    two.add_argument("--cost-column", help="column of costs of a miss, if they differ by row")
    _add_wishes(two)
    two.add_argument(
        "--lam",
        default="audit",
        help="weight that the model was trained with; default: what an audit finds",
    )
    two.add_argument(
        "--undecided",
        action="store_true",
        help="two thresholds: dismiss rows by --recall, raise alarms by the other wishes, and "
        "decide nothing between them",
    )
    two.add_argument("--slip", type=Path, help="file to write the promise to (JSON)")

    three = _command(commands, "check", _check, "say whether later rows keep a promise")
    three.add_argument("slip", type=Path, metavar="SLIP")
    three.add_argument("table", type=Path, metavar="TABLE")
    three.add_argument("--level", type=float, default=0.95, help="default: %(default)s")

    about = "compare models on a table, choose one and a threshold, and write a page"
    four = commands.add_parser("report", help=about, description=about)
    report.add_options(four)
    _add_wishes(four)
    four.set_defaults(run=lambda asked: report.run(asked, _wish(asked)))
    return parser


def _add_wishes(command: argparse.ArgumentParser) -> None:
    command.add_argument("--recall", type=float, help="share of the minority to find, at least")
    command.add_argument("--precision", type=float, help="share of alarms that is right, at least")
    command.add_argument("--cost-ratio", type=float, help="cost of a missed row, in false alarms")
    command.add_argument("--expense", type=float, help="false alarms for the last row found, most")
    command.add_argument("--capacity", type=float, help="share of all rows that can be looked at")
    command.add_argument(
        "--confidence",
        type=float,
        help="with --recall or --precision: that it is kept in the population",
    )


def _wish(asked: argparse.Namespace) -> dict[str, float]:
    """Collect what was wished for."""
    wish = {name: getattr(asked, name) for name in (*WISHES, "confidence")}
    return {name: value for name, value in wish.items() if value is not None}


def _command(commands: Any, name: str, run: Any, help: str) -> argparse.ArgumentParser:
    """Open a command that reads labels and scores."""
    command: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help)
    command.add_argument("--target", required=True, help="column of the labels")
    command.add_argument("--score", required=True, help="column of the scores")
    command.add_argument(
        "--positive", help="label that the scores are of; default: the rarer of two"
    )
    command.add_argument(
        "--logits", action="store_true", help="the scores are logits; default: probabilities"
    )
    command.set_defaults(run=run)
    return command


def _read(asked: argparse.Namespace) -> tuple[Any, Any]:
    """Read labels and scores, and say what they are."""
    frame = read_frame(asked.table, asked.target)
    target, score = (known(name, getattr(asked, name), frame) for name in ("target", "score"))
    y, (rest, positive) = read_labels(frame[target], target, asked.positive)
    values = _numbers(frame, "score", score)
    print(f"{asked.table.name}: {y.sum()} rows of {positive!r}, {(1 - y).sum()} of {rest!r}")
    ranked = area(values, y)
    if asked.run is not _check and ranked.low <= 0.5:
        print(
            f"the scores rank a {positive!r} above a {rest!r} in {ranked.value:.1%} of pairs, 95% "
            f"interval {ranked.low:.1%} to {ranked.high:.1%}: no better than chance, so that what "
            "follows could be had from a coin"
        )
    return y, values


def _numbers(frame: pd.DataFrame, parameter: str, column: str) -> Any:
    """Read a column of numbers."""
    values = pd.to_numeric(frame[column], errors="coerce")
    if values.isna().any():
        row = int(np.flatnonzero(values.isna())[0])
        raise ValueError(
            f"{parameter}={column!r} holds {frame[column].iloc[row]!r} in row {row + 1}, which is "
            "no number: leave out such rows."
        )
    return values.to_numpy(dtype=np.float64)


def _audit(asked: argparse.Namespace) -> int:
    y, values = _read(asked)
    p = expit(values) if asked.logits else values
    found = audit(y, p, train=tuple(asked.train) if asked.train else None)
    low, high = found.interval()
    line = found.line
    names = " or ".join(found.names()) or "none of the usual weights"
    print(f"lambda {found.lam:.4f}, 95% interval {low:.4f} to {high:.4f}: {names}")
    print(f"a minority row counted {FORMAT(found.weight)} times; alpha {FORMAT(found.alpha)}")
    print(f"the scores announce {found.announced:.0f} minority rows, and there are {y.sum()}")
    if 0 < found.lam < 1:
        print(f"shifted back by this weight they announce {found.shift_back(p).sum():.0f}")
    sure = "too sure" if line.slope < 1 else "too timid"
    apart = abs(line.slope - 1) > 1.96 * line.slope_error
    print(
        f"Platt's slope {line.slope:.2f} ± {1.96 * line.slope_error:.2f}: "
        + (
            f"the model is {sure} of itself, and no shift mends that"
            if apart
            else "as it should be"
        )
    )
    if found.certain:
        print(f"{found.certain} rows have a score of 0 or 1, which the slope leaves out")
    return 0


def _choose(asked: argparse.Namespace) -> int:
    y, values = _read(asked)
    kind: Any = "logits" if asked.logits else "probabilities"
    if asked.lam == "audit":
        lam = audit(y, expit(values) if asked.logits else values).lam
        print(f"an audit finds lambda {lam:.4f} behind the scores")
    else:
        lam = float(asked.lam) if asked.lam.replace(".", "", 1).isdigit() else asked.lam
    wish = _wish(asked)
    if asked.cost_column:
        return _choose_by_row(asked, y, values, lam)
    if asked.undecided:
        return _choose_two(asked, y, values, lam)
    slip = promise(values, y, **wish, lam=lam, scores=kind)
    choice = slip.choice
    print(f"decide for the minority where the score is above {CUT(slip.threshold)}")
    for what in ("recall", "specificity", *({"precision"} & {*wish})):
        share = getattr(choice, what)
        low, high = share.interval()
        print(f"{what} {share.value:.3f} here, 95% interval {low:.3f} to {high:.3f}")
    now = slip.at(slip.prevalence)
    print(f"{1000 * now.alarms:.0f} alarms in 1000 rows, of which {now.precision:.0%} are right")
    if asked.slip:
        slip.write(asked.slip)
        print(f"the promise is written to {asked.slip}")
    return 0


def _choose_by_row(asked: argparse.Namespace, y: Any, values: Any, lam: Any) -> int:
    """Say where to decide for the minority if a miss costs what a column says."""
    others = [*_wish(asked), *(name for name in ("slip", "undecided") if getattr(asked, name))]
    if others:
        raise ValueError(
            f"cost_column={asked.cost_column!r} is a wish by itself: leave out {', '.join(others)}."
        )
    frame = read_frame(asked.table, asked.target)
    column = known("cost_column", asked.cost_column, frame)
    costs = _numbers(frame, "cost_column", column)
    weight = _log_odds(lam, y)
    kind: Any = "logits" if asked.logits else "probabilities"
    made = {"lam": float(expit(weight)), "scores": kind}
    found = decide_rows(values, costs, **made)
    one = decide_rows(values, np.full(costs.size, costs[y == 1].mean()), **made)
    rule = f"{asked.score} is above {weight:.6g} - log({column})"
    if not asked.logits:
        odds = f"{asked.score} / (1 - {asked.score})"
        rule = f"{odds} is above {np.exp(weight):.6g} / {column}"
    print(f"decide for the minority where {rule}")
    print(f"{1000 * found.found.mean():.0f} alarms in 1000 rows")
    print(f"misses and false alarms cost {found.cost(y):.6g} false alarms here", end="")
    print(f", and {found.expected.sum():.6g} were expected")
    print(f"one threshold, at the mean cost, costs {one._replace(cost_ratio=costs).cost(y):.6g}")
    return 0


def _choose_two(asked: argparse.Namespace, y: Any, values: Any, lam: Any) -> int:
    """Say what to dismiss, where to raise an alarm, and what is left."""
    wish = _wish(asked)
    others = [*({"cost_ratio"} & {*wish}), *(["slip"] if asked.slip else [])]
    if others:
        raise ValueError(
            "undecided goes with recall, precision, expense and capacity: leave out "
            f"{' and '.join(others)}."
        )
    if "recall" not in wish:
        raise ValueError("undecided dismisses rows by a recall: give --recall.")
    kind: Any = "logits" if asked.logits else "probabilities"
    found = triage(values, y, **wish, lam=lam, scores=kind)
    cuts = [_log_odds(lam, y) - logit(choice.lam) for choice in found]
    low, high = cuts if asked.logits else expit(cuts)
    print(f"dismiss up to {CUT(low)}, raise an alarm above {CUT(high)}, leave the rest undecided")
    for what, share in {
        "rows undecided": found.undecided,
        "minority dismissed": found.missed,
        "dismissals right": found.cleared,
        "minority found": found.accept.recall,
        "alarms right": found.accept.precision,
    }.items():
        least, most = share.interval()
        print(f"{what}: {share.value:.3f} here, 95% interval {least:.3f} to {most:.3f}")
    return 0


def _log_odds(lam: Any, y: Any) -> float:
    """Compute the shift that the weight has put into the logits."""
    return float(logit(1 - float(y.mean()) if lam == "balanced" else check_lam(lam)))


def _check(asked: argparse.Namespace) -> int:
    slip = Slip.read(asked.slip)
    y, values = _read(asked)
    found = slip.check(values, y, asked.level)
    for what, kept in found._asdict().items():
        if kept:
            print(f"{what}: {_sentence(kept)}")
    print(f"the promise of {slip.made} {'is broken' if found.broken else 'stands'}")
    return int(found.broken)


def _sentence(kept: Kept) -> str:
    """Say how one promise fares."""
    rows = f"{kept.found.part} of {kept.found.total}, at least {kept.promised:.3f} was promised"
    if kept.since is None:
        return f"{rows}; nothing speaks against it" if kept.evidence < 2 else f"{rows}; it stands"
    return f"{rows}; broken after {kept.since} rows"
