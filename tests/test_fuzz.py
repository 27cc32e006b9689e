"""Tests of the fuzzer: it leaves no public function out, and finds what is planted."""

import re
import warnings
from pathlib import Path

import fuzz
import numpy as np
import pytest

API = sorted(Path(__file__).resolve().parents[1].glob("book/api*.md"))
MEMBERS = re.compile(r":members: (.*)")
# Tables, and what functions return: nobody calls them. `Share` and `Confusion` are tried.
ANSWERS = {"KeyEquation", "OperatingPoint", "Choice", "Bounds", "ClassBalance", "Confusion"}
TABLES = {"Dataset", "DatasetUnavailable", "DataError", "Method"}
TABLES |= {
    "Record",
    "RecordError",
    "Predictions",
    "Score",
}  # tests/test_store.py and test_scores.py
ANSWERS |= {"Step", "Factors", "Price", "Limit", "Hausman", "FreshRatio"}
ANSWERS |= {"Audit", "Line", "Slip", "Check", "Kept", "Outlook", "Prevalence"}
ANSWERS |= {"Decisions", "Triage", "Area", "Table", "Column"}


def test_every_public_function_is_tried():
    listed = [members for page in API for members in MEMBERS.findall(page.read_text("utf8"))]
    public = {name for line in listed for name in line.split(", ")}
    assert public - ANSWERS - TABLES == {*fuzz.CASES}


def test_every_function_answers_good_inputs():
    for name, case in fuzz.CASES.items():
        rng = np.random.default_rng(0)
        answers = 0
        for _ in range(60):
            given = {argument: draw(rng) for argument, draw in case.arguments.items()}
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    found = case.call(**given)
            except ValueError:
                continue
            answers += 1
            assert case.check(given, found) == "", name
        assert answers > 0 or name == "load_dataset", name  # no set has one of these names


def planted(x):
    """Fail in one way or another.

    Raises
    ------
    ValueError
        If `x` is no number.
    """
    if not isinstance(x, float):
        raise ValueError("x is no number.")
    if np.isnan(x):
        return x
    if x < 0:
        raise TypeError("negative")
    if x == 0:
        while True:
            pass
    if np.isinf(x):
        raise ValueError("infinite")
    return np.sqrt(x)


@pytest.mark.parametrize(
    ("x", "fault"),
    [
        (4.0, ""),
        ("4", ""),
        (-1.0, "TypeError, not documented: negative"),
        (float("nan"), "nan without a warning"),
        (float("inf"), "ValueError that names no parameter: infinite"),
        (9.0, "too large"),
        (0.0, "more than 0.2 s"),
    ],
)
def test_a_planted_fault_is_found(monkeypatch, x, fault):
    monkeypatch.setattr(fuzz, "spoil", lambda value, rng: value)
    monkeypatch.setattr(fuzz, "SECONDS", 0.2)
    before = fuzz.signal.signal(fuzz.signal.SIGPROF, fuzz.hang)
    case = fuzz.Case(
        planted, {"x": lambda rng: x}, lambda given, found: "" if found < 3 else "too large"
    )
    try:
        assert fuzz.one("planted", case, 0, 0).startswith(fault)
        assert bool(fuzz.one("planted", case, 0, 0)) == bool(fault)
    finally:
        fuzz.signal.signal(fuzz.signal.SIGPROF, before)


def test_the_same_seed_makes_the_same_inputs():
    first, second = (
        [repr(fuzz.spoil([0.1, 0.2], np.random.default_rng([1, k]))) for k in range(50)]
        for _ in range(2)
    )
    at = r"0x[0-9a-f]+"  # where an object is in memory
    assert [re.sub(at, "", a) for a in first] == [re.sub(at, "", b) for b in second]
